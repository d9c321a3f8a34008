// The loss of rows of logits: bound by memory. Forward reads a row once: largest logit and sum go along together.
#include <cmath>

#include "ops/checks.h"
#include "ops/cuda/exp_sum.cuh"
#include "ops/cuda/rows.cuh"
#include "ops/cuda/soft_cap.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 512;

template <int N> __global__ void __launch_bounds__(kThreads)
    forward(const float* logits, const int32_t* targets, float* loss, float* lse, int64_t V) {
    const int64_t n = blockIdx.x;
    const float* row = logits + n * V;
    const ExpSum whole = sum_of_exp<N, kThreads>(row, V);
    if (threadIdx.x != 0) return;
    lse[n] = whole.lse();
    // Not from the rounded lse: where the loss is small, that would be all that is left of it.
    loss[n] = static_cast<float>(static_cast<double>(whole.most - row[targets[n]]) + log(whole.sum));
}

struct Cap {
    float* x;
    SoftCap cap;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        Pack<float, N> values = load<N>(x + i);
#pragma unroll
        for (int e = 0; e < N; ++e) values.item[e] = cap(values.item[e]);
        store(x + i, values);
    }
};

struct Backward {
    float* logits;
    const int32_t* targets;
    const float* lse;
    float scale;
    SoftCap cap;
    int64_t V;
    template <int N> __device__ void operator()(PackSize<N>, int64_t n, int64_t v) const {
        float* at = logits + n * V + v;
        const float shift = lse[n];
        const int64_t target = targets[n] - v;
        Pack<float, N> x = load<N>(at);
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float y = x.item[e];
            x.item[e] = scale * expf(y - shift);
            if (e == target) x.item[e] -= scale;
            if (cap.cap != 0) x.item[e] *= cap.slope(y);
        }
        store(at, x);
    }
};

}  // namespace

void soft_cap(Stream& stream, View x, float cap) {
    const Check check("soft_cap");
    check.vector("x", x, DType::F32, x.count());
    check.that(cap > 0 && std::isfinite(cap), "cap", "a positive number", cap);
    for_each_pack<4>("soft_cap", stream, x.count(), aligned_for(4, x), Cap{x.as<float>(), {cap}});
}

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

void cross_entropy_backward(Stream& stream, View logits, View targets, View lse, float scale, float cap) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("cross_entropy_backward");
    check_cross_entropy(check, logits, targets, lse);
    check_cap(check, cap);
    for_each_row_pack<4>("cross_entropy_backward", stream, N, V, aligned_for(4, logits),
                         Backward{logits.as<float>(), targets.as<int32_t>(), lse.as<float>(), scale, {cap}, V});
}

}  // namespace vaccine::ops
