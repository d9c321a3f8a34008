// Instructions on bits and predicates.
#include <algorithm>

#include "arithmetic.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

/// A function of one value of any width into 32 bits or the same width.
template <class F> void each_value(const Warp& w, const Instruction& i, LaneMask lanes, F f) {
    for_lanes(lanes, [&](int l) { write_lane(w, i.operands[0], l, f(read_lane(w, i.operands[1], l), 8 * size_of(i.type))); });
}
template <class F> void each_predicate(const Warp& w, const Instruction& i, LaneMask lanes, F f) {
    set_predicate(w, i.operands[0].at, f(predicate_of(w, i.operands[1]), predicate_of(w, i.operands[2])), lanes);
}
template <bool LEFT, bool WRAP> void funnel_shift(const Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    const uint32_t *low = lanes_of<uint32_t>(w, i, 1), *high = lanes_of<uint32_t>(w, i, 2), *by = lanes_of<uint32_t>(w, i, 3);
    for_lanes(lanes, [=](int l) {
        const uint32_t n = WRAP ? by[l] & 31 : std::min(by[l], 32u);
        const uint64_t both = uint64_t{high[l]} << 32 | low[l];
        d[l] = static_cast<uint32_t>(LEFT ? both << n >> 32 : both >> n);
    });
}
uint64_t leading_bit(const Instruction& i, uint64_t value, int bits) {
    if (is_signed(i.type) && sign_extended(value, bits / 8) < 0) value = zero_extended(~value, bits / 8);
    return value == 0 ? 0xFFFFFFFF : 63 - static_cast<uint64_t>(__builtin_clzll(value));
}
template <class Part> void dot_four(const Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    const uint32_t *a = lanes_of<uint32_t>(w, i, 1), *b = lanes_of<uint32_t>(w, i, 2), *c = lanes_of<uint32_t>(w, i, 3);
    for_lanes(lanes, [=](int l) {
        uint32_t sum = c[l];
        for (int k = 0; k < 32; k += 8) sum += static_cast<uint32_t>(static_cast<Part>(a[l] >> k) * static_cast<Part>(b[l] >> k));
        d[l] = sum;
    });
}

}  // namespace

void move(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &d = i.operands[0], &a = i.operands[1];
    if (d.form == Operand::Form::Vector) {
        const int part = size_of(i.type) / static_cast<int>(d.parts.size());
        for_lanes(lanes, [&](int l) {
            uint64_t value = read_lane(w, a, l);
            for (const Operand& each : d.parts) {
                write_lane(w, each, l, zero_extended(value, part));
                value >>= 8 * part;
            }
        });
    } else if (a.form == Operand::Form::Vector) {
        const int part = size_of(i.type) / static_cast<int>(a.parts.size());
        for_lanes(lanes, [&](int l) {
            uint64_t value = 0;
            for (size_t k = 0; k < a.parts.size(); ++k)
                value |= zero_extended(read_lane(w, a.parts[k], l), part) << (8 * part * static_cast<int>(k));
            write_lane(w, d, l, value);
        });
    } else if (d.bytes == 4 && a.bytes == 4) {
        uint32_t* to = lanes_of<uint32_t>(w, d);
        const uint32_t* from = lanes_of<uint32_t>(w, a);
        for_lanes(lanes, [=](int l) { to[l] = from[l]; });
    } else {
        for_lanes(lanes, [&](int l) { write_lane(w, d, l, read_lane(w, a, l)); });
    }
}

void move_predicate(Warp& w, const Instruction& i, LaneMask lanes) {
    set_predicate(w, i.operands[0].at, predicate_of(w, i.operands[1]), lanes);
}
void combine_predicates_and(Warp& w, const Instruction& i, LaneMask lanes) {
    each_predicate(w, i, lanes, [](LaneMask a, LaneMask b) { return a & b; });
}
void combine_predicates_or(Warp& w, const Instruction& i, LaneMask lanes) {
    each_predicate(w, i, lanes, [](LaneMask a, LaneMask b) { return a | b; });
}
void combine_predicates_xor(Warp& w, const Instruction& i, LaneMask lanes) {
    each_predicate(w, i, lanes, [](LaneMask a, LaneMask b) { return a ^ b; });
}
void invert_predicate(Warp& w, const Instruction& i, LaneMask lanes) {
    set_predicate(w, i.operands[0].at, ~predicate_of(w, i.operands[1]), lanes);
}

