// atom and red. Blocks run at the same time, so each is done under the lock of its address.
#include <array>
#include <cstring>
#include <mutex>

#include "arithmetic.h"
#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

std::mutex& lock_of(const uint8_t* memory) {
    static std::array<std::mutex, 64> locks;
    return locks[reinterpret_cast<uintptr_t>(memory) / 16 % locks.size()];
}

template <class T> uint64_t add_as(uint64_t a, uint64_t b) {
    using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
    return bits_to<Bits>(apply<T>(Add(), bits_to<T>(static_cast<Bits>(a)), bits_to<T>(static_cast<Bits>(b))));
}

uint64_t add(Type type, uint64_t a, uint64_t b) {
    switch (type) {
        case Type::F16:
            return add_as<F16>(a, b);
        case Type::BF16:
            return add_as<BF16>(a, b);
        case Type::F16x2:
            return add_as<F16x2>(a, b);
        case Type::BF16x2:
            return add_as<BF16x2>(a, b);
        case Type::F32:
            return add_as<float>(a, b);
        case Type::F64:
            return add_as<double>(a, b);
        default:
            return a + b;
    }
}

bool less(Type type, uint64_t a, uint64_t b) {
    return is_signed(type) ? sign_extended(a, size_of(type)) < sign_extended(b, size_of(type)) : a < b;
}

template <AtomicOperation OPERATION> uint64_t combine(Type type, uint64_t old, uint64_t b, uint64_t c) {
    switch (OPERATION) {
        case AtomicOperation::Add:
            return add(type, old, b);
        case AtomicOperation::Min:
            return less(type, b, old) ? b : old;
        case AtomicOperation::Max:
            return less(type, old, b) ? b : old;
        case AtomicOperation::And:
            return old & b;
        case AtomicOperation::Or:
            return old | b;
        case AtomicOperation::Xor:
            return old ^ b;
        case AtomicOperation::Exchange:
            return b;
        case AtomicOperation::CompareExchange:
            return old == b ? c : old;
        case AtomicOperation::Increment:
            return old >= b ? 0 : old + 1;
        default:
            return old == 0 || old > b ? b : old - 1;
    }
}

}  // namespace

template <AtomicOperation OPERATION> void atomic(Warp& w, const Instruction& i, LaneMask lanes) {
    const size_t at = i.operands[0].form == Operand::Form::Address ? 0 : 1;  // red has no destination
    const Operand& address = i.operands[at];
    const auto bytes = static_cast<uint32_t>(size_of(i.type));
    uint64_t addresses[kWarpSize];
    for_lanes(lanes, [&](int l) { addresses[l] = read_lane(w, address, l) + static_cast<uint64_t>(address.value); });
    if (i.space == Space::Global) count_global(w.block->count(i), addresses, lanes, bytes);
    w.block->note_atomic();
    for (LaneMask rest = lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        uint8_t* memory = w.block->access(w, i, l, {i.space, addresses[l], bytes, true, true, nullptr});
        if (memory == nullptr) continue;
        const uint64_t b = read_lane(w, i.operands[at + 1], l);
        const uint64_t c = OPERATION == AtomicOperation::CompareExchange ? read_lane(w, i.operands[at + 2], l) : 0;
        uint64_t old = 0;
        {
            const std::lock_guard<std::mutex> lock(lock_of(memory));
            std::memcpy(&old, memory, bytes);
            const uint64_t result = combine<OPERATION>(i.type, old, b, c);
            std::memcpy(memory, &result, bytes);
        }
        if (at == 1) write_lane(w, i.operands[0], l, old);
    }
}

template void atomic<AtomicOperation::Add>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Min>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Max>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::And>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Or>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Xor>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Exchange>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::CompareExchange>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Increment>(Warp&, const Instruction&, LaneMask);
template void atomic<AtomicOperation::Decrement>(Warp&, const Instruction&, LaneMask);

}  // namespace vaccine::ptx
