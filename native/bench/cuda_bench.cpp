// The CUDA engine's ops at the widths of Llama-2-7B in bf16. First each is verified (see references.h). On a GPU it times them; on
// ptxmachine (with PTXMACHINE_COUNTERS set) it counts what they do and predicts.
//   cuda_bench [--rows N] [--only TEXT]   rows: tokens of a call (default: 2000 on a GPU, 128 counted)
//              [--square N]               side of the product that says how fast the card multiplies (default 8192)
//   cuda_bench --check                    counted: fails where a kernel wastes sectors or wavefronts, or uses local memory
//   cuda_bench --step                     counted: predicts a T-Vaccine step, item by item
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"
#include "cuda/cards.h"
#include "cuda/cases.h"
#include "cuda/counters.h"
#include "cuda/step.h"
#include "cuda/timing.h"

using namespace vaccine;
using namespace vaccine::bench;

namespace {

constexpr double kMostWaste = 1.05;  // over the ideal
constexpr int kCopies = 4;           // of buffers in a timed case: more than a second-level cache holds

struct Options {
    int64_t rows = 0, square = 8192;
    std::string only;
    bool check = false, step = false;
};

Options parse(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const auto value = [&]() -> std::string {
            require(i + 1 < count, argument + " needs a value");
            return arguments[++i];
        };
        if (argument == "--rows")
            options.rows = std::atoll(value().c_str());
        else if (argument == "--square")
            options.square = std::atoll(value().c_str());
        else if (argument == "--only")
            options.only = value();
        else if (argument == "--check")
            options.check = true;
        else if (argument == "--step")
            options.step = true;
        else
            throw Error(Status::InvalidArgument, argument + " is unknown; expected --rows N, --only TEXT, --square N, --check or --step");
    }
    return options;
}

double ratio(double value, double ideal) {
    return ideal > 0 ? value / ideal : 1;
}

/// Kernels with mma answer for shared memory, the others for global memory; none may spill.
int check(const Case& each, const Counters& counters) {
    int failed = 0;
    const auto fail = [&](const std::string& kernel, const char* what, double value, double most) {
        ++failed;
        std::printf("FAILED %s: %s: %s %.3f, expected at most %.2f\n", each.name.c_str(), kernel.c_str(), what, value, most);
    };
    for (const auto& [kernel, k] : counters) {
        const double sectors = ratio(k.sectors, k.ideal_sectors), wavefronts = ratio(k.wavefronts, k.ideal_wavefronts);
        if (sectors > kMostWaste) fail(kernel, "sectors over ideal", sectors, kMostWaste);
        if (wavefronts > kMostWaste) fail(kernel, "wavefronts over ideal", wavefronts, kMostWaste);
        if (k.local > 0) fail(kernel, "accesses of local memory", k.local, 0);
    }
    return failed;
}

void print_counted_head() {
    std::printf("| case | rows | MB | kernels | sectors/ideal | wavefronts/ideal | k mma | k warp instructions |");
    for (const Card& card : cards()) std::printf(" %s us |", card.name);
    std::printf("\n|---|--:|--:|--:|--:|--:|--:|--:|");
    for (size_t i = 0; i < cards().size(); ++i) std::printf("--:|");
    std::printf("\n");
}

void print_counted(const Case& each, const KernelCounters& k) {
    std::printf("| %s | %.0f | %.1f | %.0f | %.3f | %.3f | %.1f | %.1f |", each.name.c_str(), each.rows, each.bytes * 1e-6, k.launches,
                ratio(k.sectors, k.ideal_sectors), ratio(k.wavefronts, k.ideal_wavefronts), k.mma * 1e-3, k.warp_instructions * 1e-3);
    for (const Card& card : cards())
        std::printf(" %.1f |", predict(card, {each.bytes, k.mma, k.warp_instructions, k.launches}).microseconds);
    std::printf("\n");
    std::fflush(stdout);
}

/// Says what differs.
bool is_right(Device& device, const Case& each, const Expectations& expected, bool by_cublas = false) {
    const std::string difference = first_difference(device, expected, by_cublas);
    if (!difference.empty()) std::printf("FAILED %s%s: %s\n", each.name.c_str(), by_cublas ? " by cuBLAS" : "", difference.c_str());
    return difference.empty();
}