void funnel_shift_left_wrap(Warp& w, const Instruction& i, LaneMask lanes) {
    funnel_shift<true, true>(w, i, lanes);
}
void funnel_shift_left_clamp(Warp& w, const Instruction& i, LaneMask lanes) {
    funnel_shift<true, false>(w, i, lanes);
}
void funnel_shift_right_wrap(Warp& w, const Instruction& i, LaneMask lanes) {
    funnel_shift<false, true>(w, i, lanes);
}
void funnel_shift_right_clamp(Warp& w, const Instruction& i, LaneMask lanes) {
    funnel_shift<false, false>(w, i, lanes);
}

void count_ones(Warp& w, const Instruction& i, LaneMask lanes) {
    each_value(w, i, lanes, [](uint64_t v, int) { return static_cast<uint64_t>(__builtin_popcountll(v)); });
}
void count_leading_zeros(Warp& w, const Instruction& i, LaneMask lanes) {
    each_value(w, i, lanes, [](uint64_t v, int bits) { return static_cast<uint64_t>(v == 0 ? bits : __builtin_clzll(v) - (64 - bits)); });
}
void reverse_bits(Warp& w, const Instruction& i, LaneMask lanes) {
    each_value(w, i, lanes, [](uint64_t v, int bits) {
        uint64_t reversed = 0;
        for (int b = 0; b < bits; ++b) reversed |= (v >> b & 1) << (bits - 1 - b);
        return reversed;
    });
}
void find_leading_bit(Warp& w, const Instruction& i, LaneMask lanes) {
    each_value(w, i, lanes, [&](uint64_t v, int bits) { return leading_bit(i, v, bits); });
}
void find_leading_bit_shift(Warp& w, const Instruction& i, LaneMask lanes) {
    each_value(w, i, lanes, [&](uint64_t v, int bits) {
        const uint64_t at = leading_bit(i, v, bits);
        return at == 0xFFFFFFFF ? at : static_cast<uint64_t>(bits) - 1 - at;
    });
}

