#include "model/network.h"

namespace vaccine {

void Network::embed(int64_t T) {
    ops::embedding_forward(stream(), batch_.token_view(), weights_.get(TensorKind::Embedding), residual(0, T));
    record_site(ResidualSite, 0, residual(0, T));
    add_site(ResidualSite, 0, residual(0, T));
}

View Network::middle(int64_t l, int64_t T) const {
    const View own = slot(l).middle;
    return own.empty() ? residual(l, T) : own.rows_from(0, T);
}

void Network::forward_layer(int64_t l, int64_t T, Caching caching) {
    attention_block(l, T, slot(l), caching);
    mlp_block(l, T, slot(l), true);
    if (l < plan_.recomputed_layers()) shared_layer_ = l;
}

void Network::attention_block(int64_t l, int64_t T, const LayerSlot& s, Caching caching) {
    const View normed = buffers_.normed.rows_from(0, T);
    const View q = s.q.rows_from(0, T), k = s.k.rows_from(0, T), v = s.v.rows_from(0, T), out = s.attention.rows_from(0, T);
    ops::rmsnorm_forward(stream(), residual(l, T), weights_.get(TensorKind::AttentionNorm, l), shape_.rms_epsilon, normed,
                         s.attention_rstd.slice(0, T));
    linear(l, Query, normed, q, {});
    linear(l, Key, normed, k, {});
    linear(l, Value, normed, v, {});
    const View positions = buffers_.positions.slice(0, T);
    ops::rope_forward(stream(), q, positions, buffers_.rope_cosine, buffers_.rope_sine, shape_.head_size);
    ops::rope_forward(stream(), k, positions, buffers_.rope_cosine, buffers_.rope_sine, shape_.head_size);

    if (caching != Caching::None) cache_layer(l, T, s);
    if (caching == Caching::Decode)
        attend_cache(l, s, T);
    else
        ops::attention_forward(stream(), q, k, v, batch_.offset_view(), batch_.longest(), attention_shape_, out, s.lse.rows_from(0, T));

    branch_output(l, Output, out, AttentionSite, residual(l, T), middle(l, T));
}

void Network::mlp_block(int64_t l, int64_t T, const LayerSlot& s, bool with_output) {
    const View normed = buffers_.normed.rows_from(0, T), wide = buffers_.wide.rows_from(0, T);
    const View gate = s.gate.rows_from(0, T), up = s.up.rows_from(0, T), from = middle(l, T);
    ops::rmsnorm_forward(stream(), from, weights_.get(TensorKind::MlpNorm, l), shape_.rms_epsilon, normed, s.mlp_rstd.slice(0, T));
    linear(l, Gate, normed, gate, {});
    linear(l, Up, normed, up, {});
    if (!with_output) return;

    ops::swiglu_forward(stream(), gate, up, wide);
    const View to = residual(l + 1, T);
    branch_output(l, Down, wide, MlpSite, from, to);
    record_site(ResidualSite, l + 1, to);
    add_site(ResidualSite, l + 1, to);
}

void Network::linear(int64_t l, int projection, View x, View y, View addend) {
    ops::linear_forward(stream(), x, weights_.get(TensorKind::Weight, l, projection), weights_.get(TensorKind::Bias, l, projection),
                        lora(l, projection, x.rows), y, addend);
}

ops::Lora Network::lora(int64_t l, int projection, int64_t T) {
    const LoraOptions& options = plan_.options().lora;
    ops::Lora adapter;
    if (!options.on(projection) || now_.adapter_off) return adapter;
    adapter.a = weights_.get(TensorKind::LoraA, l, projection);
    adapter.b = weights_.get(TensorKind::LoraB, l, projection);
    adapter.scale = options.scale();
    adapter.h =
        (projection == Down ? buffers_.down_h[static_cast<size_t>(l)] : slot(l).lora_h[static_cast<size_t>(projection)]).rows_from(0, T);
    if (now_.dropout && options.dropout > 0) {
        adapter.dropout.probability = options.dropout;
        adapter.dropout.key = {now_.seed, now_.step,
                               random_purpose(RandomUse::Dropout, now_.pass, static_cast<uint32_t>(l), static_cast<uint32_t>(projection))};
    }
    return adapter;
}

/// to = from + a block's output: two points of the residual stream, which may be one. Disturbing the output is adding to the stream, so the
/// output itself is only formed where somebody wants to read it.
void Network::branch_output(int64_t l, int projection, View x, Site site, View from, View to) {
    if (sites_.holding(site, now_.record[site], l)) {
        const View output = buffers_.branch.rows_from(0, x.rows);
        linear(l, projection, x, output, {});
        record_site(site, l, output);
        if (to.data != from.data) ops::copy(stream(), from, to);
        ops::axpy(stream(), 1, output, to);
    } else {
        linear(l, projection, x, to, from);
    }
    add_site(site, l, to);
}

void Network::record_site(Site site, int64_t l, View from) {
    if (recomputing_) return;  // a method may have changed what was recorded
    if (const SiteTensor* recorder = sites_.holding(site, now_.record[site], l)) ops::copy(stream(), from, recorder->layer(l));
}

void Network::add_site(Site site, int64_t l, View to) {
    if (const SiteTensor* addend = sites_.holding(site, now_.add[site], l)) ops::axpy(stream(), 1, addend->layer(l), to);
}

}  // namespace vaccine
