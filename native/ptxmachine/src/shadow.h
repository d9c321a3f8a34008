// Flags of neighbouring bytes, one byte each, 1 meaning "written and nothing else". Looked at eight at a time: every access asks.
#pragma once
#include <cstdint>
#include <cstring>

namespace vaccine::ptx {

/// Whether all are exactly 1.
inline bool all_set(const uint8_t* flags, uint32_t bytes) {
    constexpr uint64_t kOnes = 0x0101010101010101ull;
    uint64_t different = 0;
    for (; bytes >= 8; bytes -= 8, flags += 8) {
        uint64_t word;
        std::memcpy(&word, flags, 8);
        different |= word ^ kOnes;
    }
    if ((bytes & 4) != 0) {
        uint32_t word;
        std::memcpy(&word, flags, 4);
        different |= word ^ static_cast<uint32_t>(kOnes);
        flags += 4;
    }
    for (bytes &= 3; bytes > 0; --bytes) different |= *flags++ ^ 1u;
    return different == 0;
}

}  // namespace vaccine::ptx
