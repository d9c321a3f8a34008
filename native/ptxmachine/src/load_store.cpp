// ld and st of registers and short vectors.
#include <cstring>

#include "block.h"
#include "handlers.h"

namespace nv::ptx {

namespace {

using Addresses = uint64_t[kWarpSize];

void addresses_of(const Warp& w, const Operand& operand, LaneMask lanes, Addresses& addresses) {
    for_lanes(lanes, [&](int l) {
        const uint64_t address = read_lane(w, operand, l) + static_cast<uint64_t>(operand.value);
        addresses[l] = operand.bytes == 4 ? address & 0xFFFFFFFF : address;
    });
}

void count(Warp& w, const Instruction& i, LaneMask lanes, const Addresses& addresses, uint32_t bytes) {
    const uint64_t first = addresses[__builtin_ctz(lanes)];
    const bool shared = i.space == Space::Shared || (i.space == Space::Generic && first - kSharedWindow < kWindowBytes);
    const bool local = i.space == Space::Local || (i.space == Space::Generic && first - kLocalWindow < kWindowBytes);
    if (shared)
        count_shared(w.block->count(i), addresses, lanes, bytes);
    else if (!local && i.space != Space::Const)
        count_global(w.block->count(i), addresses, lanes, bytes);
}

/// The registers that a value of one or more elements goes to or comes from.
const Operand& part(const Operand& value, int k) {
    return value.form == Operand::Form::Vector ? value.parts[static_cast<size_t>(k)] : value;
}

void unpack(Warp& w, const Instruction& i, const Operand& value, int lane, const uint8_t* bytes) {
    const int size = size_of(i.type);
    for (int k = 0; k < i.vector; ++k) {
        uint64_t bits = 0;
        std::memcpy(&bits, bytes + k * size, static_cast<size_t>(size));
        write_lane(w, part(value, k), lane, is_signed(i.type) ? static_cast<uint64_t>(sign_extended(bits, size)) : bits);
    }
}

const uint8_t kNothing[32] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                              0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

}  // namespace

void load(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &value = i.operands[0], &from = i.operands[1];
    const auto bytes = static_cast<uint32_t>(size_of(i.type) * i.vector);
    Addresses addresses;
    addresses_of(w, from, lanes, addresses);
    count(w, i, lanes, addresses, bytes);
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const uint8_t* memory = w.block->access(w, i, l, {i.space, addresses[l], bytes, false, i.strong, nullptr});
        unpack(w, i, value, l, memory == nullptr ? kNothing : memory);
    }
}

void load_parameter(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &value = i.operands[0], &from = i.operands[1];
    const auto bytes = static_cast<uint32_t>(size_of(i.type) * i.vector);
    const std::vector<uint8_t>& parameters = w.block->launch().parameters;
    Addresses addresses;
    addresses_of(w, from, lanes, addresses);
    for_lanes(lanes, [&](int l) {
        if (from.negated) {  // what a called function returned: only vprintf's count
            unpack(w, i, value, l, kNothing);
        } else if (addresses[l] + bytes > parameters.size()) {
            w.block->report(Fault::OutOfBounds, w, i, l, "reads behind the parameters of the kernel");
        } else {
            unpack(w, i, value, l, &parameters[addresses[l]]);
        }
    });
}

void store(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &to = i.operands[0], &value = i.operands[1];
    const int size = size_of(i.type);
    const auto bytes = static_cast<uint32_t>(size * i.vector);
    Addresses addresses;
    addresses_of(w, to, lanes, addresses);
    count(w, i, lanes, addresses, bytes);
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        uint8_t packed[32];
        for (int k = 0; k < i.vector; ++k) {
            const uint64_t bits = read_lane(w, part(value, k), l);
            std::memcpy(packed + k * size, &bits, static_cast<size_t>(size));
        }
        uint8_t* memory = w.block->access(w, i, l, {i.space, addresses[l], bytes, true, i.strong, packed});
        if (memory != nullptr) std::memcpy(memory, packed, bytes);
    }
}

/// Arguments of vprintf and __assertfail lie in the thread's local memory.
void store_call_argument(Warp& w, const Instruction& i, LaneMask lanes) {
    Addresses addresses;
    addresses_of(w, i.operands[0], lanes, addresses);
    const auto bytes = static_cast<uint32_t>(size_of(i.type));
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const uint64_t bits = read_lane(w, i.operands[1], l);
        uint8_t* memory = w.block->access(w, i, l, {Space::Local, addresses[l], bytes, true, false, nullptr});
        if (memory != nullptr) std::memcpy(memory, &bits, bytes);
    }
}

}  // namespace nv::ptx
