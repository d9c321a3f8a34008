// One entry per operation. The cpu and the cuda folder each define every one of them, and nothing else may.
//
// Common rules. Views are contiguous and lie in the device's memory. "activation" is fp32 in the cpu build and fp32 or bf16 in the cuda
// build; all activations of one call have one type. "fp32 or bf16" names both choices explicitly. A gradient that "accumulates" is added
// to what is there. Sums have a fixed order: a call repeated on the same device gives the same bits, whatever the number of threads, and a
// row's result does not depend on which other rows are in the call. T = 0 (no rows) is legal and does nothing. Arguments of wrong shape or
// type throw Error(InvalidArgument) that names the op. Views may not overlap unless an entry says so. Calls are queued on the stream.
#pragma once
#include "core/philox.h"
#include "core/stream.h"
#include "core/view.h"

namespace vaccine::ops {

// ---- scratch ------------------------------------------------------------------------------------------------------------------------

/// The largest sizes that a stream's ops will be called with.
struct WorkspaceNeed {
    int64_t tokens = 0;         // T
    int64_t largest_width = 0;  // of any matrix's input or output: max(C, NH*HD, F, V)
    int64_t heads = 0, kv_heads = 0, head_size = 0;
    int64_t longest_sample = 0;
    int64_t cache_capacity = 0;  // positions per sample in decoding; 0 where nothing is decoded
};

/// Bytes of workspace that every op below needs at most, on this stream, for sizes up to `need`.
int64_t workspace_bytes(const Stream& stream, const WorkspaceNeed& need);

// ---- matrix products ----------------------------------------------------------------------------------------------------------------

/// The GEMM backend of linear_forward and linear_backward on this stream from now on. Cublas: cublasLt, for bf16 activations;
/// throws Error(Unsupported) where it is not installed, and in the cpu build. With it a row's bits may depend on which other rows are in
/// the call. Auto: what was measured to be faster: cublasLt on compute capability 9 where it is installed, else our own. A stream begins
/// with our own.
void choose_gemm(Stream& stream, GemmChoice choice);
/// Whether cublasLt is installed; false in the cpu build.
bool has_cublas();

// ---- plain vectors: fp32 unless said otherwise; x and y have the same number of elements ------------------------------------------------

void fill_zero(Stream& stream, View x);                  // any type
void copy(Stream& stream, View from, View to);           // fp32 or bf16 on either side; rounds to nearest even
void scale(Stream& stream, View x, float factor);        // x *= factor
void axpy(Stream& stream, float alpha, View x, View y);  // y += alpha * x; x and y each fp32 or bf16 (activations), summed in fp32
void multiply_add(Stream& stream, float alpha, View a, View b, View y);  // y += alpha * a * b

/// x *= numerator / (sqrt(sum_of_squares) + epsilon), the sum read from one fp64 in the device's memory: no wait for the host.
/// T-Vaccine's perturbation (arXiv 2410.09760, eq. 5) with epsilon = 1e-7.
void scale_to_norm(Stream& stream, View x, float numerator, View sum_of_squares, float epsilon);
/// y += numerator / (sqrt(sum_of_squares) + epsilon) * x; x is left as it is.
void axpy_to_norm(Stream& stream, float numerator, View sum_of_squares, float epsilon, View x, View y);

/// x = deviation * N(0, 1): Box-Muller over the key's sequence; element i depends on the key and i only. Words (0, 1) and (2, 3) of a block
/// make a pair each, u from random_uniform: sqrt(-2 ln(1 - u0)) times the cosine, then the sine, of 2 pi u1.
void fill_normal(Stream& stream, View x, float deviation, const RandomKey& key);
/// x uniform in [low, high).
void fill_uniform(Stream& stream, View x, float low, float high, const RandomKey& key);

/// Reductions write one fp64 to `out` (1, 1) in the device's memory.
void dot(Stream& stream, View x, View y, View out);     // sum x*y, in fp64
void sum_of_squares(Stream& stream, View x, View out);  // sum x^2, in fp64; x fp32 or bf16
void sum(Stream& stream, View x, View out);             // sum x, in fp64; x fp32 or fp64

/// y[i] = x[rows[i]], y[rows[i]] = x[i], y[rows[i]] += x[i]. rows (N) int32, distinct. x and y activations (either type for each).
void gather_rows(Stream& stream, View x, View rows, View y);
void scatter_rows(Stream& stream, View x, View rows, View y);
void scatter_add_rows(Stream& stream, View x, View rows, View y);

/// Samples of x and y packed one after another: sample a of x is rows x_offsets[a] .. x_offsets[a+1]-1, and so with y.
///     out[a,b] = sum_{t,c} x[x_offsets[a] + t, c] * y[y_offsets[b] + t, c]    over t < min(length of a, length of b)
/// in fp64: the Gram matrix of samples that are padded with zeros. x (T, C), y (U, C) fp32; x_offsets (A+1), y_offsets (B+1) int32,
/// ascending; longest: no sample has more rows; out (A, B) fp64, overwritten. Bits depend on B, longest and C, not on A.
void gram(Stream& stream, View x, View x_offsets, View y, View y_offsets, int64_t longest, View out);
/// y[y_offsets[a] + t] += sum_b coefficients[a,b] * x[x_offsets[b] + t]    over the samples b of x that have a row t
/// summed in fp64 and rounded once. y (U, C), y_offsets (A+1), x (T, C), x_offsets (B+1) as for gram; coefficients (A, B) fp64.
void add_combination(Stream& stream, View x, View x_offsets, View coefficients, View y, View y_offsets, int64_t longest);

// ---- layers -------------------------------------------------------------------------------------------------------------------------

/// x[t] = scale * table[tokens[t]].  tokens (T) int32, each in [0, V); table (V, C) fp32 or bf16; x (T, C) activation, overwritten.
void embedding_forward(Stream& stream, View tokens, View table, float scale, View x);
/// dtable[tokens[t]] += scale * dx[t], in the order of t.  dx (T, C) activation; dtable (V, C) fp32, accumulates.
void embedding_backward(Stream& stream, View tokens, View dx, float scale, View dtable);

/// What an RMS norm multiplies by: w[c] + offset, where w (C) fp32 trains.
struct NormWeight {
    View w;
    float offset = 0;  // 1: Gemma's
};
/// RMS normalisation of every row (Zhang & Sennrich 2019; LlamaRMSNorm in transformers):
///     y[t,c] = x[t,c] * rstd[t] * (w[c] + offset),   rstd[t] = 1 / sqrt(mean_c x[t,c]^2 + eps)
/// x (T, C) activation; y (T, C) activation, overwritten; rstd (T) fp32, kept for the backward pass.
void rmsnorm_forward(Stream& stream, View x, const NormWeight& weight, float eps, View y, View rstd);
/// With g[c] = dy[t,c] * (w[c] + offset):
///     dx[t,c] += rstd[t] * (g[c] - x[t,c] * rstd[t]^2 * mean_c(g * x)),   dw[c] += sum_t dy[t,c] * x[t,c] * rstd[t]
/// dx (T, C) activation, accumulates: it already holds the gradient of the residual branch. dw (C) fp32, accumulates; empty where frozen.
void rmsnorm_backward(Stream& stream, View dy, View x, const NormWeight& weight, View rstd, View dx, View dw);

/// Fills cosine and sine (P, HD/2) fp32 for positions 0..P-1: the angle is fp32(p) * frequency[i], as transformers computes it.
/// frequency (HD/2) fp32, scaling (linear, llama3) already applied.
void rope_table(Stream& stream, View frequency, View cosine, View sine);
/// Rotary embedding in place, rotate-half convention (Su et al. 2021; transformers' LlamaRotaryEmbedding): with h = HD/2, p = positions[t],
///     x[t,i] = x[t,i] cos[p,i] - x[t,i+h] sin[p,i],   x[t,i+h] = x[t,i+h] cos[p,i] + x[t,i] sin[p,i]    in every head
/// x (T, H*HD) activation; positions (T) int32. rope_backward turns back (its transpose).
void rope_forward(Stream& stream, View x, View positions, View cosine, View sine, int64_t head_size);
void rope_backward(Stream& stream, View dx, View positions, View cosine, View sine, int64_t head_size);

struct AttentionShape {
    int64_t heads = 0, kv_heads = 0, head_size = 0;  // heads is a multiple of kv_heads; head h reads kv head h / (heads / kv_heads)
    int64_t window = 0;                              // 0: none; else a query at p sees keys p-window+1 .. p
    float scale = 0;                                 // of the scores, 1/sqrt(HD)
    float cap = 0;                                   // 0: none; else a scaled score s becomes cap * tanh(s / cap) (Gemma 2)
};

/// Causal attention within each sample of a packed batch: sample s is rows offsets[s] .. offsets[s+1]-1.
///     out[t,h] = sum_j softmax_j(scale * q[t,h].k[j,h']) v[j,h']    (or of the capped scores)
/// q, out (T, NH*HD), k, v (T, NKV*HD) activations; offsets (B+1) int32; lse (T, NH) fp32: log of the softmax's sum, kept for backward.
/// longest: the longest sample.
void attention_forward(Stream& stream, View q, View k, View v, View offsets, int64_t longest, const AttentionShape& shape, View out,
                       View lse);
/// dq, dk, dv are overwritten. delta (T, NH) fp32 is scratch: sum over HD of dout * out. Probabilities are recomputed from lse.
void attention_backward(Stream& stream, View dout, View q, View k, View v, View out, View lse, View offsets, int64_t longest,
                        const AttentionShape& shape, View dq, View dk, View dv, View delta);
/// One new query per sample against its cache (Pope et al. 2022): q, out (B, NH*HD) activations; cache (B*capacity, NKV*HD) activations,
/// sample s in rows s*capacity ..; lengths (B) int32: how many positions are valid, the new one included (and its key is there already).
void attention_decode(Stream& stream, View q, View k_cache, View v_cache, View lengths, int64_t capacity, const AttentionShape& shape,
                      View out);

/// silu(x) = x sigmoid(x); the tanh form of gelu (Hendrycks & Gimpel 2016) is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).
enum class Activation : int { Silu = 0, GeluTanh = 1 };
/// out = activation(gate) * up (Shazeer 2020).  (T, F) activations; out may be gate or up.
void glu_forward(Stream& stream, Activation activation, View gate, View up, View out);
/// Overwrites gate by its gradient and up by its own.  dout (T, F).
void glu_backward(Stream& stream, Activation activation, View dout, View gate, View up);

/// Dropout by counters: element i of (T, in) is zeroed where random_uniform(word i of the key's sequence) < probability, else times
/// 1/(1-p).
struct Dropout {
    float probability = 0;
    RandomKey key;
};

/// A low-rank adapter on a linear layer (Hu et al. 2021): adds scale * b (a dropout(x)). Empty a: none.
struct Lora {
    View a, b;        // (r, in), (out, r) fp32
    float scale = 0;  // alpha / r
    Dropout dropout;  // of the adapter's input only
    View h;           // (T, r) fp32: dropout(x) a^T; written by forward, read by backward
};

/// y = addend + x w^T + bias + lora(x).  x (T, in), y (T, out) activations; w (out, in) fp32 or bf16; bias (out) fp32 or empty.
/// addend (T, out) of y's type (a residual stream); may be y itself; empty: none. y is fp32 for bf16 x where it is logits.
/// bf16 activations: w is rounded to bf16, sums are fp32, y is rounded once. The adapter's own operands (a, b, scale * h) are two terms
/// of bf16 each, within 2^-16 of themselves: a step in a or b far below bf16's spacing changes y, and the gradients, as it should.
void linear_forward(Stream& stream, View x, View w, View bias, const Lora& lora, View y, View addend);

/// What linear_backward is to compute; an empty view is not wanted and costs nothing.
struct LinearGradients {
    View dx;  // (T, in) activation
    bool accumulate_dx = false;
    View dw, dbias;  // fp32, accumulate
    View da, db;     // fp32, accumulate: of the adapter
};

/// dx = dy w + dropout'(scale * (dy b) a);  dw += dy^T x;  dbias += sum_t dy;  da += scale * (dy b)^T dropout(x);  db += scale * dy^T h.
/// The order of every sum over t is fixed. dy is fp32 for bf16 x and dx where it is logits' gradient; it is rounded to bf16 then.
/// bf16 activations: precise as linear_forward is, scale * (dy b) included.
/// scratch (T, r) fp32: for scale * dy b; may be empty where there is no adapter.
void linear_backward(Stream& stream, View dy, View x, View w, const Lora& lora, const LinearGradients& gradients, View scratch);

// ---- loss, optimizer, decoding ------------------------------------------------------------------------------------------------------

/// x = cap * tanh(x / cap), which keeps logits within cap (Gemma 2).  x fp32, any shape.
void soft_cap(Stream& stream, View x, float cap);

/// loss[n] = lse[n] - logits[n, targets[n]],  lse[n] = log sum_v exp(logits[n,v]).
/// logits (N, V) fp32; targets (N) int32 in [0, V); loss, lse (N) fp32, overwritten.
void cross_entropy_forward(Stream& stream, View logits, View targets, View loss, View lse);
/// Overwrites logits by  scale * (softmax(logits) - onehot(targets)).
/// cap: 0, or that of the soft_cap that gave the logits; the gradient is then, times 1 - (logits / cap)^2, that of what went into it.
void cross_entropy_backward(Stream& stream, View logits, View targets, View lse, float scale, float cap);

/// Kullback-Leibler divergence of rows from a teacher's (Hinton et al. 2015): with p = softmax(logits[n]), t = softmax(teacher[n]),
///     loss[n] = sum_v t[v] (ln t[v] - ln p[v]),  lse and teacher_lse as cross_entropy_forward's. A v with t[v] = 0 adds nothing.
/// logits, teacher (N, V) fp32; loss, lse, teacher_lse (N) fp32, overwritten.
void divergence_forward(Stream& stream, View logits, View teacher, View loss, View lse, View teacher_lse);
/// loss[n] = sum_v p[v] ln p[v], least where p is even.  logits (N, V) fp32; loss, lse (N) fp32, overwritten.
void negative_entropy_forward(Stream& stream, View logits, View loss, View lse);

/// A weighted sum of losses of the same logits. Factor 0: without that loss, whose views are then not read.
struct WeightedLosses {
    float labels = 0;  // of cross_entropy_forward
    View targets;
    float divergence = 0;
    View teacher, teacher_lse;
    float negative_entropy = 0;
    View negative_entropies;  // as negative_entropy_forward gave them
};
/// Overwrites logits by the sum's gradient: with p = softmax(logits), t = softmax(teacher),
///     labels * (p - onehot(targets)) + divergence * (p - t) + negative_entropy * p (ln p - negative_entropies)
/// cap as for cross_entropy_backward; of the teacher's logits nothing is asked.
void weighted_losses_backward(Stream& stream, View logits, View lse, const WeightedLosses& losses, float cap);

/// AdamW (Loshchilov & Hutter 2019) as torch.optim.AdamW computes it, on whole vectors p, g, m, v (n) fp32:
///     p -= lr*wd*p;  m = b1*m + (1-b1)*g';  v = b2*v + (1-b2)*g'^2;  p -= lr/(1-b1^step) * m / (sqrt(v)/sqrt(1-b2^step) + epsilon)
/// with g' = g * min(1, clip / (sqrt(sum_of_squares) + 1e-6)), the sum one fp64 in the device's memory; empty: g' = g.
struct AdamW {
    double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
    int64_t step = 1;  // counts from 1
};
void adamw(Stream& stream, View p, View g, View m, View v, const AdamW& options, View sum_of_squares, float clip);

/// out[n] = the first index of the largest logit of row n.  logits (N, V) fp32; out (N) int32.
void argmax_rows(Stream& stream, View logits, View out);
/// For each of row n's tokens, tokens[offsets[n]] .. tokens[offsets[n+1]-1], each at most once in a row:
///     logits[n,token] = logits[n,token] < 0 ? logits[n,token] * penalty : logits[n,token] / penalty
/// (Keskar et al. 2019, arXiv 1909.05858; RepetitionPenaltyLogitsProcessor in transformers). logits (N, V) fp32; tokens (M) int32, each in
/// [0, V); offsets (N+1) int32, ascending, within 0 .. M.
void penalize_repetition(Stream& stream, View logits, View tokens, View offsets, float penalty);
/// out[n] drawn from softmax(logits[n] / temperature) restricted to the top_k largest (0: all) and then to the smallest set whose
/// probability reaches top_p (1: all). Row n uses element n of the key's sequence.
void sample_rows(Stream& stream, View logits, float temperature, int32_t top_k, float top_p, const RandomKey& key, View out);

}  // namespace vaccine::ops
