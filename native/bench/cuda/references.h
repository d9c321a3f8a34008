// What the cases must give, in double: the formulas of ops.h. Called before the op runs; in-place arguments still hold its input.
#pragma once
#include "cuda/verification.h"
#include "ops/ops.h"

namespace vaccine::bench {

// references_linear.cpp
Expectations linear_forward_gives(Device& device, View x, View w, const ops::Lora& lora, View y);
Expectations linear_backward_gives(Device& device, View dy, View w, const ops::Lora& lora, View dx);
Expectations adapter_gradients_give(Device& device, View dy, View x, const ops::Lora& lora, View da, View db);

// references_attention.cpp: samples of `length` rows each
Expectations attention_forward_gives(Device& device, View q, View k, View v, int64_t length, const ops::AttentionShape& shape, View out,
                                     View lse);
/// What attention_backward reads and writes.
struct AttentionGradients {
    View dout, q, k, v, out, lse, dq, dk, dv;
};
Expectations attention_backward_gives(Device& device, const AttentionGradients& views, int64_t length, const ops::AttentionShape& shape);
Expectations attention_decode_gives(Device& device, View q, View k, View v, int64_t positions, const ops::AttentionShape& shape, View out);

// references_layers.cpp
Expectations rmsnorm_forward_gives(Device& device, View x, View w, double eps, View y, View rstd);
Expectations rmsnorm_backward_gives(Device& device, View dy, View x, View w, View rstd, View dx);
Expectations swiglu_forward_gives(Device& device, View gate, View up, View out);
Expectations swiglu_backward_gives(Device& device, View dout, View gate, View up);
Expectations rope_gives(Device& device, View x, View positions, View cosine, View sine, int64_t head_size);
Expectations embedding_gives(Device& device, View table, View tokens, View x);
Expectations cross_entropy_forward_gives(Device& device, View logits, View targets, View loss, View lse);
Expectations cross_entropy_backward_gives(Device& device, View logits, View targets, View lse, double scale);
Expectations divergence_forward_gives(Device& device, View logits, View teacher, View loss);
Expectations negative_entropy_forward_gives(Device& device, View logits, View loss);
/// Of all three losses, each with the same factor.
Expectations weighted_losses_backward_gives(Device& device, View logits, View lse, const ops::WeightedLosses& losses);

// references_vectors.cpp
/// y = x_factor * x + y_factor * y, element by element.
Expectations combination_gives(Device& device, double x_factor, View x, double y_factor, View y);
/// Of the samples of x and y, `length` rows each.
Expectations gram_gives(Device& device, View x, View y, int64_t length, View out);
Expectations add_combination_gives(Device& device, View x, View coefficients, View y, int64_t length);
Expectations sum_of_squares_gives(Device& device, View x, View out);
Expectations adamw_gives(Device& device, View p, View g, View m, View v, const ops::AdamW& options);

}  // namespace vaccine::bench
