#pragma once
#include <cstdint>
#include <cstring>

namespace vaccine {

// bfloat16 is the upper half of an fp32. These have internal linkage because files compiled for different instruction sets include them:
// the linker must not pick one file's copy for all.

static inline float bf16_to_float(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// Rounds to nearest, ties to even. A NaN stays one, made quiet.
static inline uint16_t bf16_from_float(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace vaccine
