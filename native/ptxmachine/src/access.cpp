// Checks of every access: alignment, bounds, freed memory, bytes never written, copies under way, races.
#include <algorithm>
#include <cstdio>

#include "block.h"
#include "race_record.h"
#include "shadow.h"

namespace vaccine::ptx {

namespace {

std::string describe(const Access& a, const char* what) {
    char text[160];
    std::snprintf(text, sizeof text, "%s of %u bytes at %s 0x%llx%s",
                  a.atomic  ? "atomic"
                  : a.write ? "write"
                            : "read",
                  a.bytes, name_of(a.space), static_cast<unsigned long long>(a.address), what);
    return text;
}

}  // namespace

uint8_t* Block::access(Warp& warp, const Instruction& i, int lane, const Access& access) {
    Access a = access;
    if (a.space == Space::Generic) {
        const bool in_shared = a.address - kSharedWindow < kWindowBytes, in_local = a.address - kLocalWindow < kWindowBytes;
        a.space = in_shared ? Space::Shared : in_local ? Space::Local : Space::Global;
        a.address -= in_shared ? kSharedWindow : in_local ? kLocalWindow : 0;
    }
    if (a.address % a.bytes != 0) {
        report(Fault::Misaligned, warp, i, lane, describe(a, (": not a multiple of " + std::to_string(a.bytes)).c_str()));
        return nullptr;
    }
    if (a.space == Space::Shared) return access_shared(warp, i, lane, a);
    if (a.space == Space::Local) return access_local(warp, i, lane, a);
    return access_global(warp, i, lane, a);
}

uint8_t* Block::access_shared(Warp& warp, const Instruction& i, int lane, const Access& a) {
    if (a.address + a.bytes > shared_.size()) {
        report(Fault::OutOfBounds, warp, i, lane, describe(a, (": the block has " + std::to_string(shared_.size()) + " bytes").c_str()));
        return nullptr;
    }
    const auto offset = static_cast<uint32_t>(a.address);
    uint8_t* state = shared_.state(offset);
    const bool whole = all_set(state, a.bytes);
    if (!whole && std::any_of(state, state + a.bytes, [](uint8_t s) { return (s & SharedMemory::kPending) != 0; }))
        report(Fault::CopyPending, warp, i, lane, describe(a, ": a cp.async to this place has not been waited for"));
    else if ((!a.write || a.atomic) && !whole)
        report(Fault::NeverWritten, warp, i, lane, describe(a, ": never written"));
    if (races_ && a.bytes > 1) {
        Use earlier;
        const SharedMemory::Race race = shared_.use(warp, lane, offset, a.bytes, a.write, a.atomic, a.incoming, earlier);
        if (race != SharedMemory::Race::None) report_shared_race(warp, i, lane, a, race == SharedMemory::Race::Lanes, earlier);
    }
    if (a.write && !whole) std::fill(state, state + a.bytes, SharedMemory::kWritten);
    return shared_.data(offset);
}

void Block::report_shared_race(Warp& warp, const Instruction& i, int lane, const Access& a, bool between_lanes, const Use& earlier) {
    const int other = earlier.lane & 63;
    const std::string by = ": not ordered after a use by warp " + std::to_string(earlier.warp) +
                           (other < kWarpSize ? " lane " + std::to_string(other) : "") +
                           (between_lanes ? " (no __syncwarp between)" : " (no barrier between)");
    report(between_lanes ? Fault::LaneRace : Fault::SharedRace, warp, i, lane, describe(a, by.c_str()));
}

uint8_t* Block::access_local(Warp& warp, const Instruction& i, int lane, const Access& a) {
    const uint64_t bytes = kernel().local_bytes;
    if (a.address + a.bytes > bytes) {
        report(Fault::OutOfBounds, warp, i, lane, describe(a, (": a thread has " + std::to_string(bytes) + " bytes").c_str()));
        return nullptr;
    }
    const size_t at = (static_cast<size_t>(warp.index) * kWarpSize + static_cast<size_t>(lane)) * bytes + a.address;
    if (a.write)
        std::fill(&local_written_[at], &local_written_[at] + a.bytes, uint8_t{1});
    else if (!all_set(&local_written_[at], a.bytes))
        report(Fault::NeverWritten, warp, i, lane, describe(a, ": never written"));
    return &local_[at];
}

/// The live allocation that holds all of the bytes; nullptr when there is none.
const Block::Recent* Block::live_allocation(uint64_t address, uint32_t bytes) {
    const auto holds = [=](const Recent& r) { return address >= r.address && address + bytes <= r.address + r.bytes; };
    if (holds(recent_[0])) return recent_.data();
    const auto known = std::find_if(recent_.begin() + 1, recent_.end(), holds);
    if (known != recent_.end()) {
        std::swap(recent_[0], *known);
        return recent_.data();
    }
    const Allocation* found = memory_.find(address);
    if (found == nullptr || found->freed || address + bytes > found->address + found->bytes) return nullptr;
    std::rotate(recent_.begin(), recent_.end() - 1, recent_.end());
    recent_[0] = {found->address, found->bytes, found->writable};
    return recent_.data();
}

uint8_t* Block::access_global(Warp& warp, const Instruction& i, int lane, const Access& a) {
    const Recent* allocation = live_allocation(a.address, a.bytes);
    if (allocation == nullptr) {
        const Allocation* found = memory_.find(a.address);
        if (found != nullptr && found->freed && a.address + a.bytes <= found->address + found->bytes) {
            report(Fault::UseAfterFree, warp, i, lane, describe(a, ": the allocation was freed"));
            return nullptr;
        }
        std::string where = ": no allocation is near";
        if (found != nullptr)
            where = ": " + std::to_string(a.address - found->address) + " bytes into " +
                    (found->name.empty() ? std::string("an allocation") : found->name) + " of " + std::to_string(found->bytes);
        report(Fault::OutOfBounds, warp, i, lane, describe(a, where.c_str()));
        return nullptr;
    }
    if (a.write && !allocation->writable) {
        report(Fault::ReadOnly, warp, i, lane, describe(a, ": constant memory"));
        return nullptr;
    }
    uint8_t* written = memory_.written(a.address);
    const bool whole = all_set(written, a.bytes);
    if ((!a.write || a.atomic) && !whole)
        report(Fault::NeverWritten, warp, i, lane,
               describe(a, (": never written, " + std::to_string(a.address - allocation->address) + " bytes into an allocation of " +
                            std::to_string(allocation->bytes))
                               .c_str()));
    if (races_ && a.bytes > 1 && allocation->writable) check_global_race(warp, i, lane, a, allocation->address);
    if (a.write && !whole) std::fill(written, written + a.bytes, uint8_t{1});
    return memory_.host(a.address);
}

/// A record is epoch:8, atomic:1, block:23. Other threads write records at the same time: any of them is as good.
void Block::check_global_race(Warp& warp, const Instruction& i, int lane, const Access& a, uint64_t start) {
    if (!a.atomic && global_row_ordered(a.address, a.bytes, a.write)) return;
    const uint32_t me = static_cast<uint32_t>(index_) % kSeveralBlocks;
    const uint32_t now = launch_.epoch << 24 | (a.atomic ? kAtomicBit : 0) | me;
    uint32_t *writers = memory_.writers(a.address), *readers = memory_.readers(a.address);
    const auto conflicts = [&](uint32_t record) {
        const uint32_t other = record & kBlockBits;
        if (record >> 24 != launch_.epoch || other == me || (record & now & kAtomicBit) != 0) return false;
        if (other == kSeveralBlocks) return true;
        const uint32_t released = launch_.released[other % launch_.released.size()].load(std::memory_order_relaxed);
        return released == 0 || released > acquired_;
    };
    for (uint32_t g = 0; g < a.bytes / 2; ++g) {
        const uint32_t writer = __atomic_load_n(&writers[g], __ATOMIC_RELAXED), reader = __atomic_load_n(&readers[g], __ATOMIC_RELAXED);
        if (writer == now && (a.write || reader == now)) continue;
        const bool race = conflicts(writer) || (a.write && conflicts(reader));
        if (race) {
            const uint32_t other = (conflicts(writer) ? writer : reader) & kBlockBits;
            report(Fault::GlobalRace, warp, i, lane,
                   describe(a, (": not ordered after a use by " +
                                (other == kSeveralBlocks ? "other blocks" : "block number " + std::to_string(other)) + " of this launch, " +
                                std::to_string(a.address - start) + " bytes into an allocation")
                                   .c_str()));
            return;
        }
        const bool shared = reader >> 24 == launch_.epoch && (reader & kBlockBits) != me;
        if (a.write)
            __atomic_store_n(&writers[g], now, __ATOMIC_RELAXED);
        else
            __atomic_store_n(&readers[g], shared ? (launch_.epoch << 24 | kSeveralBlocks) : now, __ATOMIC_RELAXED);
    }
}

void Block::note_atomic() {
    const uint32_t now = launch_.sequence.fetch_add(1);
    if (fenced_) launch_.released[index_ % launch_.released.size()].store(now);
    acquired_ = now;
}

}  // namespace vaccine::ptx
