// Lane-wise arithmetic: one template for one, two and three operands, and the functions it takes.
// A function gets values of the compute type: the integer itself, float for f16 and bf16, and for a packed pair twice.
#pragma once
#include <algorithm>
#include <type_traits>

#include "numbers.h"
#include "warp.h"

namespace vaccine::ptx {

struct F16 {
    uint16_t bits;
};
struct BF16 {
    uint16_t bits;
};
struct F16x2 {
    F16 half[2];
};
struct BF16x2 {
    BF16 half[2];
};

inline float widen(F16 v) {
    return f16_to_float(v.bits);
}
inline float widen(BF16 v) {
    return bf16_to_float(v.bits);
}
template <class T> inline T widen(T v) {
    return v;
}

template <class T> struct Narrow {
    template <class V> static T from(V v) { return static_cast<T>(v); }
};
template <> struct Narrow<F16> {
    static F16 from(float v) { return {float_to_f16(v)}; }
};
template <> struct Narrow<BF16> {
    static BF16 from(float v) { return {float_to_bf16(v)}; }
};

/// Applies F to operands of one lane.
template <class T, class F, class... Values> inline T apply(const F& f, Values... values) {
    if constexpr (std::is_same_v<T, F16x2> || std::is_same_v<T, BF16x2>) {
        using Half = std::remove_reference_t<decltype(T().half[0])>;
        return {{Narrow<Half>::from(f(widen(values.half[0])...)), Narrow<Half>::from(f(widen(values.half[1])...))}};
    } else {
        return Narrow<T>::from(f(widen(values)...));
    }
}

template <class T, class F> void unary(Warp& w, const Instruction& i, LaneMask lanes) {
    T* d = lanes_of<T>(w, i, 0);
    const T* a = lanes_of<T>(w, i, 1);
    const F f{};
    for_lanes(lanes, [=](int l) { d[l] = apply<T>(f, a[l]); });
}
template <class T, class F> void binary(Warp& w, const Instruction& i, LaneMask lanes) {
    T* d = lanes_of<T>(w, i, 0);
    const T *a = lanes_of<T>(w, i, 1), *b = lanes_of<T>(w, i, 2);
    const F f{};
    for_lanes(lanes, [=](int l) { d[l] = apply<T>(f, a[l], b[l]); });
}
template <class T, class F> void ternary(Warp& w, const Instruction& i, LaneMask lanes) {
    T* d = lanes_of<T>(w, i, 0);
    const T *a = lanes_of<T>(w, i, 1), *b = lanes_of<T>(w, i, 2), *c = lanes_of<T>(w, i, 3);
    const F f{};
    for_lanes(lanes, [=](int l) { d[l] = apply<T>(f, a[l], b[l], c[l]); });
}

// fp32 with .ftz, .sat or a rounding mode. The operation is done in double, which is exact for products and nearly so for the rest, and
// rounded once.
inline float finish_careful(const Instruction& i, double value) {
    float result = round_to_float(value, i.rounding);
    if (i.saturate) result = std::isnan(result) ? 0 : std::min(std::max(result, 0.0f), 1.0f);
    if (i.relu) result = result > 0 ? result : 0;
    return i.flush ? flushed(result) : result;
}
template <class F, int OPERANDS> void careful(Warp& w, const Instruction& i, LaneMask lanes) {
    float* d = lanes_of<float>(w, i, 0);
    const auto in = [&](int operand, int l) -> double {
        const float value = lanes_of<float>(w, i, operand)[l];
        return i.flush ? flushed(value) : value;
    };
    const F f{};
    for_lanes(lanes, [&](int l) {
        if constexpr (OPERANDS == 1)
            d[l] = finish_careful(i, f(in(1, l)));
        else if constexpr (OPERANDS == 2)
            d[l] = finish_careful(i, f(in(1, l), in(2, l)));
        else
            d[l] = finish_careful(i, f(in(1, l), in(2, l), in(3, l)));
    });
}

/// A product twice as wide as its factors, and a sum with it (OPERANDS 3).
template <class Wide, class T, int OPERANDS> void multiply_wide(Warp& w, const Instruction& i, LaneMask lanes) {
    Wide* d = lanes_of<Wide>(w, i, 0);
    const T *a = lanes_of<T>(w, i, 1), *b = lanes_of<T>(w, i, 2);
    const Wide* c = OPERANDS == 3 ? lanes_of<Wide>(w, i, 3) : nullptr;
    using Bits = std::make_unsigned_t<Wide>;
    for_lanes(lanes, [=](int l) {
        const Wide product = static_cast<Wide>(a[l]) * static_cast<Wide>(b[l]);
        d[l] = OPERANDS == 3 ? static_cast<Wide>(static_cast<Bits>(product) + static_cast<Bits>(c[l])) : product;
    });
}

/// d = a shifted by b (always 32 bits wide); shifts by the width or more give 0 or the sign.
template <class T, bool LEFT> void shift(Warp& w, const Instruction& i, LaneMask lanes) {
    T* d = lanes_of<T>(w, i, 0);
    const T* a = lanes_of<T>(w, i, 1);
    const uint32_t* b = lanes_of<uint32_t>(w, i, 2);
    constexpr uint32_t kBits = 8 * sizeof(T);
    for_lanes(lanes, [=](int l) {
        const uint32_t n = b[l];
        if (LEFT)
            d[l] = n >= kBits ? T(0) : static_cast<T>(static_cast<std::make_unsigned_t<T>>(a[l]) << n);
        else
            d[l] = n >= kBits ? static_cast<T>(std::is_signed_v<T> && a[l] < 0 ? -1 : 0) : static_cast<T>(a[l] >> n);
    });
}

template <class T> void select(Warp& w, const Instruction& i, LaneMask lanes) {
    const LaneMask chosen = predicate_of(w, i.operands[3]);
    T* d = lanes_of<T>(w, i, 0);
    const T *a = lanes_of<T>(w, i, 1), *b = lanes_of<T>(w, i, 2);
    for_lanes(lanes, [=](int l) { d[l] = (chosen >> l & 1) != 0 ? a[l] : b[l]; });
}

template <class V> inline bool compare(Compare how, V a, V b) {
    const bool unordered = a != a || b != b;
    switch (how) {
        case Compare::Eq:
            return a == b;
        case Compare::Ne:
            return !unordered && a != b;
        case Compare::Lt:
            return a < b;
        case Compare::Le:
            return a <= b;
        case Compare::Gt:
            return a > b;
        case Compare::Ge:
            return a >= b;
        case Compare::Equ:
            return unordered || a == b;
        case Compare::Neu:
            return unordered || a != b;
        case Compare::Ltu:
            return unordered || a < b;
        case Compare::Leu:
            return unordered || a <= b;
        case Compare::Gtu:
            return unordered || a > b;
        case Compare::Geu:
            return unordered || a >= b;
        case Compare::Num:
            return !unordered;
        default:
            return unordered;
    }
}

/// setp: the comparison, combined with a third predicate, into one predicate and its opposite into another.
template <class T> void compare_values(Warp& w, const Instruction& i, LaneMask lanes, const T* a, const T* b) {
    LaneMask result = 0;
    const auto all = [&](auto test) {
        for (int l = 0; l < kWarpSize; ++l) result |= static_cast<LaneMask>(test(widen(a[l]), widen(b[l]))) << l;
    };
    switch (i.compare) {
        case Compare::Eq:
            all([](auto x, auto y) { return x == y; });
            break;
        case Compare::Lt:
            all([](auto x, auto y) { return x < y; });
            break;
        case Compare::Le:
            all([](auto x, auto y) { return x <= y; });
            break;
        case Compare::Gt:
            all([](auto x, auto y) { return x > y; });
            break;
        case Compare::Ge:
            all([](auto x, auto y) { return x >= y; });
            break;
        default:
            all([&](auto x, auto y) { return compare(i.compare, x, y); });
    }
    LaneMask opposite = ~result;
    if (i.combine != Combine::None) {
        const LaneMask third = predicate_of(w, i.operands[3]);
        const auto join = [&](LaneMask mask) {
            return i.combine == Combine::And ? mask & third : i.combine == Combine::Or ? mask | third : mask ^ third;
        };
        result = join(result);
        opposite = join(opposite);
    }
    const Operand& d = i.operands[0];
    if (d.form != Operand::Form::Ignored) set_predicate(w, d.at, result, lanes);
    if (d.has_predicate) set_predicate(w, d.predicate_at, opposite, lanes);
}

template <class T> void compare_lanes(Warp& w, const Instruction& i, LaneMask lanes) {
    compare_values(w, i, lanes, lanes_of<T>(w, i, 1), lanes_of<T>(w, i, 2));
}

struct Add {
    template <class V> V operator()(V a, V b) const { return static_cast<V>(a + b); }
};
struct Subtract {
    template <class V> V operator()(V a, V b) const { return static_cast<V>(a - b); }
};
struct Multiply {
    template <class V> V operator()(V a, V b) const { return static_cast<V>(a * b); }
    uint16_t operator()(uint16_t a, uint16_t b) const { return static_cast<uint16_t>(uint32_t{a} * b); }
};
struct MultiplyAdd {
    template <class V> V operator()(V a, V b, V c) const { return Add()(Multiply()(a, b), c); }
};
struct FusedMultiplyAdd {
    template <class V> V operator()(V a, V b, V c) const { return std::fma(a, b, c); }
};
struct FusedMultiplyAddRelu {
    float operator()(float a, float b, float c) const { return extreme(std::fma(a, b, c), 0.0f, true, true); }
};
template <class Wide> struct MultiplyHigh {
    template <class V> V operator()(V a, V b) const {
        return static_cast<V>(static_cast<Wide>(a) * static_cast<Wide>(b) >> (8 * sizeof(V)));
    }
};
template <class Wide> struct MultiplyHighAdd {
    template <class V> V operator()(V a, V b, V c) const {
        using Bits = std::make_unsigned_t<V>;
        return static_cast<V>(static_cast<Bits>(MultiplyHigh<Wide>()(a, b)) + static_cast<Bits>(c));
    }
};
struct Divide {
    float operator()(float a, float b) const { return a / b; }
    double operator()(double a, double b) const { return a / b; }
    template <class V> V operator()(V a, V b) const {
        if (b == 0) return static_cast<V>(-1);
        if (std::is_signed_v<V> && b == static_cast<V>(-1)) return static_cast<V>(0 - static_cast<std::make_unsigned_t<V>>(a));
        return static_cast<V>(a / b);
    }
};
struct Remainder {
    template <class V> V operator()(V a, V b) const {
        if (b == 0) return a;
        return std::is_signed_v<V> && b == static_cast<V>(-1) ? V(0) : static_cast<V>(a % b);
    }
};
template <bool LARGEST, bool KEEP_NAN = false> struct Extreme {
    template <class V> V operator()(V a, V b) const {
        if constexpr (std::is_floating_point_v<V>)
            return extreme(a, b, LARGEST, KEEP_NAN);
        else
            return (a < b) == LARGEST ? b : a;
    }
};
struct And {
    template <class V> V operator()(V a, V b) const { return a & b; }
};
struct Or {
    template <class V> V operator()(V a, V b) const { return a | b; }
};
struct Xor {
    template <class V> V operator()(V a, V b) const { return a ^ b; }
};
struct Not {
    template <class V> V operator()(V a) const { return static_cast<V>(~a); }
};
struct Negate {
    template <class V> V operator()(V a) const { return static_cast<V>(V(0) - a); }
};
struct Absolute {
    template <class V> V operator()(V a) const { return static_cast<std::make_signed_t<V>>(a) < 0 ? static_cast<V>(V(0) - a) : a; }
};
/// Sign bits of floating-point formats are plain bits: NaN keeps its payload, zero its sign.
template <uint64_t BITS> struct FlipBits {
    template <class V> V operator()(V a) const { return static_cast<V>(a ^ BITS); }
};
template <uint64_t BITS> struct ClearBits {
    template <class V> V operator()(V a) const { return static_cast<V>(a & ~BITS); }
};
struct CopySign {
    uint32_t operator()(uint32_t sign, uint32_t value) const { return (sign & 0x80000000) | (value & 0x7FFFFFFF); }
};

struct Exp2 {
    template <class V> V operator()(V a) const { return std::exp2(a); }
};
struct Log2 {
    template <class V> V operator()(V a) const { return std::log2(a); }
};
struct Reciprocal {
    template <class V> V operator()(V a) const { return 1 / a; }
};
struct SquareRoot {
    template <class V> V operator()(V a) const { return std::sqrt(a); }
};
struct ReciprocalRoot {
    float operator()(float a) const { return static_cast<float>(1 / std::sqrt(static_cast<double>(a))); }
    double operator()(double a) const { return 1 / std::sqrt(a); }
};
struct Sine {
    template <class V> V operator()(V a) const { return std::sin(a); }
};
struct Cosine {
    template <class V> V operator()(V a) const { return std::cos(a); }
};
struct Tangent {
    template <class V> V operator()(V a) const { return std::tanh(a); }
};

}  // namespace vaccine::ptx
