#include "shared_memory.h"

#include <algorithm>

namespace nv::ptx {

SharedMemory::SharedMemory(uint32_t bytes)
    : size_(bytes),
      data_(bytes + 16),
      state_(bytes + 16),
      writers_(bytes / 2 + 8),
      readers_(bytes / 2 + 8),
      other_readers_(bytes / 2 + 8) {}

void SharedMemory::clear() {
    std::fill(data_.begin(), data_.end(), uint8_t{0xFF});
    std::fill(state_.begin(), state_.end(), uint8_t{0});
    for (auto* uses : {&writers_, &readers_, &other_readers_}) std::fill(uses->begin(), uses->end(), Use());
}

SharedMemory::Race SharedMemory::conflict(const Use& earlier, const Use& now, const Warp& warp) const {
    if (earlier.time == 0 || ((earlier.lane & now.lane & kAtomic) != 0)) return Race::None;
    if (earlier.warp != now.warp) return warp.clock[earlier.warp] >= earlier.time ? Race::None : Race::Warps;
    const bool same_lane = (earlier.lane & 63) == (now.lane & 63);
    return same_lane || earlier.lane_epoch != now.lane_epoch ? Race::None : Race::Lanes;
}

SharedMemory::Race SharedMemory::use(const Warp& warp, int lane, uint32_t offset, uint32_t bytes, bool write, bool atomic,
                                     const uint8_t* incoming, Use& earlier) {
    const auto me = static_cast<size_t>(warp.index);
    const Use now{warp.clock[me], warp.lane_epoch, static_cast<uint8_t>(warp.index), static_cast<uint8_t>(lane | (atomic ? kAtomic : 0))};
    const auto meet = [&](const Use& use) {
        const Race race = conflict(use, now, warp);
        if (race != Race::None) earlier = use;
        return race;
    };
    for (uint32_t g = offset / 2; g < (offset + bytes) / 2; ++g) {
        Use& writer = writers_[g];
        Use& reader = readers_[g];
        Race race = meet(writer);
        if (race == Race::Lanes && write && incoming != nullptr && std::equal(incoming, incoming + bytes, &data_[offset]))
            race = Race::None;
        if (write) {
            if (race == Race::None) race = meet(reader);
            if (race == Race::None) race = meet(other_readers_[g]);
            writer = now;
            reader = other_readers_[g] = Use();
        } else {
            const bool same_warp = reader.warp == now.warp && reader.time == now.time && reader.lane_epoch == now.lane_epoch;
            if (reader.time != 0 && same_warp && reader.lane != now.lane)
                reader.lane = kSeveral;
            else {
                if (reader.time != 0 && reader.warp != now.warp) other_readers_[g] = reader;
                reader = now;
            }
        }
        if (race != Race::None) return race;
    }
    return Race::None;
}

}  // namespace nv::ptx
