#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {

void rmsnorm_forward(Stream& stream, View x, const NormWeight& weight, float eps, View y, View rstd) {
    const int64_t T = x.rows, C = x.columns;
    const Check check("rmsnorm_forward");
    check.matrix("x", x, DType::F32, T, C);
    check.vector("w", weight.w, DType::F32, C);
    check.matrix("y", y, DType::F32, T, C);
    check.vector("rstd", rstd, DType::F32, T);

    const VectorKernels& kernels = vector_kernels();
    for_rows(stream, T, C, 1, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t)
            rstd.as<float>()[t] =
                kernels.rmsnorm_row(x.as<float>() + t * C, weight.w.as<float>(), weight.offset, eps, C, y.as<float>() + t * C);
    });
}

void rmsnorm_backward(Stream& stream, View dy, View x, const NormWeight& weight, View rstd, View dx, View dw) {
    const int64_t T = x.rows, C = x.columns;
    const Check check("rmsnorm_backward");
    check.matrix("dy", dy, DType::F32, T, C);
    check.matrix("x", x, DType::F32, T, C);
    check.vector("w", weight.w, DType::F32, C);
    check.vector("rstd", rstd, DType::F32, T);
    check.matrix("dx", dx, DType::F32, T, C);
    if (!dw.empty()) check.vector("dw", dw, DType::F32, C);

    const VectorKernels& kernels = vector_kernels();
    const float* scale_of_row = rstd.as<float>();
    for_rows(stream, T, C, 1, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t)
            kernels.rmsnorm_backward_row(dy.as<float>() + t * C, x.as<float>() + t * C, weight.w.as<float>(), weight.offset,
                                         scale_of_row[t], C, dx.as<float>() + t * C);
    });
    if (dw.empty()) return;

    // Tasks own columns and sum them in the order of t.
    constexpr int64_t kSlab = 64;
    for_ranges(stream, C, kSlab, [&](int64_t first, int64_t last) {
        kernels.rmsnorm_backward_weight(dy.as<float>(), x.as<float>(), scale_of_row, T, C, first, last, dw.as<float>());
    });
}

}  // namespace vaccine::ops