int count_all(Device& device, const Options& options) {
    std::map<std::string, Counted> counted;
    int failed = 0, passed = 0;
    Cases cases(device, {}, options.rows > 0 ? options.rows : 128, 1);
    if (!options.step) print_counted_head();
    cases.for_each(options.only, [&](const Case& each) {
        const Expectations expected = each.gives();
        const Counters before = read_counters();
        each.runs.front()();
        const Counters counters = difference(before, read_counters());
        int bad = is_right(device, each, expected) ? 0 : 1;
        if (!options.step) print_counted(each, total(counters));
        if (options.check) bad += check(each, counters);
        failed += bad;
        passed += bad == 0;
        counted[each.name] = {each, total(counters)};
        counted[each.name].what.runs.clear();
        counted[each.name].what.gives = nullptr;
    });
    if (options.step) print_step(counted);
    if (options.check) std::printf("cuda_bench counters: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}

/// f with cuBLAS's products; 0 where there is no cuBLAS.
double with_cublas(Stream& stream, const std::function<double()>& f) {
    try {
        ops::choose_gemm(stream, GemmChoice::Cublas);
    } catch (const Error&) {
        return 0;
    }
    const double result = f();
    ops::choose_gemm(stream, GemmChoice::Own);
    return result;
}

/// Rates that the card reaches: bytes copied, mma.sync alone, and products of large square bf16 matrices by whoever is faster.
struct Rates {
    double copy = 0, mma = 0, own = 0, cublas = 0;
    double matmul() const { return std::max(own, cublas); }
};

Rates measure_rates(Device& device, Cases& cases, int64_t side) {
    Rates rates;
    rates.copy = copy_rate(device.stream());
    rates.mma = mma_rate(device.stream(), device.info().threads);
    cases.square(side, [&](const Case& product) {
        rates.own = product.flops / seconds_of(device.stream(), product.runs);
        rates.cublas = with_cublas(device.stream(), [&] { return product.flops / seconds_of(device.stream(), product.runs); });
    });
    std::printf("copy: %.0f GB/s; mma.sync alone: %.1f TFLOP/s; product of %lld x %lld matrices: own %.1f TFLOP/s, ", rates.copy * 1e-9,
                rates.mma * 1e-12, static_cast<long long>(side), static_cast<long long>(side), rates.own * 1e-12);
    if (rates.cublas > 0)
        std::printf("cuBLAS %.1f TFLOP/s\n\n", rates.cublas * 1e-12);
    else
        std::printf("no cuBLAS\n\n");
    return rates;
}

void print_timed(const Case& each, const Rates& rates, double seconds, double cublas_seconds) {
    std::printf("| %s | %.0f | %.1f | %.0f | %.2f |", each.name.c_str(), each.rows, seconds * 1e6, each.bytes / seconds * 1e-9,
                each.bytes / seconds / rates.copy);
    if (each.flops > 0)
        std::printf(" %.1f | %.2f |", each.flops / seconds * 1e-12, each.flops / seconds / rates.matmul());
    else
        std::printf(" - | - |");
    if (cublas_seconds > 0)
        std::printf(" %.1f |\n", cublas_seconds * 1e6);
    else
        std::printf(" - |\n");
    std::fflush(stdout);
}

int time_all(Device& device, const Options& options) {
    require(!options.check && !options.step, "--check and --step need ptxmachine's counters (PTXMACHINE_COUNTERS)");
    Cases cases(device, {}, options.rows > 0 ? options.rows : 2000, kCopies);
    const Rates rates = measure_rates(device, cases, options.square);
    std::printf("| case | rows | us | GB/s | of copy | TFLOP/s | of matmul | us with cuBLAS |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    int failed = 0;
    cases.for_each(options.only, [&](const Case& each) {
        const Expectations expected = each.gives();
        each.runs.front()();
        if (!is_right(device, each, expected)) {
            ++failed;
            return;
        }
        const double seconds = seconds_of(device.stream(), each.runs);
        const double cublas_seconds = !each.multiplies ? 0 : with_cublas(device.stream(), [&] {
            each.runs.front()();
            if (is_right(device, each, expected, true)) return seconds_of(device.stream(), each.runs);
            ++failed;
            return 0.0;
        });
        print_timed(each, rates, seconds, cublas_seconds);
    });
    return failed != 0;
}

}  // namespace

int main(int count, char** arguments) try {
    const Options options = parse(count, arguments);
    const auto device = Device::open(0, 0);
    const DeviceInfo info = device->info();
    std::printf("%s, compute capability %d.%d, %d multiprocessors\n\n", info.name.c_str(), info.compute_major, info.compute_minor,
                info.threads);
    return counting() ? count_all(*device, options) : time_all(*device, options);
} catch (const std::exception& error) {
    std::fprintf(stderr, "cuda_bench: %s\n", error.what());
    return 1;
}
