#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {

void embedding_forward(Stream& stream, View tokens, View table, float scale, View x) {
    const int64_t T = tokens.count(), V = table.rows, C = table.columns;
    const Check check("embedding_forward");
    check.vector("tokens", tokens, DType::I32, T);
    check.number_matrix("table", table, V, C);
    check.matrix("x", x, DType::F32, T, C);
    check_indices(check, "tokens", tokens, V);

    const VectorKernels& kernels = vector_kernels();
    const auto convert = kernels.convert[type_index(table.dtype)][0];
    const int32_t* token = tokens.as<int32_t>();
    for_rows(stream, T, C, 1, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            float* row = x.as<float>() + t * C;
            convert(table.rows_from(token[t], 1).data, row, C);
            if (scale != 1) kernels.scale(row, scale, C);
        }
    });
}

void embedding_backward(Stream& stream, View tokens, View dx, float scale, View dtable) {
    const int64_t T = tokens.count(), V = dtable.rows, C = dtable.columns;
    const Check check("embedding_backward");
    check.vector("tokens", tokens, DType::I32, T);
    check.matrix("dx", dx, DType::F32, T, C);
    check.matrix("dtable", dtable, DType::F32, V, C);
    check_indices(check, "tokens", tokens, V);

    // Tasks own columns, not tokens: each adds its columns in the order of t, whoever else runs.
    constexpr int64_t kSlab = 64;
    const auto add = vector_kernels().axpy[0][0];
    const int32_t* token = tokens.as<int32_t>();
    for_ranges(stream, C, kSlab, [&](int64_t first, int64_t last) {
        for (int64_t t = 0; t < T; ++t) add(scale, dx.as<float>() + t * C + first, dtable.as<float>() + token[t] * C + first, last - first);
    });
}

}  // namespace vaccine::ops
