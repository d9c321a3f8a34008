#include "shared_memory.h"

#include <algorithm>

namespace vaccine::ptx {

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

namespace {

uint64_t word(const Use& use) {
    uint64_t bits;
    static_assert(sizeof bits == sizeof use, "a record is one word");
    std::memcpy(&bits, &use, sizeof bits);
    return bits;
}

/// Whether all have the same record.
bool uniform(const Use* uses, uint32_t count) {
    const uint64_t first = word(uses[0]);
    uint64_t different = 0;
    for (uint32_t k = 1; k < count; ++k) different |= word(uses[k]) ^ first;
    return different == 0;
}

}  // namespace

SharedMemory::Race SharedMemory::conflict(const Use& earlier, const Use& now, const Warp& warp) const {
    if (earlier.time == 0 || ((earlier.lane & now.lane & kAtomic) != 0)) return Race::None;
    if (earlier.warp != now.warp) return warp.clock[earlier.warp] >= earlier.time ? Race::None : Race::Warps;
    const bool same_lane = (earlier.lane & 63) == (now.lane & 63);
    return same_lane || earlier.lane_epoch != now.lane_epoch ? Race::None : Race::Lanes;
}

/// What a read makes of the records of the readers.
void SharedMemory::note_reader(Use& reader, Use& other, const Use& now) {
    const bool same_warp = reader.warp == now.warp && reader.time == now.time && reader.lane_epoch == now.lane_epoch;
    if (reader.time != 0 && same_warp && reader.lane != now.lane) {
        reader.lane = kSeveral;
        return;
    }
    if (reader.time != 0 && reader.warp != now.warp) other = reader;
    reader = now;
}

SharedMemory::Race SharedMemory::use_one(const Warp& warp, const Use& now, uint32_t g, bool write, bool same_value, Use& earlier) {
    const auto meet = [&](const Use& use) {
        const Race race = conflict(use, now, warp);
        if (race != Race::None) earlier = use;
        return race;
    };
    Race race = meet(writers_[g]);
    if (race == Race::Lanes && write && same_value) race = Race::None;
    if (!write) {
        note_reader(readers_[g], other_readers_[g], now);
        return race;
    }
    if (race == Race::None) race = meet(readers_[g]);
    if (race == Race::None) race = meet(other_readers_[g]);
    writers_[g] = now;
    readers_[g] = other_readers_[g] = Use();
    return race;
}

SharedMemory::Race SharedMemory::use(const Warp& warp, int lane, uint32_t offset, uint32_t bytes, bool write, bool atomic,
                                     const uint8_t* incoming, Use& earlier) {
    const auto me = static_cast<size_t>(warp.index);
    const Use now{warp.clock[me], warp.lane_epoch, static_cast<uint8_t>(warp.index), static_cast<uint8_t>(lane | (atomic ? kAtomic : 0))};
    const uint32_t first = offset / 2, count = (offset + bytes) / 2 - first;
    Use *writers = &writers_[first], *readers = &readers_[first], *others = &other_readers_[first];
    const bool same_value = incoming != nullptr && std::equal(incoming, incoming + bytes, &data_[offset]);
    // Bytes that were always used together have equal records: one look is enough.
    if (uniform(writers, count) && uniform(readers, count) && uniform(others, count)) {
        const Race race = use_one(warp, now, first, write, same_value, earlier);
        if (write) std::fill(writers + 1, writers + count, *writers);
        std::fill(readers + 1, readers + count, *readers);
        std::fill(others + 1, others + count, *others);
        return race;
    }
    for (uint32_t g = first; g < first + count; ++g)
        if (const Race race = use_one(warp, now, g, write, same_value, earlier); race != Race::None) return race;
    return Race::None;
}

}  // namespace vaccine::ptx
