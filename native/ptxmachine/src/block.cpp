#include "block.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "settings.h"

namespace vaccine::ptx {

Block::Block(Launch& launch)
    : launch_(launch),
      races_(Settings::get().races),
      counting_(Settings::get().counters),
      threads_(static_cast<uint32_t>(launch.block.count())),
      warps_((threads_ + kWarpSize - 1) / kWarpSize),
      registers_(warps_.size() * launch.kernel->register_bytes + 64),
      shared_(launch.kernel->static_shared_bytes + launch.dynamic_shared),
      local_(warps_.size() * kWarpSize * launch.kernel->local_bytes),
      local_written_(local_.size()),
      counts_(launch.kernel->instructions.size()) {
    const auto start = reinterpret_cast<uintptr_t>(registers_.data());
    first_register_ = registers_.data() + ((64 - start % 64) % 64);
    for (size_t w = 0; w < warps_.size(); ++w) {
        warps_[w].block = this;
        warps_[w].index = static_cast<int>(w);
        warps_[w].registers = first_register_ + w * kernel().register_bytes;
        for (const Constant& c : kernel().constants) std::memcpy(warps_[w].registers + c.at, c.lanes.data(), c.lanes.size());
    }
}

void Block::run(uint64_t index) {
    index_ = index;
    at_ = {static_cast<uint32_t>(index % launch_.grid.x), static_cast<uint32_t>(index / launch_.grid.x % launch_.grid.y),
           static_cast<uint32_t>(index / launch_.grid.x / launch_.grid.y)};
    random_ = (Settings::get().seed + index) * 0x9E3779B97F4A7C15ull + 1;
    fenced_ = false;
    acquired_ = 0;
    shared_.clear();
    std::fill(local_.begin(), local_.end(), uint8_t{0xFF});
    std::fill(local_written_.begin(), local_written_.end(), uint8_t{0});
    start_warps();
    for (;;) {
        bool ran = false;
        for (const int w : warp_order()) {
            Warp& warp = warps_[static_cast<size_t>(w)];
            if (warp.state != Warp::State::Ready) continue;
            ran = true;
            warp.run();
            if (launch_.abandoned) return;
        }
        if (std::all_of(warps_.begin(), warps_.end(), [](const Warp& w) { return w.state == Warp::State::Done; })) break;
        if (!release_barriers() && !ran) {
            report_stuck();
            return;
        }
    }
    check_finished();
}

void Block::start_warps() {
    for (Warp& warp : warps_) {
        const uint32_t rest = threads_ - static_cast<uint32_t>(warp.index * kWarpSize);
        warp.start(rest >= kWarpSize ? kAllLanes : (LaneMask{1} << rest) - 1);
        set_special_registers(warp);
    }
    special_registers_set_ = true;
}

namespace {

/// What a special register may depend on.
struct Place {
    Size block, grid, at;
    uint32_t thread, lane, warp, dynamic_shared, all_shared;
    uint32_t bit() const { return uint32_t{1} << lane; }
};
using SpecialRegister = uint32_t (*)(const Place&);

const std::map<std::string, SpecialRegister> kSpecialRegisters = {
    {"tid.x", [](const Place& p) { return p.thread % p.block.x; }},
    {"tid.y", [](const Place& p) { return p.thread / p.block.x % p.block.y; }},
    {"tid.z", [](const Place& p) { return p.thread / p.block.x / p.block.y; }},
    {"ntid.x", [](const Place& p) { return p.block.x; }},
    {"ntid.y", [](const Place& p) { return p.block.y; }},
    {"ntid.z", [](const Place& p) { return p.block.z; }},
    {"ctaid.x", [](const Place& p) { return p.at.x; }},
    {"ctaid.y", [](const Place& p) { return p.at.y; }},
    {"ctaid.z", [](const Place& p) { return p.at.z; }},
    {"nctaid.x", [](const Place& p) { return p.grid.x; }},
    {"nctaid.y", [](const Place& p) { return p.grid.y; }},
    {"nctaid.z", [](const Place& p) { return p.grid.z; }},
    {"laneid", [](const Place& p) { return p.lane; }},
    {"warpid", [](const Place& p) { return p.warp; }},
    {"smid", [](const Place&) { return 0u; }},
    {"nsmid", [](const Place&) { return 1u; }},
    {"clock", [](const Place&) { return 0u; }},
    {"clock64", [](const Place&) { return 0u; }},
    {"globaltimer", [](const Place&) { return 0u; }},
    {"lanemask_eq", [](const Place& p) { return p.bit(); }},
    {"lanemask_lt", [](const Place& p) { return p.bit() - 1; }},
    {"lanemask_le", [](const Place& p) { return p.bit() | (p.bit() - 1); }},
    {"lanemask_gt", [](const Place& p) { return ~(p.bit() | (p.bit() - 1)); }},
    {"lanemask_ge", [](const Place& p) { return ~(p.bit() - 1); }},
    {"dynamic_smem_size", [](const Place& p) { return p.dynamic_shared; }},
    {"total_smem_size", [](const Place& p) { return p.all_shared; }},
};

}  // namespace

void Block::set_special_registers(Warp& warp) {
    for (const auto& [name, at] : kernel().special_registers) {
        if (special_registers_set_ && name.compare(0, 5, "ctaid") != 0) continue;  // the same in every block
        const auto known = kSpecialRegisters.find(name);
        if (known == kSpecialRegisters.end()) throw Unsupported("unknown special register %" + name + " in kernel " + kernel().readable);
        const bool wide = name == "clock64" || name == "globaltimer";
        for (uint32_t l = 0; l < kWarpSize; ++l) {
            const auto w = static_cast<uint32_t>(warp.index);
            const uint32_t value =
                known->second({launch_.block, launch_.grid, at_, w * kWarpSize + l, l, w, launch_.dynamic_shared, shared_.size()});
            if (wide)
                reinterpret_cast<uint64_t*>(warp.registers + at)[l] = value;
            else
                reinterpret_cast<uint32_t*>(warp.registers + at)[l] = value;
        }
    }
}

std::vector<int> Block::warp_order() {
    std::vector<int> order(warps_.size());
    for (size_t w = 0; w < order.size(); ++w) order[w] = static_cast<int>(w);
    if (Settings::get().seed != 0)
        for (size_t w = order.size(); w > 1; --w) {
            random_ = random_ * 6364136223846793005ull + 1442695040888963407ull;
            std::swap(order[w - 1], order[(random_ >> 33) % w]);
        }
    return order;
}

void Block::check_finished() {
    for (Warp& warp : warps_)
        for (int l = 0; l < kWarpSize; ++l)
            if (const auto& copies = warp.copies[static_cast<size_t>(l)]; !copies.empty())
                report(Fault::CopyPending, warp, *copies[0].instruction, l, "cp.async was never waited for: the thread has ended");
}

void Block::report(Fault fault, const Warp& warp, const Instruction& i, int lane, const std::string& message) {
    for (Report& known : reports_)
        if (known.instruction == &i && known.fault == fault && known.block == index_) {
            ++known.times;
            return;
        }
    const uint32_t t = static_cast<uint32_t>(warp.index * kWarpSize + lane);
    const Size& b = launch_.block;
    const auto three = [](uint32_t x, uint32_t y, uint32_t z) {
        return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
    };
    std::string place = "kernel " + kernel().readable + ", block " + three(at_.x, at_.y, at_.z) + ", thread " +
                        three(t % b.x, t / b.x % b.y, t / b.x / b.y) + ", warp " + std::to_string(warp.index) + " lane " +
                        std::to_string(lane);
    if (i.source_line != 0) {
        const auto file = launch_.module->files.find(i.source_file);
        place +=
            "\n    " + (file == launch_.module->files.end() ? std::string("source") : file->second) + ":" + std::to_string(i.source_line);
    }
    reports_.push_back({fault, index_, std::move(place), message, 1, &i});
}

}  // namespace vaccine::ptx
