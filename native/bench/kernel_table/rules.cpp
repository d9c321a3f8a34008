#include "rules.h"

#include <cstdio>

namespace nv::kernels {

namespace {

constexpr double kLeastMmaShare = 0.8;  // of a GEMM's main loop

/// Kernels whose names hold a part, and what is asked of them.
struct Rule {
    const char* part;
    bool needs_mma, dense;  // dense: the main loop must be nearly all mma
};
// The first that fits counts. A kernel that no rule names must keep out of local memory, too: that is asked of all.
const Rule kRules[] = {
    {"gemm", true, true},
    {"attention", true, false},
};

const Rule* rule_of(const Kernel& kernel) {
    const std::string name = kernel.name.substr(0, kernel.name.find('<'));
    for (const Rule& rule : kRules)
        if (name.find(rule.part) != std::string::npos) return &rule;
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
            if (code.stack_bytes > 0 || code.local_bytes > 0 || code.local_accesses > 0)
                broken.push_back(kernel.name + ": uses local memory" + on(n) + " (" + std::to_string(code.stack_bytes + code.local_bytes) +
                                 " bytes, " + std::to_string(code.local_accesses) + " accesses): it spills, or indexes an array");
            if (rule != nullptr && rule->needs_mma && code.hmma == 0) broken.push_back(kernel.name + ": has no HMMA" + on(n));
            if (rule != nullptr && rule->dense && code.hmma > 0 && code.main_loop.mma_share() < kLeastMmaShare) {
                char share[16];
                std::snprintf(share, sizeof share, "%.1f %%", 100 * code.main_loop.mma_share());
                broken.push_back(kernel.name + ": mma is " + share + " of the main loop's issue bound" + on(n) +
                                 "; at least 80 % are asked");
            }
        }
    }
    return broken;
}

}  // namespace nv::kernels
