// Who used two bytes of global memory last: number of the launch:8, atomic:1, block:23.
#pragma once
#include <cstdint>

namespace vaccine::ptx {

constexpr uint32_t kBlockBits = 0x007FFFFF, kAtomicBit = 0x00800000, kSeveralBlocks = kBlockBits;
constexpr int kEpochShift = 24;

}  // namespace vaccine::ptx
