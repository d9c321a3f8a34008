#include "settings.h"

#include <cstdlib>
#include <thread>

namespace vaccine::ptx {

namespace {

std::string text(const char* name, const char* fallback) {
    const char* value = std::getenv(name);
    return value == nullptr || *value == '\0' ? fallback : value;
}

}  // namespace

const Settings& Settings::get() {
    static const Settings settings = [] {
        Settings s;
        const unsigned cores = std::thread::hardware_concurrency();
        s.threads = std::atoi(text("PTXMACHINE_THREADS", "0").c_str());
        if (s.threads <= 0) s.threads = cores == 0 ? 1 : static_cast<int>(cores);
        s.seed = std::strtoull(text("PTXMACHINE_SEED", "0").c_str(), nullptr, 0);
        s.races = text("PTXMACHINE_RACES", "1") != "0";
        s.early_copies = text("PTXMACHINE_COPIES", "late") == "early";
        s.counters_file = text("PTXMACHINE_COUNTERS", "");
        s.counters = !s.counters_file.empty();
        s.memory = std::strtoull(text("PTXMACHINE_MEMORY", "25769803776").c_str(), nullptr, 0);
        s.reports = std::atoi(text("PTXMACHINE_REPORTS", "20").c_str());
        s.steps = std::strtoull(text("PTXMACHINE_STEPS", "1073741824").c_str(), nullptr, 0);
        s.mutant = text("PTXMACHINE_MUTANT", "");
        s.trace = text("PTXMACHINE_TRACE", "0") != "0";
        return s;
    }();
    return settings;
}

}  // namespace vaccine::ptx
