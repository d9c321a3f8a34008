// What the compiler made of each kernel, on every architecture that the library holds code for.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vaccine::kernels {

constexpr int kArchitectures = 3;
/// RTX 3090, RTX 4090, H100.
constexpr std::array<int, kArchitectures> kArchitecture{86, 89, 90};

/// A loop of the machine code, in instructions.
struct Loop {
    int hmma = 0, ldsm = 0, others = 0;
    double tensor_cycles = 0;  // of one sub-partition for the loop's HMMA of one warp

    /// Of the time in which a sub-partition's tensor core works and its scheduler issues everything else, one after the other, the part
    /// that is tensor core. What really overlaps makes a kernel faster than this bound.
    double mma_share() const { return tensor_cycles / (tensor_cycles + ldsm + others); }
};

/// On one architecture.
struct Code {
    bool present = false;
    int registers = 0, stack_bytes = 0, local_bytes = 0, static_shared_bytes = 0;
    int hmma = 0, local_accesses = 0;  // HMMA, and LDL and STL: what spills and indexed arrays become
    Loop main_loop;                    // the innermost loop with most HMMA; the whole kernel if no loop has any
};

struct Kernel {
    std::string mangled, name;
    int threads = 0;  // of a block: its launch bounds, or its largest launch; 0: not known
    bool has_launch_bounds = false;
    bool uses_dynamic_shared = false;
    int dynamic_shared_bytes = -1;  // largest of its launches; -1: not known
    std::array<Code, kArchitectures> code;
};

}  // namespace vaccine::kernels
