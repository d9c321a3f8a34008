// ld and st of registers and short vectors.
#include <cstring>
#include <type_traits>

#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

using Addresses = uint64_t[kWarpSize];

void addresses_of(const Warp& w, const Operand& operand, LaneMask lanes, Addresses& addresses) {
    const auto displacement = static_cast<uint64_t>(operand.value);
    if (operand.bytes == 8) {
        const uint64_t* base = lanes_of<uint64_t>(w, operand);
        for_lanes(lanes, [=, &addresses](int l) { addresses[l] = base[l] + displacement; });
    } else {
        const uint32_t* base = lanes_of<uint32_t>(w, operand);
        for_lanes(lanes, [=, &addresses](int l) { addresses[l] = base[l] + static_cast<uint32_t>(displacement); });
    }
}

void count(Warp& w, const Instruction& i, LaneMask lanes, const Addresses& addresses, uint32_t bytes) {
    if (!w.block->counting()) return;
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

/// Whether every register is as wide as the element in memory: then bits move as they are.
bool same_width(const Instruction& i, const Operand& value) {
    for (int k = 0; k < i.vector; ++k)
        if (part(value, k).bytes != size_of(i.type)) return false;
    return true;
}

/// f(T()) with an unsigned integer of the element's size, f(T(), V) with a constant V for the length of the vector.
template <class F> void with_element(const Instruction& i, F f) {
    const auto with_vector = [&](auto zero) {
        if (i.vector == 1)
            f(zero, std::integral_constant<int, 1>());
        else if (i.vector == 2)
            f(zero, std::integral_constant<int, 2>());
        else
            f(zero, std::integral_constant<int, 4>());
    };
    switch (size_of(i.type)) {
        case 1:
            return with_vector(uint8_t{0});
        case 2:
            return with_vector(uint16_t{0});
        case 4:
            return with_vector(uint32_t{0});
        default:
            return with_vector(uint64_t{0});
    }
}

/// Values that lie one behind the other in memory, a lane's after the lane's before.
void unpack_row(Warp& w, const Instruction& i, const Operand& value, const uint8_t* memory) {
    with_element(i, [&](auto zero, auto vector) {
        using T = decltype(zero);
        constexpr int V = decltype(vector)::value;
        const T* from = reinterpret_cast<const T*>(memory);
        for (int k = 0; k < V; ++k) {
            T* to = lanes_of<T>(w, part(value, k));
            for (int l = 0; l < kWarpSize; ++l) to[l] = from[l * V + k];
        }
    });
}

/// Values anywhere, each where `where` says.
void unpack_lanes(Warp& w, const Instruction& i, const Operand& value, LaneMask lanes, const uint8_t* const* where) {
    with_element(i, [&](auto zero, auto vector) {
        using T = decltype(zero);
        for (int k = 0; k < decltype(vector)::value; ++k) {
            T* to = lanes_of<T>(w, part(value, k));
            for_lanes(lanes, [=](int l) { std::memcpy(&to[l], where[l] + static_cast<size_t>(k) * sizeof(T), sizeof(T)); });
        }
    });
}

/// What the lanes store, a lane's after the lane's before.
void pack_row(const Warp& w, const Instruction& i, const Operand& value, LaneMask lanes, uint8_t* memory) {
    with_element(i, [&](auto zero, auto vector) {
        using T = decltype(zero);
        constexpr int V = decltype(vector)::value;
        T* to = reinterpret_cast<T*>(memory);
        for (int k = 0; k < V; ++k) {
            // A register may be wider than what is stored of it.
            const Operand& from = part(value, k);
            if (from.bytes == sizeof(T)) {
                const T* lane = lanes_of<T>(w, from);
                for (int l = 0; l < kWarpSize; ++l) to[l * V + k] = lane[l];
            } else {
                for_lanes(lanes, [&](int l) { to[l * V + k] = static_cast<T>(read_lane(w, from, l)); });
            }
        }
    });
}

bool is_row(const Addresses& addresses, LaneMask lanes, uint32_t bytes) {
    if (lanes != kAllLanes) return false;
    uint64_t different = 0;
    for (uint32_t l = 0; l < kWarpSize; ++l) different |= addresses[l] ^ (addresses[0] + l * bytes);
    return different == 0;
}

alignas(16) const uint8_t kNothing[32] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                          0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

/// Asks for each lane. Lanes side by side that read the same place of global or shared memory are asked for twice at most: a third adds
/// nothing to what the checks know.
void find_all(Warp& w, const Instruction& i, LaneMask lanes, const Addresses& addresses, uint32_t bytes, const uint8_t** where) {
    int same = 0, before = -1;
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const bool thread_local_space =
            i.space == Space::Local || (i.space == Space::Generic && addresses[l] - kLocalWindow < kWindowBytes);
        same = before >= 0 && addresses[l] == addresses[before] && !thread_local_space && !i.strong ? same + 1 : 0;
        if (same >= 2) {
            where[l] = where[before];
        } else {
            const uint8_t* memory = w.block->access(w, i, l, {i.space, addresses[l], bytes, false, i.strong, nullptr});
            where[l] = memory == nullptr ? kNothing : memory;
        }
        before = l;
    }
}

}  // namespace

