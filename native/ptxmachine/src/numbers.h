// Bits of floating-point numbers: 16-bit formats, flushing, rounding in a given direction.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace vaccine::ptx {

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };

template <class To, class From> inline To bits_to(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same number of bits");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

inline float f16_to_float(uint16_t bits) {
    return static_cast<float>(bits_to<_Float16>(bits));
}
inline uint16_t float_to_f16(float value) {
    return std::isnan(value) ? 0x7FFF : bits_to<uint16_t>(static_cast<_Float16>(value));
}
inline float bf16_to_float(uint16_t bits) {
    return bits_to<float>(static_cast<uint32_t>(bits) << 16);
}
/// To nearest even; the card gives 0x7FFF for every NaN.
inline uint16_t float_to_bf16(float value) {
    const uint32_t bits = bits_to<uint32_t>(value);
    const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    return static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FFF : rounded);
}
inline uint16_t float_to_bf16(float value, Rounding rounding) {
    if (rounding == Rounding::Zero && !std::isnan(value)) return static_cast<uint16_t>(bits_to<uint32_t>(value) >> 16);
    return float_to_bf16(value);
}

inline int64_t sign_extended(uint64_t value, int bytes) {
    const int shift = 64 - 8 * bytes;
    return static_cast<int64_t>(value << shift) >> shift;
}
inline uint64_t zero_extended(uint64_t value, int bytes) {
    return bytes == 8 ? value : value & ((uint64_t{1} << (8 * bytes)) - 1);
}

/// Subnormals become zero of the same sign (.ftz).
inline float flushed(float value) {
    const uint32_t bits = bits_to<uint32_t>(value);
    return (bits & 0x7F800000) == 0 ? bits_to<float>(bits & 0x80000000) : value;
}

inline float round_to_float(double value, Rounding rounding) {
    const float nearest = static_cast<float>(value);
    if (rounding == Rounding::Nearest || std::isnan(value) || std::isinf(value)) return nearest;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const double got = nearest;
    if (rounding == Rounding::Zero) return std::fabs(got) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
    if (rounding == Rounding::Down) return got > value ? std::nextafter(nearest, -kInfinity) : nearest;
    return got < value ? std::nextafter(nearest, kInfinity) : nearest;
}
inline double round_to_integer(double value, Rounding rounding) {
    switch (rounding) {
        case Rounding::Zero:
            return std::trunc(value);
        case Rounding::Down:
            return std::floor(value);
        case Rounding::Up:
            return std::ceil(value);
        default:
            return std::nearbyint(value);
    }
}

/// The smaller or larger of two; one NaN is ignored, or with `keep_nan` returned. -0 is below +0.
template <class T> inline T extreme(T a, T b, bool largest, bool keep_nan) {
    if (a != a || b != b) return keep_nan ? std::numeric_limits<T>::quiet_NaN() : a != a ? b : a;
    if (a == b) return std::signbit(a) == largest ? b : a;
    return (a > b) == largest ? a : b;
}

}  // namespace vaccine::ptx
