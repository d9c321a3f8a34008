// Roundings for references, written apart from the machine's own: in double, from the definition of the formats.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

struct HalfFormat {
    int digits, lowest_exponent, highest_exponent;

    /// To nearest even.
    uint16_t encode(double value) const {
        const int mantissa_bits = digits - 1;
        const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
        const auto infinity = static_cast<uint16_t>((highest_exponent - lowest_exponent + 2) << mantissa_bits);
        if (std::isnan(value)) return 0x7FFF;
        const double size = std::fabs(value);
        if (std::isinf(value)) return sign | infinity;
        if (size == 0) return sign;
        const int exponent = std::ilogb(size) < lowest_exponent ? lowest_exponent : std::ilogb(size);
        // A carry out of the mantissa moves into the exponent by itself.
        const auto steps = static_cast<int64_t>(std::nearbyint(std::ldexp(size, mantissa_bits - exponent)));
        const int64_t bits = steps + (static_cast<int64_t>(exponent - lowest_exponent) << mantissa_bits);
        return sign | (bits >= infinity ? infinity : static_cast<uint16_t>(bits));
    }
    double decode(uint16_t bits) const {
        const int mantissa_bits = digits - 1, field = (bits & 0x7FFF) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
        double size;
        if (field == highest_exponent - lowest_exponent + 2)
            size = mantissa != 0 ? std::nan("") : std::numeric_limits<double>::infinity();
        else if (field == 0)
            size = std::ldexp(mantissa, lowest_exponent - mantissa_bits);
        else
            size = std::ldexp(mantissa + (1 << mantissa_bits), lowest_exponent - mantissa_bits + field - 1);
        return (bits & 0x8000) != 0 ? -size : size;
    }
};
constexpr HalfFormat kF16{11, -14, 15}, kBf16{8, -126, 127};

inline float toward_zero(double value) {
    const auto nearest = static_cast<float>(value);
    if (std::isinf(nearest) && !std::isinf(value)) return std::copysign(std::numeric_limits<float>::max(), nearest);
    return std::fabs(static_cast<double>(nearest)) > std::fabs(value) ? std::nextafter(nearest, 0.0f) : nearest;
}

/// Saturates; NaN is 0.
template <class T> T integer_of(double value) {
    if (std::isnan(value)) return 0;
    if (value >= std::ldexp(1.0, std::numeric_limits<T>::digits)) return std::numeric_limits<T>::max();
    if (value < static_cast<double>(std::numeric_limits<T>::lowest())) return std::numeric_limits<T>::lowest();
    return static_cast<T>(value);
}
