// The loss of rows of logits: bound by memory. Forward reads a row once: largest logit and sum go along together.
#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 512;

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

/// The largest over the block, the same in every thread.
__device__ float block_max(float value) {
    __shared__ float part[kThreads / kWarp];
    value = warp_max(value);
    if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
    __syncthreads();
    float most = part[0];
    for (int warp = 1; warp < kThreads / kWarp; ++warp) most = fmaxf(most, part[warp]);
    return most;
}

template <int N> __global__ void __launch_bounds__(kThreads)
    forward(const float* logits, const int32_t* targets, float* loss, float* lse, int64_t V) {
    const int64_t n = blockIdx.x;
    const float* row = logits + n * V;
    Tally tally;
    for (int64_t v = static_cast<int64_t>(threadIdx.x) * N; v < V; v += kThreads * N) tally.add(load<N>(row + v));
    Tally whole;
    whole.most = block_max(tally.most);
    const double sum = block_sum<kThreads>(static_cast<double>(tally.sum * expf(tally.most - whole.shift())));
    if (threadIdx.x != 0) return;
    const double above = log(sum), most = static_cast<double>(whole.most);
    lse[n] = static_cast<float>(most + above);
    // Not from the rounded lse: where the loss is small, that would be all that is left of it.
    loss[n] = static_cast<float>(static_cast<double>(whole.most - row[targets[n]]) + above);
}

struct Backward {
    float* logits;
    const int32_t* targets;
    const float* lse;
    float scale;
    int64_t V;
    template <int N> __device__ void operator()(PackSize<N>, int64_t n, int64_t v) const {
        float* at = logits + n * V + v;
        const float shift = lse[n];
        const int64_t target = targets[n] - v;
        Pack<float, N> x = load<N>(at);
#pragma unroll
        for (int e = 0; e < N; ++e) {
            x.item[e] = scale * expf(x.item[e] - shift);
            if (e == target) x.item[e] -= scale;
        }
        store(at, x);
    }
};

}  // namespace

void cross_entropy_forward(Stream& stream, View logits, View targets, View loss, View lse) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("cross_entropy_forward");
    check_cross_entropy(check, logits, targets, lse);
    check.vector("loss", loss, DType::F32, N);
    if (N == 0) return;
    const bool packs = aligned_for(4, logits) && V % 4 == 0;
    launch("cross_entropy_forward", stream, packs ? forward<4> : forward<1>, dim3(static_cast<unsigned>(N)), kThreads, 0,
           logits.as<float>(), targets.as<int32_t>(), loss.as<float>(), lse.as<float>(), V);
}

void cross_entropy_backward(Stream& stream, View logits, View targets, View lse, float scale) {
    const int64_t N = logits.rows, V = logits.columns;
    check_cross_entropy(Check("cross_entropy_backward"), logits, targets, lse);
    for_each_row_pack<4>("cross_entropy_backward", stream, N, V, aligned_for(4, logits),
                         Backward{logits.as<float>(), targets.as<int32_t>(), lse.as<float>(), scale, V});
}

}  // namespace vaccine::ops
