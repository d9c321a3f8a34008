#include "report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "mutant.h"
#include "settings.h"

namespace vaccine::ptx {

const char* name_of(Fault fault) {
    static const char* const names[] = {"out-of-bounds",
                                        "misaligned",
                                        "use-after-free",
                                        "never-written",
                                        "read-only",
                                        "divergent-barrier",
                                        "missing-at-barrier",
                                        "warp-mask",
                                        "shared-race",
                                        "lane-race",
                                        "global-race",
                                        "copy-pending",
                                        "trap",
                                        "endless",
                                        "launch",
                                        "host"};
    static_assert(sizeof names / sizeof names[0] == static_cast<size_t>(Fault::Count), "a name for each fault");
    return names[static_cast<int>(fault)];
}

Reports& Reports::get() {
    static Reports reports;
    return reports;
}

void Reports::add(std::vector<Report> reports) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::stable_sort(reports.begin(), reports.end(), [](const Report& a, const Report& b) { return a.block < b.block; });
    for (const Report& r : reports) {
        ++count_;
        recent_ += std::string(name_of(r.fault)) + "\n";
        if (printed_ > Settings::get().reports) continue;
        if (printed_++ == Settings::get().reports) {
            std::fprintf(stderr, "ptxmachine: more faults are counted, not printed (PTXMACHINE_REPORTS)\n");
            continue;
        }
        std::fprintf(stderr, "ptxmachine: %s: %s\n    %s\n", name_of(r.fault), r.message.c_str(), r.place.c_str());
        if (r.instruction != nullptr)
            std::fprintf(stderr, "    PTX line %d: %s%s\n", r.instruction->line, r.instruction->text.c_str(),
                         r.times > 1 ? (" (" + std::to_string(r.times) + " times in this block)").c_str() : "");
    }
    if (!reports.empty() && !Settings::get().mutant.empty()) {  // it is caught: no more is asked
        print_mutant();
        std::fflush(nullptr);
        _exit(3);
    }
}

std::string Reports::take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    count_ = 0;
    printed_ = 0;
    std::string recent;
    recent.swap(recent_);
    return recent;
}

}  // namespace vaccine::ptx
