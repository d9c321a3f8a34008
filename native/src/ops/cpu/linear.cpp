// Matrix products and nothing else: each line of ops.h's formulas is one call of gemm.
#include "ops/cpu/linear.h"

#include <algorithm>

#include "ops/checks.h"
#include "ops/cpu/dropout.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/ranges.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kPartBytes = int64_t{4} << 20;  // of dropout(x) or its gradient that is held at a time
constexpr int64_t kBiasColumns = 64;              // a task's share of dbias

/// Rows of `columns` floats in a part.
int64_t rows_of_part(int64_t columns) {
    return std::max<int64_t>(1, kPartBytes / std::max<int64_t>(1, columns * static_cast<int64_t>(sizeof(float))));
}

GemmOperand plain(const View& view) {
    return {view.data, view.dtype, view.columns, 1};
}
GemmOperand transposed(const View& view) {
    return {view.data, view.dtype, 1, view.columns};
}

/// c (+)= alpha * a b + bias
void multiply(Stream& stream, float alpha, GemmOperand a, GemmOperand b, int64_t K, const View& c, bool accumulate,
              const float* bias = nullptr) {
    gemm(stream, {c.rows, c.columns, K, alpha, a, b, c.as<float>(), c.columns, accumulate, bias});
}

void check_adapter(const Check& check, const Lora& lora, int64_t T, int64_t in, int64_t out) {
    if (lora.a.empty()) return;
    const int64_t rank = lora.a.rows;
    check.matrix("lora.a", lora.a, DType::F32, rank, in);
    check.matrix("lora.b", lora.b, DType::F32, out, rank);
    check.matrix("lora.h", lora.h, DType::F32, T, rank);
    check.that(lora.dropout.probability >= 0 && lora.dropout.probability < 1, "lora.dropout.probability", "0 or more, less than 1",
               lora.dropout.probability);
}

/// Calls f(stream, first, part) for some rows of (rows, columns) after the others; part is room for them at the end of the workspace, and
/// f's stream has the rest of that.
template <class F> void for_parts(const Stream& stream, int64_t rows, int64_t columns, F f) {
    const int64_t step = std::min(rows, rows_of_part(columns)), bytes = step * columns * static_cast<int64_t>(sizeof(float));
    Stream rest = stream;
    rest.workspace_bytes -= bytes;
    void* room = static_cast<char*>(stream.workspace) + rest.workspace_bytes;
    for (int64_t first = 0; first < rows; first += step) f(rest, first, View{room, DType::F32, std::min(step, rows - first), columns});
}

/// part = dropout(x), for the part's rows of x.
void drop(Stream& stream, const Lora& lora, const View& x, int64_t first, const View& part) {
    const float* from = x.rows_from(first, part.rows).as<float>();
    dropout(stream, lora.dropout, first * x.columns, part.count(), from, part.as<float>(), false);
}

/// h = dropout(x) a^T
void project(Stream& stream, const View& x, const Lora& lora) {
    if (lora.dropout.probability == 0) return multiply(stream, 1, plain(x), transposed(lora.a), x.columns, lora.h, false);
    for_parts(stream, x.rows, x.columns, [&](Stream& rest, int64_t first, const View& part) {
        drop(rest, lora, x, first, part);
        multiply(rest, 1, plain(part), transposed(lora.a), x.columns, lora.h.rows_from(first, part.rows), false);
    });
}

/// dbias += sum_t dy, each column in the order of t.
void sum_rows(Stream& stream, const View& dy, const View& dbias) {
    for_ranges(stream, dy.columns, kBiasColumns, [&](int64_t first, int64_t last) {
        const int64_t columns = last - first;
        float sum[kBiasColumns] = {};
        for (int64_t t = 0; t < dy.rows; ++t) {
            const float* row = dy.as<float>() + t * dy.columns + first;
            for (int64_t j = 0; j < columns; ++j) sum[j] += row[j];
        }
        for (int64_t j = 0; j < columns; ++j) dbias.as<float>()[first + j] += sum[j];
    });
}

