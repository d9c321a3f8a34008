// Registers, shared memory, spills, occupancy and main loops of all kernels, from the compiled code: no GPU is needed.
//   kernel_table [--launches TRACE]... FILE...        prints the tables (FILE: the library, or object files)
//   kernel_table --check TABLE.md [--launches ...]... FILE... compares with committed tables, and applies the rules
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "library.h"
#include "rules.h"
#include "table.h"

using namespace vaccine::kernels;

namespace {

const char* const kUsage = "usage: kernel_table [--check TABLE.md] [--launches TRACE]... LIBRARY|OBJECT...\n";

struct Options {
    std::string table;
    std::vector<std::string> launches, files;
};

bool read(int count, char** values, Options& options) {
    for (int n = 1; n < count; ++n) {
        const std::string value = values[n];
        if (value.compare(0, 2, "--") != 0) {
            options.files.push_back(value);
        } else if (n + 1 < count && value == "--check") {
            options.table = values[++n];
        } else if (n + 1 < count && value == "--launches") {
            options.launches.emplace_back(values[++n]);
        } else {
            return false;
        }
    }
    return !options.files.empty();
}

void print(const std::vector<Kernel>& kernels) {
    std::printf(
        "# The CUDA kernels as nvcc 11.8 compiled them\n\n"
        "To write it again (the first line takes minutes; it only tells how kernels without launch bounds or with dynamic shared memory "
        "are "
        "launched)\n"
        "```\n"
        "PTXMACHINE_TRACE=1 ctest --preset ptxmachine -V -R '^cuda_' | grep -o 'ptxmachine: .*>>>' | sort -u > launches.txt\n"
        "cmake --preset cuda && cmake --build --preset cuda --target nativevaccine_cuda kernel_table\n"
        "lib=artifacts/cmake/cuda/lib\n"
        "$lib/kernel_table --launches launches.txt $lib/libnativevaccine_cuda.so > bench/results/kernels.md\n"
        "```\n\n");
    std::printf(
        "Where architectures differ, a cell has three numbers: sm_86 / sm_89 / sm_90. Bytes are of a block (shared) or a thread (stack,\n"
        "local). Threads are the launch bounds; dynamic shared memory is the largest of the launches in the native tests. Warps are "
        "the\n"
        "active ones of a multiprocessor / the most there can be, by CUDA's own cuda_occupancy.h.\n\n%s\n",
        resources(kernels).markdown().c_str());
    std::printf(
        "## Main loops\n\n"
        "The innermost loop with most HMMA: its instructions for one warp, and of the time in which a sub-partition's tensor core works "
        "and\n"
        "its scheduler issues everything else, one after the other, the part that is tensor core. HMMA.16816 with fp32 accumulation holds "
        "it\n"
        "for 32 cycles on sm_86 and sm_89 (64 multiply-adds a clock: 71 TFLOP/s of a 3090, 165 of a 4090) and for 8 on sm_90 (mma.sync at\n"
        "half of wgmma's rate: an assumption). Every other instruction is one issue slot.\n\n%s",
        main_loops(kernels).markdown().c_str());
}

/// The last line is counted by CI.
int check(std::vector<Kernel>& kernels, const std::string& file) {
    const std::vector<Table> committed = read_tables(file);
    if (committed.size() != 2) {
        std::printf("%s: %zu tables; expected 2\n0 passed, 1 failed\n", file.c_str(), committed.size());
        return 1;
    }
    add_launches(kernels, committed[0]);
    std::vector<std::string> failures = broken_rules(kernels);
    for (const Kernel& kernel : kernels)
        if (kernel.dynamic_shared_bytes < 0 || kernel.threads == 0)
            failures.push_back(kernel.name + ": it is not known how it is launched; give --launches when the table is written");
    const Table current[] = {resources(kernels), main_loops(kernels)};
    bool changed = false;
    for (size_t n = 0; n < committed.size(); ++n)
        for (std::string& line : differences(committed[n], current[n])) {
            failures.push_back(std::move(line));
            changed = true;
        }
    for (const std::string& line : failures) std::printf("FAILED %s\n", line.c_str());
    if (changed) std::printf("If the change is meant, write %s again; its head has the command.\n", file.c_str());
    std::printf("%zu passed, %zu failed\n", kernels.size(), failures.size());
    return failures.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
    Options options;
    if (!read(count, values, options)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    try {
        std::vector<Kernel> kernels = read_kernels(options.files);
        for (const std::string& file : options.launches) add_launches(kernels, file);
        if (!options.table.empty()) return check(kernels, options.table);
        print(kernels);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "kernel_table: %s\n", error.what());
        return 2;
    }
}
