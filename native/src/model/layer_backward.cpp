#include <algorithm>

#include "model/network.h"

namespace vaccine {

/// Brings a layer's slot back to what its forward pass left there. Its residual input was kept, and so was h of the down projection, whose
/// product is not needed again.
void Network::recompute_layer(int64_t l) {
    if (l >= plan_.recomputed_layers() || shared_layer_ == l) return;
    recomputing_ = true;
    attention_block(l, batch_.tokens(), slot(l), Caching::None);
    mlp_block(l, batch_.tokens(), slot(l), false);
    recomputing_ = false;
    shared_layer_ = l;
}

/// From the gradient of the layer's output to that of its middle, in place, and the gradients of its MLP tensors.
void Network::backward_mlp(int64_t l, const BackwardOptions& options, const GradientTarget& target, bool need_input) {
    const int64_t T = batch_.tokens();
    const LayerSlot& s = slot(l);
    const View gate = s.gate.rows_from(0, T), up = s.up.rows_from(0, T), wide = buffers_.wide.rows_from(0, T);
    const View normed = buffers_.normed.rows_from(0, T), d_wide = buffers_.d_wide.rows_from(0, T),
               d_normed = buffers_.d_normed.rows_from(0, T);
    const View d_norm_weight = target.get(TensorKind::MlpNorm, l), norm_weight = weights_.get(TensorKind::MlpNorm, l);
    const bool need_normed = need_input || !d_norm_weight.empty();

    if (reads_input(l, target, Down, Down)) ops::swiglu_forward(stream(), gate, up, wide);
    const bool below = need_normed || target.wants(l, Gate, Up);
    backward_linear(l, Down, branch_gradient(MlpSite, l, options), wide, target, below ? d_wide : View{}, false);
    if (!below) return;
    ops::swiglu_backward(stream(), d_wide, gate, up);

    if (reads_input(l, target, Gate, Up))
        ops::rmsnorm_forward(stream(), middle(l, T), norm_weight, shape_.rms_epsilon, normed, s.mlp_rstd.slice(0, T));
    backward_linear(l, Gate, gate, normed, target, need_normed ? d_normed : View{}, false);
    backward_linear(l, Up, up, normed, target, need_normed ? d_normed : View{}, true);
    if (need_normed)
        ops::rmsnorm_backward(stream(), d_normed, middle(l, T), norm_weight, s.mlp_rstd.slice(0, T), buffers_.d_residual.rows_from(0, T),
                              d_norm_weight);
}

/// From the gradient of the layer's middle to that of its input, in place, and the gradients of its attention tensors.
void Network::backward_attention(int64_t l, const BackwardOptions& options, const GradientTarget& target, bool need_input) {
    const int64_t T = batch_.tokens();
    const LayerSlot& s = slot(l);
    const View q = s.q.rows_from(0, T), k = s.k.rows_from(0, T), v = s.v.rows_from(0, T), attention = s.attention.rows_from(0, T);
    const View d_attention = buffers_.d_attention.rows_from(0, T), d_normed = buffers_.d_normed.rows_from(0, T);
    const View dq = buffers_.dq.rows_from(0, T), dk = buffers_.dk.rows_from(0, T), dv = buffers_.dv.rows_from(0, T);
    const View normed = buffers_.normed.rows_from(0, T), positions = batch_.position_view();
    const View d_norm_weight = target.get(TensorKind::AttentionNorm, l), norm_weight = weights_.get(TensorKind::AttentionNorm, l);
    const bool need_normed = need_input || !d_norm_weight.empty();

    const bool below = need_normed || target.wants(l, Query, Value);
    backward_linear(l, Output, branch_gradient(AttentionSite, l, options), attention, target, below ? d_attention : View{}, false);
    if (!below) return;
    ops::attention_backward(stream(), d_attention, q, k, v, attention, s.lse.rows_from(0, T), batch_.offset_view(), batch_.longest(),
                            attention_shape_, dq, dk, dv, buffers_.delta.rows_from(0, T));
    ops::rope_backward(stream(), dq, positions, buffers_.rope_cosine, buffers_.rope_sine, shape_.head_size);
    ops::rope_backward(stream(), dk, positions, buffers_.rope_cosine, buffers_.rope_sine, shape_.head_size);

    if (reads_input(l, target, Query, Value))
        ops::rmsnorm_forward(stream(), residual(l, T), norm_weight, shape_.rms_epsilon, normed, s.attention_rstd.slice(0, T));
    const View dx = need_normed ? d_normed : View{};
    backward_linear(l, Query, dq, normed, target, dx, false);
    backward_linear(l, Key, dk, normed, target, dx, true);
    backward_linear(l, Value, dv, normed, target, dx, true);
    if (need_normed)
        ops::rmsnorm_backward(stream(), d_normed, residual(l, T), norm_weight, s.attention_rstd.slice(0, T),
                              buffers_.d_residual.rows_from(0, T), d_norm_weight);
}

void Network::backward_linear(int64_t l, int projection, View dy, View x, const GradientTarget& target, View dx, bool accumulate) {
    ops::LinearGradients gradients;
    gradients.dx = dx;
    gradients.accumulate_dx = accumulate;
    gradients.dw = target.get(TensorKind::Weight, l, projection);
    gradients.dbias = target.get(TensorKind::Bias, l, projection);
    gradients.da = target.get(TensorKind::LoraA, l, projection);
    gradients.db = target.get(TensorKind::LoraB, l, projection);
    const View scratch = buffers_.lora_scratch.rows_from(0, x.rows);
    ops::linear_backward(stream(), dy, x, weights_.get(TensorKind::Weight, l, projection), lora(l, projection, x.rows), gradients, scratch);
}

/// Whether some wanted gradient is a product with the input of projections first .. last.
bool Network::reads_input(int64_t l, const GradientTarget& target, int first, int last) const {
    for (int p = first; p <= last; ++p)
        if (!target.get(TensorKind::Weight, l, p).empty() || !target.get(TensorKind::LoraA, l, p).empty()) return true;
    return false;
}

/// The gradient of a block's output: the residual stream's, and what the method adds to it there (which the stream does not see).
View Network::branch_gradient(Site site, int64_t l, const BackwardOptions& options) {
    const View d_residual = buffers_.d_residual.rows_from(0, batch_.tokens());
    const SiteTensor* addend = sites_.holding(site, options.add[site], l);
    if (addend == nullptr) return d_residual;
    const View d_branch = buffers_.d_branch.rows_from(0, batch_.tokens());
    ops::copy(stream(), d_residual, d_branch);
    ops::axpy(stream(), 1, addend->layer(l), d_branch);
    return d_branch;
}

}  // namespace vaccine
