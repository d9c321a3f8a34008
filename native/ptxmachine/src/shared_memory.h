// Shared memory of one block: the bytes, whether each was written or waits for a copy, and who used it last.
#pragma once
#include <cstdint>
#include <vector>

#include "warp.h"

namespace vaccine::ptx {

/// One use of two bytes: when (the warp's own time, and its lanes' epoch) and by whom.
struct Use {
    uint32_t time = 0;  // 0: none
    uint16_t lane_epoch = 0;
    uint8_t warp = 0;
    uint8_t lane = 0;  // kSeveral: more than one; kAtomic is set for atomic uses
};

class SharedMemory {
public:
    static constexpr uint8_t kWritten = 1, kPending = 2;  // state of a byte
    static constexpr uint8_t kSeveral = 32, kAtomic = 128;
    enum class Race : uint8_t { None, Lanes, Warps };

    explicit SharedMemory(uint32_t bytes);
    /// A new block: 0xFF (NaN), nothing written.
    void clear();

    uint32_t size() const { return size_; }
    uint8_t* data(uint32_t offset) { return &data_[offset]; }
    uint8_t* state(uint32_t offset) { return &state_[offset]; }

    /// Records a use of two or more bytes and says whether an earlier use is not ordered before it. One-byte uses are not followed.
    /// `incoming` are the bytes to be written: lanes of a warp may store the same value in the same place.
    Race use(const Warp& warp, int lane, uint32_t offset, uint32_t bytes, bool write, bool atomic, const uint8_t* incoming, Use& earlier);

private:
    Race conflict(const Use& earlier, const Use& now, const Warp& warp) const;
    Race use_one(const Warp& warp, const Use& now, uint32_t g, bool write, bool same_value, Use& earlier);
    static void note_reader(Use& reader, Use& other, const Use& now);

    uint32_t size_;
    std::vector<uint8_t> data_, state_;
    std::vector<Use> writers_, readers_, other_readers_;  // for each two bytes; other_readers_ is of another warp than readers_
};

}  // namespace vaccine::ptx
