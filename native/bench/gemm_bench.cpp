// Our matrix product against the machine's BLAS, in turns within one process, so that both meet the same neighbours on the cores.
//     gemm_bench [threads] [rounds] [only products whose name contains this]
// Prints GFLOP/s by the median round and by the best one, and the ratio ours / BLAS. Without a BLAS only our own numbers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "core/cpu_features.h"
#include "core/device.h"
#include "core/platform.h"
#include "ops/cpu/gemm.h"

#if defined(__unix__)
#include <dlfcn.h>
#endif

namespace {

using vaccine::Isa;
using vaccine::ops::Gemm;

/// Which of a linear layer's products: y = x w^T, dx = dy w, dw = dy^T x.
enum class Product { Forward, InputGradient, WeightGradient };

struct Shape {
    const char* what;
    Product product;
    int64_t M, N, K;
};

const Shape kShapes[] = {
    {"forward", Product::Forward, 512, 256, 256},
    {"forward", Product::Forward, 768, 256, 256},
    {"forward", Product::Forward, 512, 1024, 1024},
    {"forward", Product::Forward, 1024, 1024, 1024},
    {"forward", Product::Forward, 512, 4096, 4096},
    {"input gradient", Product::InputGradient, 512, 1024, 1024},
    {"weight gradient", Product::WeightGradient, 1024, 1024, 512},
    {"demo q,k,v,o", Product::Forward, 768, 128, 128},
    {"demo gate,up", Product::Forward, 768, 384, 128},
    {"demo down", Product::Forward, 768, 128, 384},
    {"demo head", Product::Forward, 200, 512, 128},
    {"demo dx of o", Product::InputGradient, 768, 128, 128},
    {"demo dx of down", Product::InputGradient, 768, 384, 128},
    {"demo dw of q", Product::WeightGradient, 128, 128, 768},
    {"demo dw of gate", Product::WeightGradient, 384, 128, 768},
    {"LoRA h", Product::Forward, 768, 8, 128},
    {"LoRA y", Product::Forward, 768, 128, 8},
    {"LoRA da", Product::WeightGradient, 8, 128, 768},
    {"LoRA db", Product::WeightGradient, 128, 8, 768},
    {"decode 1", Product::Forward, 1, 1024, 1024},
    {"decode 4", Product::Forward, 4, 1024, 1024},
    {"decode 8", Product::Forward, 8, 1024, 1024},
    {"decode 16", Product::Forward, 16, 1024, 1024},
    {"decode 32", Product::Forward, 32, 1024, 1024},
    {"decode 64", Product::Forward, 64, 1024, 1024},
    {"decode 112", Product::Forward, 112, 1024, 1024},
    {"decode head", Product::Forward, 1, 512, 128},
    {"from memory 1", Product::Forward, 1, 32000, 768},  // more weights than the caches hold
    {"from memory 4", Product::Forward, 4, 32000, 768},
    {"from memory 8", Product::Forward, 8, 32000, 768},
    {"from memory 16", Product::Forward, 16, 32000, 768},
    {"from memory 4", Product::Forward, 4, 8192, 4096},
    {"from memory 32", Product::Forward, 32, 32000, 768},
    {"from memory 96", Product::Forward, 96, 32000, 768},
};

/// cblas_sgemm of whatever BLAS the machine has; null where it has none.
using Sgemm = void (*)(int order, int transpose_a, int transpose_b, int M, int N, int K, float alpha, const float* a, int lda,
                       const float* b, int ldb, float beta, float* c, int ldc);

Sgemm find_blas(int threads) {
#if defined(__unix__)
    for (const char* name : {"libopenblas.so.0", "libblas.so.3"}) {
        void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) continue;
        const auto sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
        if (sgemm == nullptr) continue;
        using SetThreads = void (*)(int);
        using Config = const char* (*)();
        if (const auto set_threads = reinterpret_cast<SetThreads>(dlsym(library, "openblas_set_num_threads"))) set_threads(threads);
        const auto config = reinterpret_cast<Config>(dlsym(library, "openblas_get_config"));
        std::printf("BLAS: %s %s\n", name, config ? config() : "");
        return sgemm;
    }
#endif
    static_cast<void>(threads);
    return nullptr;
}

double seconds(const std::vector<double>& sorted, size_t percent) {
    return sorted[(sorted.size() - 1) * percent / 100];
}

