// PTXMACHINE_* environment variables. README.md describes them.
#pragma once
#include <cstdint>
#include <string>

namespace vaccine::ptx {

struct Settings {
    int threads = 1;            // PTXMACHINE_THREADS: blocks that run at once; default: all cores
    uint64_t seed = 0;          // PTXMACHINE_SEED: order of warps; 0: ascending
    bool races = true;          // PTXMACHINE_RACES
    bool early_copies = false;  // PTXMACHINE_COPIES=early|late: when cp.async lands
    bool counters = false;      // PTXMACHINE_COUNTERS=FILE or "-": table at exit, JSON into FILE
    std::string counters_file;
    uint64_t memory = uint64_t{24} << 30;  // PTXMACHINE_MEMORY, bytes
    int reports = 20;                      // PTXMACHINE_REPORTS: printed per process
    uint64_t steps = uint64_t{1} << 30;    // PTXMACHINE_STEPS: instructions that a warp may run in a block
    std::string mutant;                    // PTXMACHINE_MUTANT=KERNEL:KIND:N or "list"
    bool trace = false;                    // PTXMACHINE_TRACE: a line per launch

    static const Settings& get();
};

}  // namespace vaccine::ptx
