// One kernel for everything that treats elements alike and alone: bound by memory, each element is read and written once, a pack a thread.
#pragma once
#include "ops/cuda/device.cuh"

namespace vaccine::ops {

template <int N> struct PackSize { static constexpr int value = N; };

/// f(PackSize<N>, i) handles elements i .. i+N-1.
template <int N, class F> __global__ void __launch_bounds__(256) each_pack(int64_t n, F f) {
    const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    if (i + N <= n) {
        f(PackSize<N>{}, i);
    } else {
        for (int64_t j = i; j < n; ++j) f(PackSize<1>{}, j);
    }
}

/// Runs f over [0, n). N: elements that f takes at once where `aligned`.
template <int N, class F> void for_each_pack(const char* op, const Stream& stream, int64_t n, bool aligned, const F& f) {
    constexpr int kThreads = 256;
    if (n == 0) return;
    const auto grid = [n](int64_t size) { return dim3(static_cast<unsigned>(ceil_div(n, kThreads * size))); };
    if (aligned)
        launch(op, stream, each_pack<N, F>, grid(N), kThreads, 0, n, f);
    else
        launch(op, stream, each_pack<1, F>, grid(1), kThreads, 0, n, f);
}

}  // namespace vaccine::ops
