// The sum of exp over a row of logits by a block: the row is read once, largest logit and sum go along together.
#pragma once
#include "ops/cuda/device.cuh"

namespace vaccine::ops {

/// sum of exp(x - most) over what has been seen; nothing: {-inf, 0}.
struct Tally {
    float most = -INFINITY, sum = 0;

    /// What exponents are taken from: -inf less itself would be no number.
    __device__ float shift() const { return most == -INFINITY ? 0.0f : most; }
    template <int N> __device__ void add(const Pack<float, N>& x) {
        float larger = most;
#pragma unroll
        for (int e = 0; e < N; ++e) larger = fmaxf(larger, x[e]);
        if (larger > most) {  // seldom, after the first few
            sum *= expf(most - larger);
            most = larger;
        }
        const float from = shift();
#pragma unroll
        for (int e = 0; e < N; ++e) sum += expf(x[e] - from);
    }
};

/// The largest over the block, the same in every thread. A block_sum must come before the next call.
template <int THREADS> __device__ float block_max(float value) {
    __shared__ float part[THREADS / kWarp];
    value = warp_max(value);
    if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
    __syncthreads();
    float most = part[0];
    for (int warp = 1; warp < THREADS / kWarp; ++warp) most = fmaxf(most, part[warp]);
    return most;
}

/// A row's sum of exp, as exp(most) * sum.
struct ExpSum {
    float most;
    double sum;

    __device__ float lse() const { return static_cast<float>(static_cast<double>(most) + log(sum)); }
};

/// The same in every thread. All threads of the block must call it.
template <int N, int THREADS> __device__ ExpSum sum_of_exp(const float* row, int64_t V) {
    Tally tally;
    for (int64_t v = static_cast<int64_t>(threadIdx.x) * N; v < V; v += THREADS * N) tally.add(load<N>(row + v));
    Tally whole;
    whole.most = block_max<THREADS>(tally.most);
    return {whole.most, block_sum<THREADS>(static_cast<double>(tally.sum * expf(tally.most - whole.shift())))};
}

}  // namespace vaccine::ops
