// cp.async: the destination is closed from issue to wait. The bytes land at the wait (as late as is legal) or at issue (as early).
#include <algorithm>
#include <cstring>

#include "block.h"
#include "handlers.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

void land(Warp& w, const Copy& copy) {
    uint8_t* to = w.block->shared().data(copy.to);
    if (copy.source_bytes == 16) {  // almost always: one vector register
        std::memcpy(to, DeviceMemory::get().host(copy.from), 16);
        return;
    }
    std::memcpy(to, DeviceMemory::get().host(copy.from), copy.source_bytes);
    std::memset(to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

/// Only the first `source` bytes are read; the rest becomes zero.
bool readable(Warp& w, const Instruction& i, int lane, uint64_t from, uint32_t source, uint32_t bytes) {
    const uint32_t piece = source == bytes ? bytes : 1;
    for (uint32_t k = 0; k < source; k += piece)
        if (w.block->access(w, i, lane, {Space::Global, from + k, piece, false, false, nullptr}) == nullptr) return false;
    return true;
}

/// Ends the copies that `over` names: the bytes are there, written by this lane now.
template <class Over> void finish(Warp& w, LaneMask lanes, Over over) {
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        auto& pending = w.copies[static_cast<size_t>(l)];
        // They stand in the order of their groups: what is over comes first.
        const auto kept = std::find_if(pending.begin(), pending.end(), [&](const Copy& c) { return !over(c, l); });
        for (auto copy = pending.begin(); copy != kept; ++copy) {
            uint8_t* state = w.block->shared().state(copy->to);
            std::fill(state, state + copy->bytes, uint8_t{0});
            if (!Settings::get().early_copies) land(w, *copy);
            w.block->access(w, *copy->instruction, l, {Space::Shared, copy->to, copy->bytes, true, false, nullptr});
        }
        pending.erase(pending.begin(), kept);
    }
}

}  // namespace

void cp_async(Warp& w, const Instruction& i, LaneMask lanes) {
    const auto bytes = static_cast<uint32_t>(i.operands[2].value);
    uint64_t from[kWarpSize], to[kWarpSize];
    LaneMask reading = 0;
    for_lanes(lanes, [&](int l) {
        to[l] = read_lane(w, i.operands[0], l) + static_cast<uint64_t>(i.operands[0].value);
        from[l] = read_lane(w, i.operands[1], l) + static_cast<uint64_t>(i.operands[1].value);
        const bool ignored = i.operands.size() > 3 && read_lane(w, i.operands[3], l) == 0;
        reading |= static_cast<LaneMask>(!ignored) << l;
    });
    if (reading != 0) count_global(w.block->count(i), from, reading, bytes);
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        uint32_t source = bytes;
        if (i.operands.size() > 3) source = std::min(bytes, static_cast<uint32_t>(read_lane(w, i.operands[3], l)));
        uint8_t* destination = w.block->access(w, i, l, {Space::Shared, to[l], bytes, true, false, nullptr});
        if (destination == nullptr) continue;
        if (from[l] % bytes != 0) {
            w.block->report(Fault::Misaligned, w, i, l, "cp.async from an address that is no multiple of " + std::to_string(bytes));
            continue;
        }
        if (!readable(w, i, l, from[l], source, bytes)) continue;
        const Copy copy{static_cast<uint32_t>(to[l]), from[l], bytes, source, w.copy_group[static_cast<size_t>(l)], &i};
        std::memset(destination, 0xFF, bytes);
        if (Settings::get().early_copies) land(w, copy);
        uint8_t* state = w.block->shared().state(copy.to);
        std::fill(state, state + bytes, SharedMemory::kPending);
        w.copies[static_cast<size_t>(l)].push_back(copy);
    }
}

void cp_async_commit(Warp& w, const Instruction&, LaneMask lanes) {
    for_lanes(lanes, [&](int l) { ++w.copy_group[static_cast<size_t>(l)]; });
}

/// All groups but the latest n are over.
void wait_copies(Warp& w, const Instruction& i, LaneMask lanes) {
    const auto allowed = static_cast<uint32_t>(i.operands[0].value);
    finish(w, lanes, [&](const Copy& c, int l) { return c.group + allowed < w.copy_group[static_cast<size_t>(l)]; });
}
void wait_all_copies(Warp& w, const Instruction&, LaneMask lanes) {
    finish(w, lanes, [](const Copy&, int) { return true; });
}

}  // namespace vaccine::ptx
