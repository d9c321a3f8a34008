// The inner loops of the ops, compiled once per instruction set. The ops around them hold shapes, checks and threads.
// A kernel works on plain fp32 rows in the order of its arguments; where it takes void*, on fp32 or bf16, and there is one per type.
#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "ops/adamw_factors.h"

namespace vaccine::ops {

/// c = a b, or c += a b: m x n, of k terms each, summed in the order of k whatever the tiling.
/// Element (i, l) of a is a[i * a_row + l * a_column]; b and c have contiguous rows.
struct Product {
    int64_t m = 0, n = 0, k = 0;
    const float* a = nullptr;
    int64_t a_row = 0, a_column = 1;
    const float* b = nullptr;
    int64_t b_row = 0;
    float* c = nullptr;
    int64_t c_row = 0;
    bool accumulate = false;
};

/// exp(x - lse) (own + entropy (x - lse - negative_entropy)) - divergence exp(teacher - teacher_lse), times 1 - (x / cap)^2 where cap is
/// not 0. teacher may be NULL.
struct SoftmaxGradient {
    float lse = 0, own = 0;
    const float* teacher = nullptr;
    float teacher_lse = 0, divergence = 0;
    float entropy = 0, negative_entropy = 0;
    float cap = 0;
};

struct VectorKernels {
    // Plain vectors of n elements. The tables go by type_index of x (or from), then of y (or to).
    void (*scale)(float* x, float factor, int64_t n);
    void (*convert[2][2])(const void* from, void* to, int64_t n);
    void (*axpy[2][2])(float alpha, const void* x, void* y, int64_t n);
    void (*multiply_add)(float alpha, const float* a, const float* b, float* y, int64_t n);
    double (*dot)(const float* x, const float* y, int64_t n);
    double (*sum_of_squares[2])(const void* x, int64_t n);
    double (*sum)(const float* x, int64_t n);
    float (*largest)(const float* x, int64_t n);

    // Layers; see the formulas in ops.h.
    /// Returns rstd.
    float (*rmsnorm_row)(const float* x, const float* w, float offset, float eps, int64_t C, float* y);
    void (*rmsnorm_backward_row)(const float* dy, const float* x, const float* w, float offset, float rstd, int64_t C, float* dx);
    /// dw[c] += sum_t dy[t,c] x[t,c] rstd[t] for c in [first, last).
    void (*rmsnorm_backward_weight)(const float* dy, const float* x, const float* rstd, int64_t T, int64_t C, int64_t first, int64_t last,
                                    float* dw);
    /// Turns the head's pairs (low[i], high[i]) by the angles, or back where direction is -1.
    void (*rotate)(float* low, float* high, const float* cosine, const float* sine, int64_t half, float direction);
    /// By Activation.
    void (*glu[2])(const float* gate, const float* up, float* out, int64_t n);
    void (*glu_backward[2])(const float* dout, float* gate, float* up, int64_t n);
    /// x = cap * tanh(x / cap)
    void (*soft_cap)(float* x, float cap, int64_t n);
    /// sum exp(x - shift)
    double (*sum_of_exp)(const float* x, float shift, int64_t n);
    /// x = factor * exp(x - shift)
    void (*scaled_exp)(float* x, float shift, float factor, int64_t n);
    /// sum exp(x - shift) (x - shift - (y - y_shift)); y NULL: without the second. Where x is -inf it adds nothing.
    double (*sum_of_exp_times)(const float* x, float shift, const float* y, float y_shift, int64_t n);
    /// See weighted_losses_backward; what the labels take from their own element is left out.
    void (*softmax_gradient)(float* x, const SoftmaxGradient& of, int64_t n);
    void (*adamw)(float* p, const float* g, float* m, float* v, int64_t n, float gradient_factor, const AdamWFactors& factors);

    // Attention.
    void (*product)(const Product& product);
    /// to[c * to_row + r] = from[r * from_row + c]
    void (*transpose)(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row);
    /// dots[j] = q . k[j], rows of k at a distance of k_row.
    void (*dots)(const float* q, const float* k, int64_t k_row, int64_t keys, int64_t head_size, float* dots);
    /// s = exp(s - shift) in place; returns their sum.
    float (*exp_in_place)(float* s, float shift, int64_t n);
    /// p = exp(p - lse);  dp = p * (dp - delta).
    void (*attention_backward_row)(float* p, float* dp, float lse, float delta, int64_t n);
    /// The same of scores that are yet to be capped: with s = cap * tanh(p / cap), p = exp(s - lse);  dp = p * (dp - delta) * (1 -
    /// (s/cap)^2).
    void (*capped_attention_backward_row)(float* p, float* dp, float lse, float delta, float cap, int64_t n);
};

constexpr int type_index(DType type) {
    return type == DType::BF16 ? 1 : 0;
}

/// Those of active_isa().
const VectorKernels& vector_kernels();

}  // namespace vaccine::ops