/// With one thread the processor's time for this process, which leaves out the turns of others; with more the time on the wall.
double now(int threads) {
    if (threads == 1) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr int kFewestRounds = 3;
constexpr double kLongestRow = 5;  // seconds: a BLAS of plain loops takes some for a single large product

struct Contender {
    int threads;
    std::vector<double> times = {};  // of one product

    template <class F> void measure(int64_t calls, F f) {
        const double start = now(threads);
        for (int64_t i = 0; i < calls; ++i) f();
        times.push_back((now(threads) - start) / static_cast<double>(calls));
    }
};

class Bench {
public:
    Bench(int threads, int rounds)
        : threads_(threads), rounds_(rounds), device_(vaccine::Device::open(0, threads)), blas_(find_blas(threads)) {
        vaccine::Stream& stream = device_->stream();
        stream.workspace_bytes = vaccine::ops::gemm_workspace_bytes(threads, 4096);
        stream.workspace = device_->allocate(stream.workspace_bytes);
        std::printf("%s, %d threads of %d, %d rounds in turns\n", device_->info().name.c_str(), threads,
                    vaccine::platform::processor_count(), rounds);
        std::printf("GFLOP/s median (best); ratio: ours / BLAS by the median (by the best)\n");
        std::printf("%-16s %15s | %-13s | %-29s | %-29s | %-29s\n", "product", "M,N,K", "BLAS", "best isa, fp32", "best isa, bf16 weights",
                    "avx2, fp32");
    }

    void run(const Shape& shape) {
        const auto [what, product, M, N, K] = shape;
        float* a = take(M * K);
        float* b = take(K * N);
        float* c = take(M * N);
        const bool a_transposed = product == Product::WeightGradient, b_transposed = product == Product::Forward;
        Gemm problem{M,
                     N,
                     K,
                     1,
                     {a, vaccine::DType::F32, a_transposed ? 1 : K, a_transposed ? M : 1},
                     {b, vaccine::DType::F32, b_transposed ? 1 : N, b_transposed ? K : 1},
                     c,
                     N,
                     false,
                     nullptr};
        Gemm half = problem;
        half.b.dtype = vaccine::DType::BF16;  // reads the same memory: any bits do

        Contender blas{threads_}, best{threads_}, best_half{threads_}, avx2{threads_};
        const double flops = 2.0 * static_cast<double>(M) * static_cast<double>(N) * static_cast<double>(K);
        const auto calls = std::max<int64_t>(1, static_cast<int64_t>(5e7 / flops));
        const double start = now(threads_);
        for (int round = 0; round < rounds_ && (round < kFewestRounds || now(threads_) - start < kLongestRow); ++round) {
            if (blas_)
                blas.measure(calls, [&, M = M, N = N, K = K] {
                    constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
                    blas_(kRowMajor, a_transposed ? kTransposed : kPlain, b_transposed ? kTransposed : kPlain, int(M), int(N), int(K), 1, a,
                          int(a_transposed ? M : K), b, int(b_transposed ? K : N), 0, c, int(N));
                });
            best.measure(calls, [&] { vaccine::ops::gemm(device_->stream(), problem); });
            if (product != Product::WeightGradient) best_half.measure(calls, [&] { vaccine::ops::gemm(device_->stream(), half); });
            if (vaccine::best_isa() > Isa::Avx2) {
                vaccine::force_isa(Isa::Avx2);
                avx2.measure(calls, [&] { vaccine::ops::gemm(device_->stream(), problem); });
                vaccine::force_isa(vaccine::best_isa());
            }
        }
        char size[32];
        std::snprintf(size, sizeof size, "%d,%d,%d", int(M), int(N), int(K));
        std::printf("%-16s %15s |", what, size);
        print(blas, nullptr, flops);
        for (Contender* each : {&best, &best_half, &avx2}) print(*each, blas_ ? &blas : nullptr, flops);
        std::printf("\n");
        for (float* memory : {a, b, c}) device_->release(memory);
    }

private:
    float* take(int64_t count) {
        auto* memory = static_cast<float*>(device_->allocate(count * 4));
        for (int64_t i = 0; i < count; ++i) memory[i] = static_cast<float>(i % 13 - 6) / 8;
        return memory;
    }

    static void print(Contender& contender, const Contender* against, double flops) {
        if (contender.times.empty()) {
            std::printf(against ? " %29s |" : " %13s |", "-");
            return;
        }
        std::sort(contender.times.begin(), contender.times.end());
        const double median = seconds(contender.times, 50), best = seconds(contender.times, 0);
        std::printf(" %5.1f (%5.1f)", flops / median * 1e-9, flops / best * 1e-9);
        if (against) std::printf("  x%4.2f (x%4.2f) ", seconds(against->times, 50) / median, seconds(against->times, 0) / best);
        std::printf(" |");
    }

    int threads_, rounds_;
    std::unique_ptr<vaccine::Device> device_;
    Sgemm blas_;
};

}  // namespace

int main(int count, char** arguments) {
    const int threads = count > 1 ? std::atoi(arguments[1]) : 1, rounds = count > 2 ? std::atoi(arguments[2]) : 31;
    const char* only = count > 3 ? arguments[3] : "";
    if (threads < 1 || rounds < 1) {
        std::fprintf(stderr, "usage: gemm_bench [threads] [rounds] [name]\n");
        return 2;
    }
    Bench bench(threads, rounds);
    for (const Shape& shape : kShapes)
        if (std::strstr(shape.what, only) != nullptr) bench.run(shape);
}