void extract_bits(Warp& w, const Instruction& i, LaneMask lanes) {
    const uint32_t bits = 8 * static_cast<uint32_t>(size_of(i.type));
    for_lanes(lanes, [&](int l) {
        const uint64_t value = read_lane(w, i.operands[1], l);
        const auto first = static_cast<uint32_t>(read_lane(w, i.operands[2], l) & 255),
                   count = static_cast<uint32_t>(read_lane(w, i.operands[3], l) & 255);
        const bool sign = is_signed(i.type) && count != 0 && (value >> std::min(first + count - 1, bits - 1) & 1) != 0;
        uint64_t result = sign ? ~uint64_t{0} : 0;
        for (uint32_t b = 0; b < std::min(count, bits) && first + b < bits; ++b)
            result = (result & ~(uint64_t{1} << b)) | (value >> (first + b) & 1) << b;
        write_lane(w, i.operands[0], l, zero_extended(result, size_of(i.type)));
    });
}
void insert_bits(Warp& w, const Instruction& i, LaneMask lanes) {
    const uint32_t bits = 8 * static_cast<uint32_t>(size_of(i.type));
    for_lanes(lanes, [&](int l) {
        const uint64_t value = read_lane(w, i.operands[1], l);
        uint64_t result = read_lane(w, i.operands[2], l);
        const auto first = static_cast<uint32_t>(read_lane(w, i.operands[3], l) & 255),
                   count = static_cast<uint32_t>(read_lane(w, i.operands[4], l) & 255);
        for (uint32_t b = 0; b < count && b < bits && first + b < bits; ++b)
            result = (result & ~(uint64_t{1} << (first + b))) | (value >> b & 1) << (first + b);
        write_lane(w, i.operands[0], l, result);
    });
}
void permute_bytes(Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    const uint32_t *a = lanes_of<uint32_t>(w, i, 1), *b = lanes_of<uint32_t>(w, i, 2), *selector = lanes_of<uint32_t>(w, i, 3);
    for_lanes(lanes, [=](int l) {
        const uint64_t both = uint64_t{b[l]} << 32 | a[l];
        uint32_t result = 0;
        for (int k = 0; k < 4; ++k) {
            const uint32_t choice = selector[l] >> (4 * k) & 15;
            const auto byte = static_cast<uint8_t>(both >> (8 * (choice & 7)));
            const uint32_t sign = (byte & 0x80) != 0 ? 0xFF : 0;
            result |= ((choice & 8) != 0 ? sign : byte) << (8 * k);
        }
        d[l] = result;
    });
}
/// Bit abc of the table says what three bits a, b and c give.
void lookup_three(Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    const uint32_t *a = lanes_of<uint32_t>(w, i, 1), *b = lanes_of<uint32_t>(w, i, 2), *c = lanes_of<uint32_t>(w, i, 3);
    const auto table = static_cast<uint32_t>(i.operands[4].value);
    for_lanes(lanes, [=](int l) {
        uint32_t result = 0;
        for (uint32_t k = 0; k < 8; ++k) {
            const uint32_t match = ((k & 4) != 0 ? a[l] : ~a[l]) & ((k & 2) != 0 ? b[l] : ~b[l]) & ((k & 1) != 0 ? c[l] : ~c[l]);
            result |= (table >> k & 1) != 0 ? match : 0;
        }
        d[l] = result;
    });
}
void dot_four_signed(Warp& w, const Instruction& i, LaneMask lanes) {
    dot_four<int8_t>(w, i, lanes);
}
void dot_four_unsigned(Warp& w, const Instruction& i, LaneMask lanes) {
    dot_four<uint8_t>(w, i, lanes);
}

namespace {

double float_value(Type type, uint64_t bits) {
    switch (type) {
        case Type::F16:
            return f16_to_float(static_cast<uint16_t>(bits));
        case Type::BF16:
            return bf16_to_float(static_cast<uint16_t>(bits));
        case Type::F32:
            return bits_to<float>(static_cast<uint32_t>(bits));
        default:
            return bits_to<double>(bits);
    }
}

}  // namespace

/// set: all ones (or 1.0) where the comparison holds.
void compare_into_register(Warp& w, const Instruction& i, LaneMask lanes) {
    const uint64_t yes = i.destination == Type::F32    ? 0x3F800000
                         : i.destination == Type::F16  ? 0x3C00
                         : i.destination == Type::BF16 ? 0x3F80
                                                       : 0xFFFFFFFF;
    const int bytes = size_of(i.type);
    for_lanes(lanes, [&](int l) {
        const uint64_t a = read_lane(w, i.operands[1], l), b = read_lane(w, i.operands[2], l);
        const bool holds = is_float(i.type)    ? compare(i.compare, float_value(i.type, a), float_value(i.type, b))
                           : is_signed(i.type) ? compare(i.compare, sign_extended(a, bytes), sign_extended(b, bytes))
                                               : compare(i.compare, a, b);
        write_lane(w, i.operands[0], l, holds ? yes : 0);
    });
}
void select_by_sign(Warp& w, const Instruction& i, LaneMask lanes) {
    for_lanes(lanes, [&](int l) {
        const uint64_t c = read_lane(w, i.operands[3], l);
        const bool first = is_float(i.type) ? float_value(i.type, c) >= 0 : sign_extended(c, size_of(i.type)) >= 0;
        write_lane(w, i.operands[0], l, read_lane(w, i.operands[first ? 1 : 2], l));
    });
}

}  // namespace vaccine::ptx
