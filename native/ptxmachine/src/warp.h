// 32 lanes: their registers, program counters, pending copies, and what they know of other warps.
#pragma once
#include <array>
#include <cstring>
#include <vector>

#include "program.h"

namespace vaccine::ptx {

class Block;
constexpr int kMaxWarps = 32;

/// A cp.async that has been issued and not been waited for.
struct Copy {
    uint32_t to;    // offset in shared memory
    uint64_t from;  // address in global memory
    uint32_t bytes, source_bytes;
    uint32_t group;
    const Instruction* instruction;
};

/// What a warp brings to a block barrier.
struct Arrival {
    uint32_t barrier = 0;
    uint32_t threads = 0;  // 0: all of the block
    const Instruction* instruction = nullptr;
    LaneMask predicate = 0;  // of bar.red
};

class Warp {
public:
    enum class State : uint8_t { Ready, AtBarrier, Done };

    /// Runs until a barrier, the end, or (when it spins) for a while.
    void run();
    /// Prepares for the first instruction of a block.
    void start(LaneMask lanes);
    void reconverge_at(uint32_t pc) {
        diverged = false;
        next = pc;
        stalled = 0;
    }

    Block* block = nullptr;
    int index = 0;
    uint8_t* registers = nullptr;
    LaneMask started = 0, live = 0;
    State state = State::Ready;
    Arrival arrival;

    // The lanes share `next` while they run together; while diverged each has its own.
    bool diverged = false;
    uint32_t next = 0;
    std::array<uint32_t, kWarpSize> own_next{};
    uint64_t steps = 0;    // instructions run in this block, up to the last pause
    LaneMask stalled = 0;  // lanes that wait at a warp collective for the others

    // Happens-before inside the block: clock[v] is the latest time of warp v that this warp has synchronised with; clock[index] is its own
    // time.
    std::array<uint32_t, kMaxWarps> clock{};
    uint16_t lane_epoch = 0;  // changes when the lanes of the warp synchronise

    std::array<std::vector<Copy>, kWarpSize> copies;
    std::array<uint32_t, kWarpSize> copy_group{};

private:
    bool choose_group(LaneMask& lanes, uint32_t& pc, uint32_t& limit);
    bool run_straight(LaneMask lanes, uint32_t pc, uint32_t limit, int64_t& budget);
    bool collect(const Instruction& instruction, LaneMask group, LaneMask active, uint32_t pc);
    void check_masks(const Instruction& instruction, LaneMask active, LaneMask named);
    void set_next(LaneMask lanes, uint32_t pc);
    void report_deadlock();
    void check_steps();
    void arrive(const Instruction& instruction, LaneMask active);
};

/// One value for each lane.
template <class T> inline T* lanes_of(const Warp& warp, const Operand& operand) {
    return reinterpret_cast<T*>(warp.registers + operand.at);
}
template <class T> inline T* lanes_of(const Warp& warp, const Instruction& instruction, int operand) {
    return lanes_of<T>(warp, instruction.operands[static_cast<size_t>(operand)]);
}

/// A predicate, one bit a lane.
inline LaneMask predicate_of(const Warp& warp, const Operand& operand) {
    const LaneMask mask = *lanes_of<LaneMask>(warp, operand);
    return operand.negated ? ~mask : mask;
}
inline void set_predicate(const Warp& warp, uint32_t at, LaneMask value, LaneMask lanes) {
    auto& mask = *reinterpret_cast<LaneMask*>(warp.registers + at);
    mask = (mask & ~lanes) | (value & lanes);
}

template <class T> inline T lane_as(const Warp& warp, const Operand& operand, int lane) {
    T value;
    std::memcpy(&value, warp.registers + operand.at + static_cast<size_t>(lane) * sizeof(T), sizeof(T));
    return value;
}
inline uint64_t read_lane(const Warp& warp, const Operand& operand, int lane) {
    switch (operand.bytes) {
        case 1:
            return lane_as<uint8_t>(warp, operand, lane);
        case 2:
            return lane_as<uint16_t>(warp, operand, lane);
        case 4:
            return lane_as<uint32_t>(warp, operand, lane);
        default:
            return lane_as<uint64_t>(warp, operand, lane);
    }
}
inline void write_lane(const Warp& warp, const Operand& operand, int lane, uint64_t value) {
    if (operand.form == Operand::Form::Ignored) return;
    uint8_t* to = warp.registers + operand.at + static_cast<size_t>(lane) * operand.bytes;
    switch (operand.bytes) {
        case 1:
            *to = static_cast<uint8_t>(value);
            return;
        case 2:
            std::memcpy(to, &value, 2);
            return;
        case 4:
            std::memcpy(to, &value, 4);
            return;
        default:
            std::memcpy(to, &value, 8);
    }
}

/// A full warp runs a loop that the compiler makes vectors of.
template <class Body> inline __attribute__((always_inline)) void for_lanes(LaneMask lanes, Body body) {
    if (lanes == kAllLanes) {
#pragma GCC ivdep
        for (int lane = 0; lane < kWarpSize; ++lane) body(lane);
        return;
    }
    for (; lanes != 0; lanes &= lanes - 1) body(__builtin_ctz(lanes));
}

}  // namespace vaccine::ptx
