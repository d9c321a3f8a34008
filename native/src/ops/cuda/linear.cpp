// The linear layers' passes as products. bf16 activations go to the tensor cores where sizes and alignment let them (see tensor_cores),
// else everything to the plain product, which sees w and dy rounded as they do. Which of the two does not depend on the number of rows.
#include <algorithm>

#include "ops/checks.h"
#include "ops/cuda/gemm.h"
#include "ops/cuda/gemm_plain.h"
#include "ops/cuda/linear_parts.h"
#include "ops/cuda/low_rank.h"
#include "ops/cuda/stream.h"
#include "ops/cuda_workspace.h"

namespace vaccine::ops {
namespace {

using namespace cuda_workspace;

int64_t pieces_of(int64_t total, int64_t item_bytes, int64_t bytes, int64_t least) {
    return std::min(total, std::max<int64_t>(bytes / item_bytes / least, 1) * least);
}
int64_t rounded_rows(int64_t T, int64_t out) {
    return pieces_of(T, out * 2, kRoundedRowBytes, kLeastRows);
}
int64_t panel_columns(int64_t columns, int64_t K) {
    return pieces_of(columns, K * 2, kPanelBytes, kLeastColumns);
}

template <class... Views> bool aligned(const Views&... views) {
    const auto fits = [](const View& view) { return reinterpret_cast<uintptr_t>(view.data) % 16 == 0; };
    return (fits(views) && ...);
}
/// Whether gemm_bf16 and the adapter's kernels can take a layer.
bool tensor_cores(const View& x, const View& w) {
    return x.dtype == DType::BF16 && w.rows % 8 == 0 && w.columns % 8 == 0 && aligned(x, w);
}

struct Call {
    const char* op;
    const Stream& stream;
    View x, w;
    const Lora& lora;
    DropoutMask mask;
    int64_t panel_at = 0;  // bytes of workspace before the panel of w

