#include <algorithm>

#include "model/network.h"

namespace vaccine {

/// Brings a layer's slot back to what its forward pass left there. Its residual input was kept, and so was h of the down projection, whose
/// product is not needed again unless it passes a norm.
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
    const View d_norm_weight = target.get(TensorKind::MlpNorm, l);
    const bool need_normed = need_input || !d_norm_weight.empty();

    if (reads_input(l, target, Down, Down)) ops::glu_forward(stream(), shape_.activation, gate, up, wide);
    const bool below = need_normed || target.wants(l, Gate, Up);
    backward_linear(l, Down, branch_gradient(MlpSite, l, options, target), wide, target, below ? d_wide : View{}, false);
    if (!below) return;
    ops::glu_backward(stream(), shape_.activation, d_wide, gate, up);

    if (reads_input(l, target, Gate, Up)) normalize(middle(l, T), TensorKind::MlpNorm, l, normed, s.mlp_rstd.slice(0, T));
    backward_linear(l, Gate, gate, normed, target, need_normed ? d_normed : View{}, false);
    backward_linear(l, Up, up, normed, target, need_normed ? d_normed : View{}, true);
    if (need_normed)
        ops::rmsnorm_backward(stream(), d_normed, middle(l, T), norm_weight(TensorKind::MlpNorm, l), s.mlp_rstd.slice(0, T),
                              buffers_.d_residual.rows_from(0, T), d_norm_weight);
}

/// From the gradient of the layer's middle to that of its input, in place, and the gradients of its attention tensors.
void Network::backward_attention(int64_t l, const BackwardOptions& options, const GradientTarget& target, bool need_input) {
    const int64_t T = batch_.tokens();
    const LayerSlot& s = slot(l);
    const View v = s.v.rows_from(0, T), attention = s.attention.rows_from(0, T);
    const View d_attention = buffers_.d_attention.rows_from(0, T), d_normed = buffers_.d_normed.rows_from(0, T);
    const View dq = buffers_.dq.rows_from(0, T), dk = buffers_.dk.rows_from(0, T), dv = buffers_.dv.rows_from(0, T);
    const View normed = buffers_.normed.rows_from(0, T), d_norm_weight = target.get(TensorKind::AttentionNorm, l);
    const bool need_normed = need_input || !d_norm_weight.empty();

    const bool below = need_normed || target.wants_attention_inputs(l);
    backward_linear(l, Output, branch_gradient(AttentionSite, l, options, target), attention, target, below ? d_attention : View{}, false);
    if (!below) return;
    // The slot has q and k as attention read them, unless they passed norms on the way.
    const View q = shape_.query_key_norms ? rotated(l, Query, T) : s.q.rows_from(0, T);
    const View k = shape_.query_key_norms ? rotated(l, Key, T) : s.k.rows_from(0, T);
    ops::attention_backward(stream(), d_attention, q, k, v, attention, s.lse.rows_from(0, T), batch_.offset_view(), batch_.longest(),
                            attention_shape(l), dq, dk, dv, buffers_.delta.rows_from(0, T));
    const View d_query = rotated_gradient(l, Query, dq, target), d_key = rotated_gradient(l, Key, dk, target);

    if (reads_input(l, target, Query, Value)) normalize(residual(l, T), TensorKind::AttentionNorm, l, normed, s.attention_rstd.slice(0, T));
    const View dx = need_normed ? d_normed : View{};
    backward_linear(l, Query, d_query, normed, target, dx, false);
    backward_linear(l, Key, d_key, normed, target, dx, true);
    backward_linear(l, Value, dv, normed, target, dx, true);
    if (need_normed)
        ops::rmsnorm_backward(stream(), d_normed, residual(l, T), norm_weight(TensorKind::AttentionNorm, l), s.attention_rstd.slice(0, T),
                              buffers_.d_residual.rows_from(0, T), d_norm_weight);
}

/// From the gradient of what `rotated` gave to that of the projection's output: in place, or over what `rotated` gave.
View Network::rotated_gradient(int64_t l, int projection, View gradient, const GradientTarget& target) {
    const bool query = projection == Query;
    ops::rope_backward(stream(), gradient, batch_.position_view(), rope(l).cosine, rope(l).sine, shape_.head_size);
    if (!shape_.query_key_norms) return gradient;
    const TensorKind norm = query ? TensorKind::QueryNorm : TensorKind::KeyNorm;
    const View dx = (query ? buffers_.q_rotated : buffers_.k_rotated).rows_from(0, gradient.rows), dy = by_heads(gradient);
    const View x = by_heads((query ? slot(l).q : slot(l).k).rows_from(0, gradient.rows));
    ops::fill_zero(stream(), dx);
    ops::rmsnorm_backward(stream(), dy, x, norm_weight(norm, l), (query ? buffers_.q_rstd : buffers_.k_rstd).slice(0, x.rows), by_heads(dx),
                          target.get(norm, l));
    return dx;
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

/// The gradient of a block's output: the residual stream's, through the block's output norm where it has one, and what the method adds to
/// it there (which the stream does not see).
View Network::branch_gradient(Site site, int64_t l, const BackwardOptions& options, const GradientTarget& target) {
    const int64_t T = batch_.tokens();
    const View d_residual = buffers_.d_residual.rows_from(0, T), d_branch = buffers_.d_branch.rows_from(0, T);
    const SiteTensor* addend = sites_.holding(site, options.add[site], l);
    if (shape_.block_output_norms) {
        const TensorKind norm = output_norm(site);
        ops::fill_zero(stream(), d_branch);
        ops::rmsnorm_backward(stream(), d_residual, slot(l).output[site].rows_from(0, T), norm_weight(norm, l),
                              slot(l).output_rstd[site].slice(0, T), d_branch, target.get(norm, l));
        read_gradient(site, l, d_branch, options);
    } else if (addend != nullptr) {
        ops::copy(stream(), d_residual, d_branch);
    } else {
        return d_residual;
    }
    if (addend != nullptr) ops::axpy(stream(), 1, addend->layer(l), d_branch);
    return d_branch;
}

}  // namespace vaccine
