// cvt, and addresses from one state space to another.
#include <algorithm>

#include "arithmetic.h"
#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

double as_double(Type type, uint64_t bits) {
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

uint64_t float_to_integer(Type to, double value, Rounding rounding) {
    const int bits = 8 * size_of(to);
    if (std::isnan(value)) return is_signed(to) || bits < 64 ? 0 : uint64_t{1} << 63;
    const double rounded = round_to_integer(value, rounding);
    if (!is_signed(to)) {
        if (rounded <= 0) return 0;
        return rounded >= std::ldexp(1.0, bits) ? zero_extended(~uint64_t{0}, bits / 8) : static_cast<uint64_t>(rounded);
    }
    const double limit = std::ldexp(1.0, bits - 1);
    if (rounded >= limit) return (uint64_t{1} << (bits - 1)) - 1;
    if (rounded < -limit) return static_cast<uint64_t>(-1) << (bits - 1);
    return static_cast<uint64_t>(static_cast<int64_t>(rounded));
}

uint64_t from_double(const Instruction& i, double value) {
    switch (i.destination) {
        case Type::F64:
            return bits_to<uint64_t>(value);
        case Type::F16:
            return float_to_f16(static_cast<float>(value));
        case Type::BF16:
            return float_to_bf16(static_cast<float>(value), i.rounding);
        case Type::TF32:
            return (bits_to<uint32_t>(static_cast<float>(value)) + 0x1000) & 0xFFFFE000;
        default: {
            const float result = round_to_float(value, i.to_integer ? Rounding::Nearest : i.rounding);
            return bits_to<uint32_t>(i.flush ? flushed(result) : result);
        }
    }
}

uint64_t integer_to_integer(const Instruction& i, int64_t value) {
    const int bits = 8 * size_of(i.destination);
    if (i.saturate) {
        const int64_t lowest = is_signed(i.destination) ? INT64_MIN >> (64 - bits) : 0;
        const int64_t highest = is_signed(i.destination) ? INT64_MAX >> (64 - bits) : bits == 64 ? INT64_MAX : (int64_t{1} << bits) - 1;
        value = std::min(std::max(value, lowest), highest);
    }
    return static_cast<uint64_t>(value);
}

uint64_t convert_value(const Instruction& i, uint64_t bits) {
    const Type from = i.type, to = i.destination;
    if (is_float(from)) {
        double value = as_double(from, bits);
        if (i.flush && from == Type::F32) value = flushed(static_cast<float>(value));
        if (!is_float(to) && to != Type::TF32) return float_to_integer(to, value, i.rounding);
        if (i.to_integer) value = round_to_integer(value, i.rounding);
        if (i.saturate) value = std::isnan(value) ? 0 : std::min(std::max(value, 0.0), 1.0);
        if (i.relu && !(value > 0) && !std::isnan(value)) value = 0;
        return from_double(i, value);
    }
    const int64_t value = is_signed(from) ? sign_extended(bits, size_of(from)) : static_cast<int64_t>(zero_extended(bits, size_of(from)));
    if (!is_float(to)) return integer_to_integer(i, value);
    const auto unsigned_value = static_cast<uint64_t>(value);
    if (to == Type::F32 && i.rounding == Rounding::Nearest)
        return bits_to<uint32_t>(is_signed(from) ? static_cast<float>(value) : static_cast<float>(unsigned_value));
    return from_double(i, is_signed(from) ? static_cast<double>(value) : static_cast<double>(unsigned_value));
}

}  // namespace

void convert(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &d = i.operands[0], &a = i.operands[1];
    if (i.destination == Type::S64 && i.type == Type::S32) {
        int64_t* to = lanes_of<int64_t>(w, d);
        const int32_t* from = lanes_of<int32_t>(w, a);
        for_lanes(lanes, [=](int l) { to[l] = from[l]; });
        return;
    }
    const int bytes = size_of(i.destination);
    for_lanes(lanes, [&](int l) {
        const uint64_t value = convert_value(i, read_lane(w, a, l));
        write_lane(w, d, l, is_signed(i.destination) ? static_cast<uint64_t>(sign_extended(value, bytes)) : zero_extended(value, bytes));
    });
}

/// Two floats into a packed pair: the first becomes the upper half.
void convert_pair(Warp& w, const Instruction& i, LaneMask lanes) {
    uint32_t* d = lanes_of<uint32_t>(w, i, 0);
    const float *upper = lanes_of<float>(w, i, 1), *lower = lanes_of<float>(w, i, 2);
    const auto half = [&](float value) -> uint32_t {
        if (i.relu && value <= 0) value = 0;
        return i.destination == Type::BF16x2 ? float_to_bf16(value, i.rounding) : float_to_f16(value);
    };
    for_lanes(lanes, [&](int l) { d[l] = half(upper[l]) << 16 | half(lower[l]); });
}

namespace {

uint64_t window(Space space) {
    return space == Space::Shared ? kSharedWindow : space == Space::Local ? kLocalWindow : 0;
}

}  // namespace

void convert_address(Warp& w, const Instruction& i, LaneMask lanes) {
    for_lanes(lanes, [&](int l) { write_lane(w, i.operands[0], l, read_lane(w, i.operands[1], l) + window(i.space)); });
}
void convert_address_to(Warp& w, const Instruction& i, LaneMask lanes) {
    for_lanes(lanes, [&](int l) { write_lane(w, i.operands[0], l, read_lane(w, i.operands[1], l) - window(i.space)); });
}
void test_space(Warp& w, const Instruction& i, LaneMask lanes) {
    LaneMask result = 0;
    for_lanes(lanes, [&](int l) {
        const uint64_t address = read_lane(w, i.operands[1], l);
        const bool shared = address - kSharedWindow < kWindowBytes, local = address - kLocalWindow < kWindowBytes;
        const bool is = i.space == Space::Shared ? shared : i.space == Space::Local ? local : !shared && !local;
        result |= static_cast<LaneMask>(is) << l;
    });
    set_predicate(w, i.operands[0].at, result, lanes);
}

}  // namespace vaccine::ptx