void load(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &value = i.operands[0], &from = i.operands[1];
    const auto bytes = static_cast<uint32_t>(size_of(i.type) * i.vector);
    Addresses addresses;
    addresses_of(w, from, lanes, addresses);
    count(w, i, lanes, addresses, bytes);
    const bool plain = same_width(i, value);
    if (plain && !i.strong && is_row(addresses, lanes, bytes))
        if (const uint8_t* row = w.block->access_row(w, i.space, addresses[0], bytes, false)) return unpack_row(w, i, value, row);
    const uint8_t* where[kWarpSize];
    find_all(w, i, lanes, addresses, bytes, where);
    if (plain)
        unpack_lanes(w, i, value, lanes, where);
    else
        for_lanes(lanes, [&](int l) { unpack(w, i, value, l, where[l]); });
}

void load_parameter(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &value = i.operands[0], &from = i.operands[1];
    const auto bytes = static_cast<uint32_t>(size_of(i.type) * i.vector);
    const std::vector<uint8_t>& parameters = w.block->launch().parameters;
    Addresses addresses;
    addresses_of(w, from, lanes, addresses);
    const uint8_t* where[kWarpSize];
    for_lanes(lanes, [&](int l) {
        where[l] = kNothing;
        if (from.negated) return;  // what a called function returned: only vprintf's count
        if (addresses[l] + bytes > parameters.size())
            w.block->report(Fault::OutOfBounds, w, i, l, "reads behind the parameters of the kernel");
        else
            where[l] = &parameters[addresses[l]];
    });
    if (same_width(i, value))
        unpack_lanes(w, i, value, lanes, where);
    else
        for_lanes(lanes, [&](int l) { unpack(w, i, value, l, where[l]); });
}

void store(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &to = i.operands[0], &value = i.operands[1];
    const auto bytes = static_cast<uint32_t>(size_of(i.type) * i.vector);
    Addresses addresses;
    addresses_of(w, to, lanes, addresses);
    count(w, i, lanes, addresses, bytes);
    alignas(64) uint8_t packed[kWarpSize * 32];
    pack_row(w, i, value, lanes, packed);
    if (!i.strong && is_row(addresses, lanes, bytes))
        if (uint8_t* row = w.block->access_row(w, i.space, addresses[0], bytes, true)) {
            std::memcpy(row, packed, kWarpSize * bytes);
            return;
        }
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const uint8_t* own = packed + static_cast<uint32_t>(l) * bytes;
        uint8_t* memory = w.block->access(w, i, l, {i.space, addresses[l], bytes, true, i.strong, own});
        if (memory != nullptr) std::memcpy(memory, own, bytes);
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

}  // namespace vaccine::ptx
