#include <algorithm>
#include <vector>

#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/gram_pieces.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kColumns = 512;  // whose sums a task keeps

void check_offsets(const Check& check, const char* name, const View& offsets, int64_t rows, int64_t longest) {
    const int32_t* at = offsets.as<int32_t>();
    check.that(at[0] >= 0 && at[offsets.count() - 1] <= rows, name, "rows of the matrix", at[offsets.count() - 1]);
    for (int64_t s = 0; s + 1 < offsets.count(); ++s)
        check.that(at[s] <= at[s + 1] && at[s + 1] - at[s] <= longest, name, "ascending, and no sample longer than `longest`", at[s + 1]);
}

}  // namespace

void gram(Stream& stream, View x, View x_offsets, View y, View y_offsets, int64_t longest, View out) {
    const Check check("gram");
    check_samples(check, x, x_offsets, y, y_offsets, longest);
    const int64_t A = x_offsets.count() - 1, B = y_offsets.count() - 1, C = x.columns, pairs = A * B;
    check.matrix("out", out, DType::F64, A, B);
    check_offsets(check, "x_offsets", x_offsets, x.rows, longest);
    check_offsets(check, "y_offsets", y_offsets, y.rows, longest);
    const GramPieces pieces(B, longest, C);
    const int32_t *at_x = x_offsets.as<int32_t>(), *at_y = y_offsets.as<int32_t>();
    std::vector<double> partial(static_cast<size_t>(pieces.count * pairs));
    const VectorKernels& kernels = vector_kernels();
    // Neighbouring tasks are of one piece, whose elements stay in the cache.
    for_ranges(stream, pieces.count * pairs, 1, [&](int64_t task, int64_t) {
        const int64_t a = task % pairs / B, b = task % B, first = task / pairs * pieces.length;
        const int64_t n = std::min(at_x[a + 1] - at_x[a], at_y[b + 1] - at_y[b]) * C, count = std::min(pieces.length, n - first);
        if (count > 0)
            partial[static_cast<size_t>(task)] =
                kernels.dot(x.as<float>() + at_x[a] * C + first, y.as<float>() + at_y[b] * C + first, count);
    });
    for (int64_t pair = 0; pair < pairs; ++pair) {
        double sum = 0;
        for (int64_t piece = 0; piece < pieces.count; ++piece) sum += partial[static_cast<size_t>(piece * pairs + pair)];
        out.as<double>()[pair] = sum;
    }
}

void add_combination(Stream& stream, View x, View x_offsets, View coefficients, View y, View y_offsets, int64_t longest) {
    const Check check("add_combination");
    check_samples(check, x, x_offsets, y, y_offsets, longest);
    const int64_t A = y_offsets.count() - 1, B = x_offsets.count() - 1, C = x.columns;
    check.matrix("coefficients", coefficients, DType::F64, A, B);
    check_offsets(check, "x_offsets", x_offsets, x.rows, longest);
    check_offsets(check, "y_offsets", y_offsets, y.rows, longest);
    const int32_t *at_x = x_offsets.as<int32_t>(), *at_y = y_offsets.as<int32_t>();
    const int64_t slabs = (C + kColumns - 1) / kColumns;
    for_ranges(stream, A * longest * slabs, 1, [&](int64_t task, int64_t) {
        const int64_t a = task / slabs / longest, t = task / slabs % longest, first = task % slabs * kColumns;
        if (t >= at_y[a + 1] - at_y[a]) return;
        const int64_t count = std::min(kColumns, C - first);
        float* to = y.as<float>() + (at_y[a] + t) * C + first;
        double sum[kColumns];
        std::copy(to, to + count, sum);
        for (int64_t b = 0; b < B; ++b) {
            if (t >= at_x[b + 1] - at_x[b]) continue;
            const double factor = coefficients.as<double>()[a * B + b];
            const float* from = x.as<float>() + (at_x[b] + t) * C + first;
            for (int64_t c = 0; c < count; ++c) sum[c] += factor * static_cast<double>(from[c]);
        }
        for (int64_t c = 0; c < count; ++c) to[c] = static_cast<float>(sum[c]);
    });
}

}  // namespace vaccine::ops
