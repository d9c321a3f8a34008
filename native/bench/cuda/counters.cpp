#include "counters.h"

#include <dlfcn.h>

#include <cstdlib>
#include <sstream>
#include <vector>

namespace vaccine::bench {
namespace {

using Read = int (*)(char*, size_t);

/// The bench knows ptxmachine only by this name in the process.
Read counters_of_machine() {
    return reinterpret_cast<Read>(dlsym(RTLD_DEFAULT, "ptxmachine_counters"));
}

double number_after(const std::string& line, const std::string& key) {
    const size_t at = line.find("\"" + key + "\": ");
    return at == std::string::npos ? 0 : std::atof(line.c_str() + at + key.size() + 4);
}

}  // namespace

bool counting() {
    const char* setting = std::getenv("PTXMACHINE_COUNTERS");
    return counters_of_machine() != nullptr && setting != nullptr && *setting != 0;
}

Counters read_counters() {
    Counters result;
    const Read read = counters_of_machine();
    if (read == nullptr) return result;
    std::vector<char> text(static_cast<size_t>(read(nullptr, 0)) + 1);
    read(text.data(), text.size());
    std::istringstream lines(text.data());
    // A line for each kernel: "name": {"launches": 1, ...}
    for (std::string line; std::getline(lines, line);) {
        const size_t first = line.find('"'), last = line.find("\": {");
        if (first == std::string::npos || last == std::string::npos) continue;
        KernelCounters& k = result[line.substr(first + 1, last - first - 1)];
        k.launches = number_after(line, "launches");
        k.blocks = number_after(line, "blocks");
        k.warp_instructions = number_after(line, "warp_instructions");
        k.mma = number_after(line, "mma");
        k.sectors = number_after(line, "sectors");
        k.ideal_sectors = number_after(line, "ideal_sectors");
        k.wavefronts = number_after(line, "wavefronts");
        k.ideal_wavefronts = number_after(line, "ideal_wavefronts");
        k.local = number_after(line, "local");
    }
    return result;
}

Counters difference(const Counters& before, const Counters& after) {
    Counters result;
    for (const auto& [name, b] : after) {
        const auto found = before.find(name);
        const KernelCounters a = found == before.end() ? KernelCounters{} : found->second;
        if (b.launches == a.launches) continue;
        result[name] = {b.launches - a.launches,
                        b.blocks - a.blocks,
                        b.warp_instructions - a.warp_instructions,
                        b.mma - a.mma,
                        b.sectors - a.sectors,
                        b.ideal_sectors - a.ideal_sectors,
                        b.wavefronts - a.wavefronts,
                        b.ideal_wavefronts - a.ideal_wavefronts,
                        b.local - a.local};
    }
    return result;
}

KernelCounters total(const Counters& counters) {
    KernelCounters sum;
    for (const auto& [name, k] : counters) {
        sum.launches += k.launches;
        sum.blocks += k.blocks;
        sum.warp_instructions += k.warp_instructions;
        sum.mma += k.mma;
        sum.sectors += k.sectors;
        sum.ideal_sectors += k.ideal_sectors;
        sum.wavefronts += k.wavefronts;
        sum.ideal_wavefronts += k.ideal_wavefronts;
        sum.local += k.local;
    }
    return sum;
}

}  // namespace vaccine::bench
