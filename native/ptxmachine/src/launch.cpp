// The blocks of a launch, on all cores.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

#include "block.h"
#include "mutant.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

/// Records of global uses carry eight bits of launch number; before a number comes again they are forgotten.
uint32_t next_epoch() {
    static uint32_t epoch = 0;
    if (++epoch == 256) {
        DeviceMemory::get().forget_users();
        epoch = 1;
    }
    return epoch;
}

struct Work {
    Launch& launch;
    std::atomic<uint64_t> next{0};
    std::mutex mutex;
    std::vector<Report> reports;
    std::vector<Count> counts;
    std::exception_ptr failure;

    void run() {
        try {
            Block block(launch);
            for (uint64_t index = next++; index < launch.grid.count() && !launch.abandoned; index = next++) block.run(index);
            const std::lock_guard<std::mutex> lock(mutex);
            for (Report& r : block.take_reports()) reports.push_back(std::move(r));
            for (size_t n = 0; n < counts.size(); ++n) add(counts[n], block.counts()[n]);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex);
            failure = std::current_exception();
            next = launch.grid.count();
        }
    }

    static void add(Count& to, const Count& from) {
        to.warps += from.warps;
        to.lanes += from.lanes;
        to.sectors += from.sectors;
        to.ideal_sectors += from.ideal_sectors;
        to.wavefronts += from.wavefronts;
        to.ideal_wavefronts += from.ideal_wavefronts;
        to.divergent += from.divergent;
    }
};

}  // namespace

void run_launch(Launch& launch) {
    const uint64_t blocks = launch.grid.count();
    launch.epoch = next_epoch();
    launch.released = std::vector<std::atomic<uint32_t>>(std::min<uint64_t>(blocks, 1 << 20));
    Work work{launch, {}, {}, {}, std::vector<Count>(launch.kernel->instructions.size()), nullptr};
    const auto threads = std::min<uint64_t>(blocks, static_cast<uint64_t>(Settings::get().threads));
    std::vector<std::thread> helpers;
    for (uint64_t t = 1; t < threads; ++t) helpers.emplace_back([&] { work.run(); });
    work.run();
    for (std::thread& helper : helpers) helper.join();
    if (work.failure) std::rethrow_exception(work.failure);
    note_mutant_run(*launch.kernel, work.counts);
    Reports::get().add(std::move(work.reports));
    if (Settings::get().counters) Counters::get().add(*launch.kernel, blocks, work.counts);
    if (Settings::get().trace)
        std::fprintf(stderr, "ptxmachine: %s <<<%llu, %llu, %u>>>\n", launch.kernel->readable.c_str(),
                     static_cast<unsigned long long>(blocks), static_cast<unsigned long long>(launch.block.count()), launch.dynamic_shared);
}

}  // namespace vaccine::ptx