    Call(const char* name, const Stream& to, const View& input, const View& weight, const Lora& adapter)
        : op(name), stream(to), x(input), w(weight), lora(adapter), mask(dropout_mask(adapter.dropout, input.columns)) {}
    int64_t in() const { return w.columns; }
    int64_t out() const { return w.rows; }
    int64_t rank() const { return lora.a.empty() ? 0 : lora.a.rows; }
};

/// Calls f(b, b's row, first, columns) with w in bf16, whole or in panels of `columns` columns of c: rows of w in the forward pass, else
/// its columns.
template <class F> void for_panels(const Call& call, bool forward, F f) {
    const View& w = call.w;
    const int64_t columns = forward ? w.rows : w.columns, K = forward ? w.columns : w.rows;
    if (w.dtype == DType::BF16) return f(w.data, w.columns, int64_t{0}, columns);
    const int64_t step = panel_columns(columns, K);
    void* panel = workspace<uint16_t>(call.stream, call.op, step * K, call.panel_at);
    for (int64_t first = 0; first < columns; first += step) {
        const int64_t n = std::min(step, columns - first);
        if (forward)
            round_to_bf16(call.op, call.stream, w.rows_from(first, n), 0, w.columns, panel);
        else
            round_to_bf16(call.op, call.stream, w, first, n, panel);
        f(panel, forward ? w.columns : n, first, n);
    }
}

void* at(const View& view, int64_t element) {
    return view.empty() ? nullptr : static_cast<char*>(view.data) + element * size_of(view.dtype);
}

Gemm product(int64_t M, int64_t N, int64_t K, const View& a, const void* b, int64_t b_row) {
    Gemm gemm;
    gemm.M = static_cast<int>(M);
    gemm.N = static_cast<int>(N);
    gemm.K = static_cast<int>(K);
    gemm.a = a.data;
    gemm.a_row = a.columns;
    gemm.b = b;
    gemm.b_row = b_row;
    return gemm;
}

// ---- on tensor cores ----------------------------------------------------------------------------------------------------------------

void forward_on_tensor_cores(const Call& call, const View& bias, const View& y, const View& addend) {
    const int64_t rank = call.rank();
    const Lora& lora = call.lora;
    if (rank > 0) project_rows(call.op, call.stream, call.x, call.mask, lora.a, true, call.mask.scale, lora.h.as<float>());
    for_panels(call, true, [&](const void* w, int64_t w_row, int64_t first, int64_t columns) {
        Gemm gemm = product(call.x.rows, columns, call.in(), call.x, w, w_row);
        if (rank > 0) {
            gemm.low.left = lora.h.as<float>();
            gemm.low.right = lora.b.as<float>() + first * rank;
            gemm.low.right_row = rank;
            gemm.low.rank = static_cast<int>(rank);
            gemm.low.scale = lora.scale;
        }
        gemm.bias = static_cast<const float*>(at(bias, first));
        gemm.addend = at(addend, first);
        gemm.c = at(y, first);
        gemm.c_row = y.columns;
        ops::gemm(call.op, call.stream, GemmKind::Forward, y.dtype, gemm);
    });
}

void input_gradient(const Call& call, const View& dy, const View& dx, bool accumulate, const View& dh) {
    for_panels(call, false, [&](const void* w, int64_t w_row, int64_t first, int64_t columns) {
        Gemm gemm = product(dy.rows, columns, call.out(), dy, w, w_row);
        if (call.rank() > 0) {
            gemm.low.left = dh.as<float>();
            gemm.low.right = call.lora.a.as<float>() + first;
            gemm.low.right_row = call.in();
            gemm.low.rank = static_cast<int>(call.rank());
            gemm.low.mask = call.mask;
            gemm.low.mask.first += first;
        }
        gemm.c = at(dx, first);
        gemm.c_row = call.in();
        if (accumulate) gemm.addend = gemm.c;
        ops::gemm(call.op, call.stream, GemmKind::InputGradient, DType::BF16, gemm);
    });
}

/// dy: bf16. All views hold the same rows.
void backward_on_tensor_cores(const Call& call, const View& dy, const LinearGradients& gradients, const View& h, const View& dh) {
    const Lora& lora = call.lora;
    if (!gradients.db.empty()) outer_product(call.op, call.stream, h, dy, {}, lora.scale, gradients.db.as<float>(), true);
    if (call.rank() > 0 && !(gradients.dx.empty() && gradients.da.empty()))
        project_rows(call.op, call.stream, dy, {}, lora.b, false, lora.scale, dh.as<float>());
    if (!gradients.da.empty()) outer_product(call.op, call.stream, dh, call.x, call.mask, call.mask.scale, gradients.da.as<float>(), false);
    if (!gradients.dx.empty()) input_gradient(call, dy, gradients.dx, gradients.accumulate_dx, dh);
    if (gradients.dw.empty()) return;
    Gemm gemm = product(call.out(), call.in(), dy.rows, dy, call.x.data, call.in());
    gemm.addend = gemm.c = gradients.dw.data;
    gemm.c_row = call.in();
    ops::gemm(call.op, call.stream, GemmKind::WeightGradient, DType::F32, gemm);
}

/// An fp32 dy (of logits) is rounded some rows at a time.
void backward_in_pieces(Call call, const View& dy, const LinearGradients& gradients, const View& dh) {
    if (dy.dtype == DType::BF16) return backward_on_tensor_cores(call, dy, gradients, call.lora.h, dh);
    const int64_t T = dy.rows, step = rounded_rows(T, call.out());
    const View x = call.x, rounded = {workspace<uint16_t>(call.stream, call.op, step * call.out()), DType::BF16, step, call.out()};
    call.panel_at = rounded.bytes();
    for (int64_t first = 0; first < T; first += step) {
        const int64_t n = std::min(step, T - first);
        const auto rows = [&](const View& view) { return view.empty() ? view : view.rows_from(first, n); };
        LinearGradients part = gradients;
        part.dx = rows(gradients.dx);
        call.x = rows(x);
        call.mask.first = first * call.in();
        round_to_bf16(call.op, call.stream, rows(dy), 0, call.out(), rounded.data);
        backward_on_tensor_cores(call, rounded.rows_from(0, n), part, rows(call.lora.h), rows(dh));
    }
}

// ---- without ------------------------------------------------------------------------------------------------------------------------

/// w or dy, rounded where the activations are bf16.
PlainOperand rounded(const Call& call, PlainOperand operand) {
    operand.rounds = call.x.dtype == DType::BF16;
    return operand;
}

PlainGemm plain_product(int64_t M, int64_t N, int64_t K, const PlainOperand& a, const PlainOperand& b, const View& c) {
    PlainGemm gemm;
    gemm.M = M;
    gemm.N = N;
    gemm.K = K;
    gemm.a = a;
    gemm.b = b;
    gemm.c = c.data;
    gemm.c_bf16 = c.dtype == DType::BF16;
    return gemm;
}

/// Adds the product of `a`, times `factor`, and `b` over the rank.
void add_low_rank(const Call& call, PlainGemm& gemm, PlainOperand a, PlainOperand b, float factor) {
    a.factor = factor;
    gemm.low_a = a;
    gemm.low_b = b;
    gemm.low_K = call.rank();
}

void plain_forward(const Call& call, const View& bias, const View& y, const View& addend) {
    const Lora& lora = call.lora;
    const int64_t T = call.x.rows;
    PlainGemm gemm = plain_product(T, call.out(), call.in(), plain(call.x), rounded(call, plain(call.w)), y);
    gemm.bias = bias.as<float>();
    gemm.addend = addend.data;
    if (call.rank() > 0) {
        PlainGemm down = plain_product(T, call.rank(), call.in(), plain(call.x), plain(lora.a), lora.h);
        down.a.mask = call.mask;
        down.alpha = call.mask.scale;
        gemm_plain(call.op, call.stream, down);
        add_low_rank(call, gemm, plain(lora.h), plain(lora.b), lora.scale);
    }
    gemm_plain(call.op, call.stream, gemm);
}

/// c += alpha * a^T mask(b), summed over T rows; a and b as their columns.
void plain_accumulate(const Call& call, const PlainOperand& a, const PlainOperand& b, const DropoutMask& mask, float alpha, const View& c) {
    if (c.empty()) return;
    PlainGemm gemm = plain_product(c.rows, c.columns, call.x.rows, a, b, c);
    gemm.b.mask = mask;
    gemm.alpha = alpha;
    gemm.addend = c.data;
    gemm_plain(call.op, call.stream, gemm);
}

void plain_backward(const Call& call, const View& dy, const LinearGradients& gradients, const View& dh) {
    const Lora& lora = call.lora;
    const int64_t T = dy.rows;
    if (call.rank() > 0 && !(gradients.dx.empty() && gradients.da.empty())) {
        PlainGemm down = plain_product(T, call.rank(), call.out(), rounded(call, plain(dy)), transposed(lora.b), dh);
        down.alpha = lora.scale;
        gemm_plain(call.op, call.stream, down);
    }
    const PlainOperand dy_columns = rounded(call, transposed(dy)), x_columns = transposed(call.x);
    plain_accumulate(call, dy_columns, x_columns, {}, 1, gradients.dw);
    plain_accumulate(call, dy_columns, transposed(lora.h), {}, lora.scale, gradients.db);
    plain_accumulate(call, transposed(dh), x_columns, call.mask, call.mask.scale, gradients.da);
    if (gradients.dx.empty()) return;
    PlainGemm gemm = plain_product(T, call.in(), call.out(), rounded(call, plain(dy)), rounded(call, transposed(call.w)), gradients.dx);
    if (call.rank() > 0) {
        add_low_rank(call, gemm, plain(dh), transposed(lora.a), 1);
        gemm.low_mask = call.mask;
    }
    if (gradients.accumulate_dx) gemm.addend = gradients.dx.data;
    gemm_plain(call.op, call.stream, gemm);
}

// ---- arguments ----------------------------------------------------------------------------------------------------------------------

void check_layer(const Check& check, const View& x, const View& w, const Lora& lora) {
    const int64_t T = x.rows, in = x.columns, out = w.rows, rank = lora.a.rows;
    check.number_matrix("x", x, T, in);
    check.number_matrix("w", w, out, in);
    if (lora.a.empty()) return;
    check.matrix("lora.a", lora.a, DType::F32, rank, in);
    check.matrix("lora.b", lora.b, DType::F32, out, rank);
    check.matrix("lora.h", lora.h, DType::F32, T, rank);
    check.that(lora.dropout.probability >= 0 && lora.dropout.probability < 1, "lora.dropout.probability", "0 or more, less than 1",
               lora.dropout.probability);
}

/// y or dy: an activation of x's type, or fp32.
void check_output(const Check& check, const char* argument, const View& view, const View& x, int64_t columns) {
    check.matrix(argument, view, view.dtype == DType::F32 ? DType::F32 : x.dtype, x.rows, columns);
}

}  // namespace

void linear_forward(Stream& stream, View x, View w, View bias, const Lora& lora, View y, View addend) {
    const Check check("linear_forward");
    check_layer(check, x, w, lora);
    check_output(check, "y", y, x, w.rows);
    if (!bias.empty()) check.vector("bias", bias, DType::F32, w.rows);
    if (!addend.empty()) check.matrix("addend", addend, y.dtype, y.rows, y.columns);
    if (x.rows == 0) return;
    const Call call("linear_forward", stream, x, w, lora);
    if (tensor_cores(x, w) && aligned(y, addend, lora.a))
        forward_on_tensor_cores(call, bias, y, addend);
    else
        plain_forward(call, bias, y, addend);
}

void linear_backward(Stream& stream, View dy, View x, View w, const Lora& lora, const LinearGradients& gradients, View scratch) {
    const int64_t T = x.rows, in = x.columns, out = w.rows, rank = lora.a.rows;
    const Check check("linear_backward");
    check_layer(check, x, w, lora);
    check_output(check, "dy", dy, x, out);
    if (!gradients.dx.empty()) check.matrix("dx", gradients.dx, x.dtype, T, in);
    if (!gradients.dw.empty()) check.matrix("dw", gradients.dw, DType::F32, out, in);
    if (!gradients.dbias.empty()) check.vector("dbias", gradients.dbias, DType::F32, out);
    if (!gradients.da.empty()) check.matrix("da", gradients.da, DType::F32, rank, in);
    if (!gradients.db.empty()) check.matrix("db", gradients.db, DType::F32, out, rank);
    if (!lora.a.empty()) check.matrix("scratch", scratch, DType::F32, T, rank);
    if (T == 0) return;
    const Call call("linear_backward", stream, x, w, lora);
    if (!gradients.dbias.empty()) add_column_sums(call.op, stream, dy, gradients.dbias);
    if (tensor_cores(x, w) && aligned(dy, gradients.dx, gradients.dw))
        backward_in_pieces(call, dy, gradients, scratch);
    else
        plain_backward(call, dy, gradients, scratch);
}

}  // namespace vaccine::ops
