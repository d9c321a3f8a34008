// The same checks as in access.cpp for the most common access, 32 lanes that use neighbouring places: in loops that the compiler makes
// vectors of. They find out whether all is well; what is wrong is left to the checks of single lanes, which say so.
#include <algorithm>

#include "block.h"
#include "race_record.h"
#include "shadow.h"

namespace vaccine::ptx {

uint8_t* Block::access_row(const Warp& warp, Space space, uint64_t address, uint32_t bytes, bool write) {
    if (space == Space::Generic) {
        if (address - kLocalWindow < kWindowBytes) return nullptr;
        space = address - kSharedWindow < kWindowBytes ? Space::Shared : Space::Global;
        if (space == Space::Shared) address -= kSharedWindow;
    }
    if (space == Space::Local || address % bytes != 0) return nullptr;
    return space == Space::Shared ? shared_row(warp, address, bytes, write) : global_row(address, bytes, write);
}

uint8_t* Block::shared_row(const Warp& warp, uint64_t address, uint32_t bytes, bool write) {
    const uint32_t all = bytes * kWarpSize;
    if (address + all > shared_.size()) return nullptr;
    const auto offset = static_cast<uint32_t>(address);
    uint8_t* state = shared_.state(offset);
    const bool whole = all_set(state, all);
    if (!whole && (!write || std::any_of(state, state + all, [](uint8_t s) { return (s & SharedMemory::kPending) != 0; }))) return nullptr;
    if (races_ && bytes > 1) {
        Use earlier;
        for (int lane = 0; lane < kWarpSize; ++lane) {
            const uint32_t at = offset + static_cast<uint32_t>(lane) * bytes;
            // Asking again for a lane that has been recorded changes nothing.
            if (shared_.use(warp, lane, at, bytes, write, false, nullptr, earlier) != SharedMemory::Race::None) return nullptr;
        }
    }
    if (write && !whole) std::fill(state, state + all, SharedMemory::kWritten);
    return shared_.data(offset);
}

uint8_t* Block::global_row(uint64_t address, uint32_t bytes, bool write) {
    const uint32_t all = bytes * kWarpSize;
    const Recent* allocation = live_allocation(address, all);
    if (allocation == nullptr || (write && !allocation->writable)) return nullptr;
    uint8_t* written = memory_.written(address);
    const bool whole = all_set(written, all);
    if (!write && !whole) return nullptr;
    if (races_ && bytes > 1 && allocation->writable && !global_row_ordered(address, all, write)) return nullptr;
    if (write && !whole) std::fill(written, written + all, uint8_t{1});
    return memory_.host(address);
}

/// Whether no other block has a part in these bytes; then they are recorded as used by this one. Other threads write records at the same
/// time: any of them is as good.
bool Block::global_row_ordered(uint64_t address, uint32_t all, bool write) {
    const uint32_t epoch = launch_.epoch, me = static_cast<uint32_t>(index_) % kSeveralBlocks, now = epoch << kEpochShift | me;
    uint32_t *writers = memory_.writers(address), *readers = memory_.readers(address);
    const auto foreign = [=](uint32_t record) -> uint32_t {
        return static_cast<uint32_t>(record >> kEpochShift == epoch) & static_cast<uint32_t>((record & kBlockBits) != me);
    };
    uint32_t conflict = 0;
    for (uint32_t g = 0; g < all / 2; ++g) conflict |= foreign(writers[g]);
    if (write)
        for (uint32_t g = 0; g < all / 2; ++g) conflict |= foreign(readers[g]);
    if (conflict != 0) return false;
    if (write) {
        std::fill(writers, writers + all / 2, now);
        return true;
    }
    const uint32_t several = epoch << kEpochShift | kSeveralBlocks;
    for (uint32_t g = 0; g < all / 2; ++g) readers[g] = foreign(readers[g]) != 0 ? several : now;
    return true;
}

}  // namespace vaccine::ptx
