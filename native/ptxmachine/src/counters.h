// What kernels did, counted exactly: the same numbers in every run.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "program.h"

namespace vaccine::ptx {

/// Of one instruction.
struct Count {
    uint64_t warps = 0, lanes = 0;                  // executions, and lanes in them
    uint64_t sectors = 0, ideal_sectors = 0;        // 32-byte pieces of global memory touched; as few as the bytes fit in
    uint64_t wavefronts = 0, ideal_wavefronts = 0;  // passes over the 32 banks of shared memory; one for each group of lanes
    uint64_t divergent = 0;                         // branches that split the warp
};

/// Of all launches of a kernel.
struct KernelCount {
    uint64_t launches = 0, blocks = 0, warp_instructions = 0, thread_instructions = 0, mma = 0;
    std::array<uint64_t, static_cast<size_t>(Kind::Count)> threads_by_kind{}, warps_by_kind{};
    Count sum;
};

class Counters {
public:
    static Counters& get();
    void add(const Kernel& kernel, uint64_t blocks, const std::vector<Count>& counts);
    std::string table() const;
    std::string json() const;

private:
    std::mutex mutex_;
    std::map<std::string, KernelCount> kernels_;
};

/// Adds what one access of a warp costs. `bytes` is of one lane.
void count_global(Count& count, const uint64_t* addresses, LaneMask lanes, uint32_t bytes);
void count_shared(Count& count, const uint64_t* addresses, LaneMask lanes, uint32_t bytes);

}  // namespace vaccine::ptx
