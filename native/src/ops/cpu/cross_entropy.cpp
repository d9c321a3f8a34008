#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {

void soft_cap(Stream& stream, View x, float cap) {
    const Check check("soft_cap");
    check.vector("x", x, DType::F32, x.count());
    check.that(cap > 0 && std::isfinite(cap), "cap", "a positive number", cap);
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, x.count(), kTaskElements / 2,  // an exp and a division per element
               [&](int64_t first, int64_t last) { kernels.soft_cap(x.as<float>() + first, cap, last - first); });
}

void cross_entropy_forward(Stream& stream, View logits, View targets, View loss, View lse) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("cross_entropy_forward");
    check_cross_entropy(check, logits, targets, lse);
    check.vector("loss", loss, DType::F32, N);
    check_indices(check, "targets", targets, V);

    const VectorKernels& kernels = vector_kernels();
    for_rows(stream, N, V, 2, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) {
            const float* row = logits.as<float>() + n * V;
            const float most = kernels.largest(row, V);
            const double above = std::log(kernels.sum_of_exp(row, most, V));
            lse.as<float>()[n] = static_cast<float>(most + above);
            // Not from the rounded lse: where the loss is small, that would be all that is left of it.
            loss.as<float>()[n] = static_cast<float>(static_cast<double>(most - row[targets.as<int32_t>()[n]]) + above);
        }
    });
}

void cross_entropy_backward(Stream& stream, View logits, View targets, View lse, float scale, float cap) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("cross_entropy_backward");
    check_cross_entropy(check, logits, targets, lse);
    check_cap(check, cap);
    check_indices(check, "targets", targets, V);

    const VectorKernels& kernels = vector_kernels();
    for_rows(stream, N, V, 2, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) {
            float *row = logits.as<float>() + n * V, *target = row + targets.as<int32_t>()[n];
            if (cap == 0) {
                kernels.scaled_exp(row, lse.as<float>()[n], scale, V);
                *target -= scale;
                continue;
            }
            const float capped = *target / cap;
            SoftmaxGradient of;
            of.lse = lse.as<float>()[n];
            of.own = scale;
            of.cap = cap;
            kernels.softmax_gradient(row, of, V);
            *target -= scale * (1 - capped * capped);
        }
    });
}

}  // namespace vaccine::ops
