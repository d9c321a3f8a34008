// Losses that compare whole distributions over the vocabulary: bound by memory. Forward reads a row twice, the second time from cache where
// it fits there.
#include "ops/checks.h"
#include "ops/cuda/exp_sum.cuh"
#include "ops/cuda/rows.cuh"
#include "ops/cuda/soft_cap.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kThreads = 512;

/// Logarithms of probabilities from here down count as this one: times the probability, which is 0, they must be 0 and not NaN.
__device__ float above_least(float log_probability) {
    return log_probability < -1e30f ? -1e30f : log_probability;
}

template <int N> __global__ void __launch_bounds__(kThreads)
    divergence(const float* logits, const float* teacher, float* loss, float* lse, float* teacher_lse, int64_t V) {
    const int64_t n = blockIdx.x;
    const float *row = logits + n * V, *other = teacher + n * V;
    const ExpSum own = sum_of_exp<N, kThreads>(row, V), its = sum_of_exp<N, kThreads>(other, V);
    float apart = 0;
    for (int64_t v = static_cast<int64_t>(threadIdx.x) * N; v < V; v += kThreads * N) {
        const Pack<float, N> x = load<N>(row + v), t = load<N>(other + v);
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float ln = above_least(t[e] - its.most);
            apart += expf(ln) * (ln - above_least(x[e] - own.most));
        }
    }
    const double sum = block_sum<kThreads>(static_cast<double>(apart));
    if (threadIdx.x != 0) return;
    lse[n] = own.lse();
    teacher_lse[n] = its.lse();
    // Not from the rounded lse: near the teacher, that would be all that is left of the loss.
    loss[n] = static_cast<float>(sum / its.sum + log(own.sum) - log(its.sum));
}

template <int N> __global__ void __launch_bounds__(kThreads) negative_entropy(const float* logits, float* loss, float* lse, int64_t V) {
    const int64_t n = blockIdx.x;
    const float* row = logits + n * V;
    const ExpSum own = sum_of_exp<N, kThreads>(row, V);
    float part = 0;
    for (int64_t v = static_cast<int64_t>(threadIdx.x) * N; v < V; v += kThreads * N) {
        const Pack<float, N> x = load<N>(row + v);
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float ln = above_least(x[e] - own.most);
            part += expf(ln) * ln;
        }
    }
    const double sum = block_sum<kThreads>(static_cast<double>(part));
    if (threadIdx.x != 0) return;
    lse[n] = own.lse();
    loss[n] = static_cast<float>(sum / own.sum - log(own.sum));
}

/// DIVERGENCE, ENTROPY: which losses there are besides that of labels, whose factor may be 0.
template <bool DIVERGENCE, bool ENTROPY> struct LossGradient {
    float* logits;
    const float* lse;
    float labels;
    const int32_t* targets;
    float divergence;
    const float *teacher, *teacher_lse;
    float entropy;
    const float* negative_entropies;
    SoftCap cap;
    int64_t V;

    template <int N> __device__ void operator()(PackSize<N>, int64_t n, int64_t v) const {
        const int64_t place = n * V + v;
        const int64_t target = labels != 0 ? targets[n] - v : -1;
        const float shift = lse[n];
        Pack<float, N> x = load<N>(logits + place), t{};
        if constexpr (DIVERGENCE) t = load<N>(teacher + place);
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float y = x[e], ln = y - shift;
            float factor = labels + divergence;
            if constexpr (ENTROPY) factor += entropy * (above_least(ln) - negative_entropies[n]);
            x.item[e] = factor * expf(ln);
            if constexpr (DIVERGENCE) x.item[e] -= divergence * expf(t[e] - teacher_lse[n]);
            if (e == target) x.item[e] -= labels;
            if (cap.cap != 0) x.item[e] *= cap.slope(y);
        }
        store(logits + place, x);
    }
};

template <bool DIVERGENCE, bool ENTROPY> void run_backward(Stream& stream, View logits, View lse, const WeightedLosses& of, float cap) {
    const bool aligned = aligned_for(4, logits) && (!DIVERGENCE || aligned_for(4, of.teacher));
    for_each_row_pack<4>(
        "weighted_losses_backward", stream, logits.rows, logits.columns, aligned,
        LossGradient<DIVERGENCE, ENTROPY>{logits.as<float>(), lse.as<float>(), of.labels, of.targets.as<int32_t>(), of.divergence,
                                          of.teacher.as<float>(), of.teacher_lse.as<float>(), of.negative_entropy,
                                          of.negative_entropies.as<float>(), SoftCap(cap), logits.columns});
}

}  // namespace

void divergence_forward(Stream& stream, View logits, View teacher, View loss, View lse, View teacher_lse) {
    const int64_t N = logits.rows, V = logits.columns;
    check_divergence(Check("divergence_forward"), logits, teacher, loss, lse, teacher_lse);
    if (N == 0) return;
    const bool packs = aligned_for(4, logits, teacher) && V % 4 == 0;
    launch("divergence_forward", stream, packs ? divergence<4> : divergence<1>, dim3(static_cast<unsigned>(N)), kThreads, 0,
           logits.as<float>(), teacher.as<float>(), loss.as<float>(), lse.as<float>(), teacher_lse.as<float>(), V);
}

void negative_entropy_forward(Stream& stream, View logits, View loss, View lse) {
    const int64_t N = logits.rows, V = logits.columns;
    check_negative_entropy(Check("negative_entropy_forward"), logits, loss, lse);
    if (N == 0) return;
    const bool packs = aligned_for(4, logits) && V % 4 == 0;
    launch("negative_entropy_forward", stream, packs ? negative_entropy<4> : negative_entropy<1>, dim3(static_cast<unsigned>(N)), kThreads,
           0, logits.as<float>(), loss.as<float>(), lse.as<float>(), V);
}

void weighted_losses_backward(Stream& stream, View logits, View lse, const WeightedLosses& losses, float cap) {
    const Check check("weighted_losses_backward");
    check_weighted_losses(check, logits, lse, losses);
    check_cap(check, cap);
    const bool divergence = losses.divergence != 0, entropy = losses.negative_entropy != 0;
    if (divergence && entropy) return run_backward<true, true>(stream, logits, lse, losses, cap);
    if (divergence) return run_backward<true, false>(stream, logits, lse, losses, cap);
    if (entropy) return run_backward<false, true>(stream, logits, lse, losses, cap);
    run_backward<false, false>(stream, logits, lse, losses, cap);
}

}  // namespace vaccine::ops
