#include "rules.h"

#include <cstdio>

namespace vaccine::kernels {

namespace {

constexpr double kLeastMmaShare = 0.8;  // of a GEMM's main loop

/// Kernels whose mangled names hold a part (which may be that of their file), and what is asked of them.
struct Rule {
    const char* part;
    bool needs_mma;
    int dense_up_to;  // the main loop must be nearly all mma on architectures up to this one
    bool may_use_local;
};
// The first that fits counts. A kernel that none names must keep out of local memory.
const Rule kRules[] = {
    // For few rows (bound by reading b once), and where the large tile would leave most of the card idle. With sm_90's assumed rate, four
    // times that of the cards this is for, a warp of theirs has too little to do for each load.
    {"gemm_kernelINS0_8GemmTileILi32E", true, 89, false},
    {"gemm_kernelINS0_8GemmTileILi64E", true, 89, false},
    {"gemm_kernelI", true, 90, false},
    {"attention_forward_cu", true, 0, false},
    {"attention_backward_keys_cu", true, 0, false},
    {"attention_backward_queries_cu", true, 0, false},
    {"RopeTable", false, 0, true},      // once a batch; the reduction of large angles in CUDA's sine needs an array
    {"gemm_plain_cu", false, 0, true},  // without tensor cores, for checking
};

const Rule* rule_of(const Kernel& kernel) {
    for (const Rule& rule : kRules)
        if (kernel.mangled.find(rule.part) != std::string::npos) return &rule;
    return nullptr;
}

std::string on(size_t index) {
    return " on sm_" + std::to_string(kArchitecture[index]);
}

}  // namespace

std::vector<std::string> broken_rules(const std::vector<Kernel>& kernels) {
    std::vector<std::string> broken;
    for (const Kernel& kernel : kernels) {
        const Rule* rule = rule_of(kernel);
        for (size_t n = 0; n < kArchitectures; ++n) {
            const Code& code = kernel.code[n];
            if (!code.present) {
                broken.push_back(kernel.name + ": there is no code" + on(n));
                continue;
            }
            if (rule != nullptr && rule->may_use_local) continue;
            if (code.stack_bytes > 0 || code.local_bytes > 0 || code.local_accesses > 0)
                broken.push_back(kernel.name + ": uses local memory" + on(n) + " (" + std::to_string(code.stack_bytes + code.local_bytes) +
                                 " bytes, " + std::to_string(code.local_accesses) + " accesses): it spills, or indexes an array");
            if (rule != nullptr && rule->needs_mma && code.hmma == 0) broken.push_back(kernel.name + ": has no HMMA" + on(n));
            if (rule != nullptr && kArchitecture[n] <= rule->dense_up_to && code.hmma > 0 && code.main_loop.mma_share() < kLeastMmaShare) {
                char share[16];
                std::snprintf(share, sizeof share, "%.1f %%", 100 * code.main_loop.mma_share());
                broken.push_back(kernel.name + ": mma is " + share + " of the main loop's issue bound" + on(n) +
                                 "; at least 80 % are asked");
            }
        }
    }
    return broken;
}

}  // namespace vaccine::kernels
