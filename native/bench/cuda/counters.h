#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace vaccine::bench {

/// What ptxmachine counted for one kernel.
struct KernelCounters {
    double launches = 0, blocks = 0, warp_instructions = 0, mma = 0;
    double sectors = 0, ideal_sectors = 0, wavefronts = 0, ideal_wavefronts = 0, local = 0;
};

using Counters = std::map<std::string, KernelCounters>;  // by kernel

/// Whether the program runs on ptxmachine, counting (PTXMACHINE_COUNTERS is set), and not on a GPU.
bool counting();
/// All counters so far; empty on a GPU.
Counters read_counters();
/// after - before, without kernels that were not launched between.
Counters difference(const Counters& before, const Counters& after);
KernelCounters total(const Counters& counters);

}  // namespace vaccine::bench
