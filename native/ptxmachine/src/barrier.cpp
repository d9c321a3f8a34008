// Barriers of a block: who has arrived, who is missing, and the order of memory that a barrier makes.
#include <algorithm>
#include <map>

#include "block.h"

namespace vaccine::ptx {

bool Block::release_barriers() {
    std::map<uint32_t, std::vector<Warp*>> waiting;
    for (Warp& warp : warps_)
        if (warp.state == Warp::State::AtBarrier) waiting[warp.arrival.barrier].push_back(&warp);
    bool released = false;
    for (auto& [barrier, arrived] : waiting) {
        const uint32_t wanted = arrived[0]->arrival.threads;
        // Threads that have ended count as missing (report_stuck), but a barrier that all the living have reached goes on.
        const auto living =
            static_cast<size_t>(std::count_if(warps_.begin(), warps_.end(), [](const Warp& w) { return w.state != Warp::State::Done; }));
        if (wanted == 0 ? arrived.size() < living : arrived.size() * kWarpSize < wanted) continue;
        LaneMask ended = 0;
        if (wanted == 0)
            for (Warp& warp : warps_) {
                ended = warp.started & ~warp.live;
                if (ended == 0) continue;
                report(Fault::BarrierMissing, *arrived[0], *arrived[0]->arrival.instruction, __builtin_ctz(arrived[0]->live),
                       "barrier without thread " + std::to_string(warp.index * kWarpSize + __builtin_ctz(ended)) +
                           " of the block, which has ended");
                break;
            }
        release(arrived);
        released = true;
    }
    return released;
}

void Block::release(const std::vector<Warp*>& arrived) {
    if (!arrived[0]->arrival.instruction->operands.empty() && arrived[0]->arrival.instruction->text.find(".red.") != std::string::npos)
        complete_reduction(arrived);
    // Everybody now knows what anybody knew.
    std::array<uint32_t, kMaxWarps> latest{};
    for (const Warp* warp : arrived)
        for (size_t w = 0; w < latest.size(); ++w) latest[w] = std::max(latest[w], warp->clock[w]);
    for (Warp* warp : arrived) {
        const auto me = static_cast<size_t>(warp->index);
        const uint32_t own = warp->clock[me];
        warp->clock = latest;
        warp->clock[me] = own + 1;
        ++warp->lane_epoch;
        warp->state = Warp::State::Ready;
    }
}

void Block::complete_reduction(const std::vector<Warp*>& arrived) {
    const Instruction& i = *arrived[0]->arrival.instruction;
    uint32_t ones = 0, threads = 0;
    for (const Warp* warp : arrived) {
        ones += static_cast<uint32_t>(__builtin_popcount(warp->arrival.predicate & warp->live));
        threads += static_cast<uint32_t>(__builtin_popcount(warp->live));
    }
    for (const Warp* warp : arrived) {
        const Operand& d = i.operands[0];
        if (i.text.find(".popc") != std::string::npos)
            for (int l = 0; l < kWarpSize; ++l) write_lane(*warp, d, l, ones);
        else
            set_predicate(*warp, d.at, (i.text.find(".and") != std::string::npos ? ones == threads : ones != 0) ? kAllLanes : 0,
                          warp->live);
    }
}

void Block::report_stuck() {
    for (const Warp& warp : warps_) {
        if (warp.state != Warp::State::AtBarrier) continue;
        const Arrival& a = warp.arrival;
        report(Fault::BarrierMissing, warp, *a.instruction, __builtin_ctz(warp.live),
               "barrier " + std::to_string(a.barrier) + " is never complete: other warps wait elsewhere or have ended");
        return;
    }
}

}  // namespace vaccine::ptx
