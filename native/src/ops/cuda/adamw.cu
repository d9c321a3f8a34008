// Bound by memory: seven fp32 an element, in one launch.
#include "ops/adamw_factors.h"
#include "ops/checks.h"
#include "ops/cuda/device.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 256;
constexpr int kPacksEach = 4;  // of a thread

/// What the gradient is multiplied by. One thread of a block computes it: many cards have few units for fp64.
__device__ float gradient_factor(const double* sum_of_squares, float clip) {
    __shared__ float factor;
    if (sum_of_squares == nullptr) return 1;
    if (threadIdx.x == 0) {
        const double most = static_cast<double>(clip) / (sqrt(*sum_of_squares) + 1e-6);
        factor = static_cast<float>(most < 1 ? most : 1.0);
    }
    __syncthreads();
    return factor;
}

struct Vectors {
    float* p;
    const float* g;
    float *m, *v;
};

template <int N> __device__ void update(const Vectors& at, int64_t i, const AdamWFactors& f, float gradient_scale) {
    const Pack<float, N> g = load<N>(at.g + i);
    Pack<float, N> p = load<N>(at.p + i), m = load<N>(at.m + i), v = load<N>(at.v + i);
#pragma unroll
    for (int e = 0; e < N; ++e) {
        const float gradient = g.item[e] * gradient_scale;
        m.item[e] = fmaf(gradient, f.one_minus_beta1, m.item[e] * f.beta1);
        v.item[e] = fmaf(gradient * gradient, f.one_minus_beta2, v.item[e] * f.beta2);
        const float root = sqrtf(v.item[e]) / f.root_correction + f.epsilon;
        p.item[e] = fmaf(-f.step_size, m.item[e] / root, p.item[e] * f.decay);
    }
    store(at.p + i, p);
    store(at.m + i, m);
    store(at.v + i, v);
}

template <int N> __global__ void __launch_bounds__(kThreads)
    step(Vectors at, int64_t n, AdamWFactors factors, const double* sum_of_squares, float clip) {
    const float scale = gradient_factor(sum_of_squares, clip);
    const int64_t first = (static_cast<int64_t>(blockIdx.x) * kPacksEach * kThreads + threadIdx.x) * N;
#pragma unroll
    for (int pack = 0; pack < kPacksEach; ++pack) {
        const int64_t i = first + pack * kThreads * N;
        if (i + N <= n)
            update<N>(at, i, factors, scale);
        else
            for (int64_t j = i; j < n; ++j) update<1>(at, j, factors, scale);
    }
}

}  // namespace

void adamw(Stream& stream, View p, View g, View m, View v, const AdamW& options, View sum_of_squares, float clip) {
    const int64_t n = p.count();
    check_adamw(Check("adamw"), p, g, m, v, options, sum_of_squares);
    if (n == 0) return;
    const bool packs = aligned_for(4, p, g, m, v);
    const Vectors vectors{p.as<float>(), g.as<float>(), m.as<float>(), v.as<float>()};
    launch("adamw", stream, packs ? step<4> : step<1>, dim3(static_cast<unsigned>(ceil_div(n, kThreads * kPacksEach * (packs ? 4 : 1)))),
           kThreads, 0, vectors, n, AdamWFactors(options), sum_of_squares.as<const double>(), clip);
}

}  // namespace vaccine::ops