/// da += dh^T dropout(x), dx += dropout'(dh a)
void through_dropout(Stream& stream, const View& x, const Lora& lora, const View& dh, const View& da, const View& dx) {
    for_parts(stream, x.rows, x.columns, [&](Stream& rest, int64_t first, const View& part) {
        const View dh_part = dh.rows_from(first, part.rows);
        if (!da.empty()) {
            drop(rest, lora, x, first, part);
            multiply(rest, 1, transposed(dh_part), plain(part), part.rows, da, true);
        }
        if (dx.empty()) return;
        multiply(rest, 1, plain(dh_part), plain(lora.a), dh.columns, part, false);
        float* to = dx.rows_from(first, part.rows).as<float>();
        dropout(rest, lora.dropout, first * x.columns, part.count(), part.as<float>(), to, true);
    });
}

/// dh: scratch.
void adapter_backward(Stream& stream, const View& dy, const View& x, const Lora& lora, const LinearGradients& gradients, const View& dh) {
    const View &da = gradients.da, &dx = gradients.dx;
    if (!gradients.db.empty()) multiply(stream, lora.scale, transposed(dy), plain(lora.h), x.rows, gradients.db, true);
    if (dx.empty() && da.empty()) return;
    multiply(stream, lora.scale, plain(dy), plain(lora.b), dy.columns, dh, false);
    if (lora.dropout.probability > 0) return through_dropout(stream, x, lora, dh, da, dx);
    if (!da.empty()) multiply(stream, 1, transposed(dh), plain(x), x.rows, da, true);
    if (!dx.empty()) multiply(stream, 1, plain(dh), plain(lora.a), dh.columns, dx, true);
}

}  // namespace

int64_t linear_workspace_bytes(int32_t threads, const WorkspaceNeed& need) {
    const int64_t row = need.largest_width * static_cast<int64_t>(sizeof(float));
    return gemm_workspace_bytes(threads, std::max(need.tokens, need.largest_width)) +
           std::min(need.tokens * row, std::max(kPartBytes, row));
}

void linear_forward(Stream& stream, View x, View w, View bias, const Lora& lora, View y, View addend) {
    const int64_t T = x.rows, in = x.columns, out = w.rows;
    const Check check("linear_forward");
    check.matrix("x", x, DType::F32, T, in);
    check.number_matrix("w", w, out, in);
    check.matrix("y", y, DType::F32, T, out);
    if (!bias.empty()) check.vector("bias", bias, DType::F32, out);
    if (!addend.empty()) check.matrix("addend", addend, DType::F32, T, out);
    check_adapter(check, lora, T, in, out);
    if (T == 0) return;

    if (!addend.empty() && addend.data != y.data) copy(stream, addend, y);
    multiply(stream, 1, plain(x), transposed(w), in, y, !addend.empty(), bias.as<float>());
    if (lora.a.empty()) return;
    project(stream, x, lora);
    multiply(stream, lora.scale, plain(lora.h), transposed(lora.b), lora.a.rows, y, true);
}

void linear_backward(Stream& stream, View dy, View x, View w, const Lora& lora, const LinearGradients& gradients, View scratch) {
    const int64_t T = x.rows, in = x.columns, out = w.rows;
    const Check check("linear_backward");
    check.matrix("dy", dy, DType::F32, T, out);
    check.matrix("x", x, DType::F32, T, in);
    check.number_matrix("w", w, out, in);
    check_adapter(check, lora, T, in, out);
    if (!gradients.dx.empty()) check.matrix("dx", gradients.dx, DType::F32, T, in);
    if (!gradients.dw.empty()) check.matrix("dw", gradients.dw, DType::F32, out, in);
    if (!gradients.dbias.empty()) check.vector("dbias", gradients.dbias, DType::F32, out);
    if (!gradients.da.empty()) check.matrix("da", gradients.da, DType::F32, lora.a.rows, in);
    if (!gradients.db.empty()) check.matrix("db", gradients.db, DType::F32, out, lora.a.rows);
    if (!lora.a.empty()) check.matrix("scratch", scratch, DType::F32, T, lora.a.rows);
    if (T == 0) return;

    if (!gradients.dx.empty()) multiply(stream, 1, plain(dy), plain(w), out, gradients.dx, gradients.accumulate_dx);
    if (!gradients.dw.empty()) multiply(stream, 1, transposed(dy), plain(x), T, gradients.dw, true);
    if (!gradients.dbias.empty()) sum_rows(stream, dy, gradients.dbias);
    if (!lora.a.empty()) adapter_backward(stream, dy, x, lora, gradients, scratch);
}

}  // namespace vaccine::ops
