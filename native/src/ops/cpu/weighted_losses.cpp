#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

/// sum_v exp(row[v]), as exp(most) * sum.
struct Sum {
    float most;
    double sum;

    Sum(const float* row, int64_t V) : most(vector_kernels().largest(row, V)), sum(vector_kernels().sum_of_exp(row, most, V)) {}
    float lse() const { return static_cast<float>(most + std::log(sum)); }
};

}  // namespace

void divergence_forward(Stream& stream, View logits, View teacher, View loss, View lse, View teacher_lse) {
    const int64_t N = logits.rows, V = logits.columns;
    check_divergence(Check("divergence_forward"), logits, teacher, loss, lse, teacher_lse);
    for_rows(stream, N, V, 5, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) {
            const float *row = logits.as<float>() + n * V, *other = teacher.as<float>() + n * V;
            const Sum own(row, V), its(other, V);
            lse.as<float>()[n] = own.lse();
            teacher_lse.as<float>()[n] = its.lse();
            // Not from the rounded lse: near the teacher, that would be all that is left of the loss.
            const double apart = vector_kernels().sum_of_exp_times(other, its.most, row, own.most, V) / its.sum;
            loss.as<float>()[n] = static_cast<float>(apart + std::log(own.sum) - std::log(its.sum));
        }
    });
}

void negative_entropy_forward(Stream& stream, View logits, View loss, View lse) {
    const int64_t N = logits.rows, V = logits.columns;
    check_negative_entropy(Check("negative_entropy_forward"), logits, loss, lse);
    for_rows(stream, N, V, 3, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) {
            const float* row = logits.as<float>() + n * V;
            const Sum own(row, V);
            lse.as<float>()[n] = own.lse();
            loss.as<float>()[n] =
                static_cast<float>(vector_kernels().sum_of_exp_times(row, own.most, nullptr, 0, V) / own.sum - std::log(own.sum));
        }
    });
}

void weighted_losses_backward(Stream& stream, View logits, View lse, const WeightedLosses& losses, float cap) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("weighted_losses_backward");
    check_weighted_losses(check, logits, lse, losses);
    check_cap(check, cap);
    if (losses.labels != 0) check_indices(check, "targets", losses.targets, V);
    for_rows(stream, N, V, 3, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) {
            SoftmaxGradient of;
            of.lse = lse.as<float>()[n];
            of.own = losses.labels + losses.divergence;
            if (losses.divergence != 0) {
                of.teacher = losses.teacher.as<float>() + n * V;
                of.teacher_lse = losses.teacher_lse.as<float>()[n];
                of.divergence = losses.divergence;
            }
            if (losses.negative_entropy != 0) {
                of.entropy = losses.negative_entropy;
                of.negative_entropy = losses.negative_entropies.as<float>()[n];
            }
            of.cap = cap;
            float *row = logits.as<float>() + n * V, *target = losses.labels != 0 ? row + losses.targets.as<int32_t>()[n] : nullptr;
            const float capped = cap != 0 && target != nullptr ? *target / cap : 0;
            vector_kernels().softmax_gradient(row, of, V);
            if (target != nullptr) *target -= losses.labels * (1 - capped * capped);
        }
    });
}

}  // namespace vaccine::ops
