#include "model/network.h"

namespace vaccine {

void Network::embed(View tokens) {
    const View to = residual(0, tokens.count());
    ops::embedding_forward(stream(), tokens, weights_.get(TensorKind::Embedding), shape_.embedding_scale, to);
    record_site(ResidualSite, 0, to);
    add_site(ResidualSite, 0, to);
}

void Network::normalize(View x, TensorKind norm, int64_t l, View y, View rstd) {
    ops::rmsnorm_forward(stream(), x, norm_weight(norm, l), shape_.rms_epsilon, y, rstd);
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
    const View v = s.v.rows_from(0, T), out = s.attention.rows_from(0, T);
    normalize(residual(l, T), TensorKind::AttentionNorm, l, normed, s.attention_rstd.slice(0, T));
    linear(l, Query, normed, s.q.rows_from(0, T), {});
    linear(l, Key, normed, s.k.rows_from(0, T), {});
    linear(l, Value, normed, v, {});
    const View q = rotated(l, Query, T), k = rotated(l, Key, T);

    if (caching != Caching::None) cache_layer(l, k, v);
    if (caching == Caching::Decode)
        attend_cache(l, q, out);
    else
        ops::attention_forward(stream(), q, k, v, batch_.offset_view(), batch_.longest(), attention_shape(l), out, s.lse.rows_from(0, T));

    branch_output(l, Output, out, AttentionSite, residual(l, T), middle(l, T));
}

/// q or k as attention reads them, from what the projection has left in the slot: through the norm of each head where the model has one,
/// into scratch, and then (without a norm: in place) turned by their positions.
View Network::rotated(int64_t l, int projection, int64_t T) {
    const bool query = projection == Query;
    View x = (query ? slot(l).q : slot(l).k).rows_from(0, T);
    if (shape_.query_key_norms) {
        const View normed = (query ? buffers_.q_rotated : buffers_.k_rotated).rows_from(0, T), rows = by_heads(x);
        normalize(rows, query ? TensorKind::QueryNorm : TensorKind::KeyNorm, l, by_heads(normed),
                  (query ? buffers_.q_rstd : buffers_.k_rstd).slice(0, rows.rows));
        x = normed;
    }
    ops::rope_forward(stream(), x, buffers_.positions.slice(0, T), rope(l).cosine, rope(l).sine, shape_.head_size);
    return x;
}

void Network::mlp_block(int64_t l, int64_t T, const LayerSlot& s, bool with_output) {
    const View normed = buffers_.normed.rows_from(0, T), wide = buffers_.wide.rows_from(0, T);
    const View gate = s.gate.rows_from(0, T), up = s.up.rows_from(0, T), from = middle(l, T);
    normalize(from, TensorKind::MlpNorm, l, normed, s.mlp_rstd.slice(0, T));
    linear(l, Gate, normed, gate, {});
    linear(l, Up, normed, up, {});
    if (!with_output && !shape_.block_output_norms) return;

    ops::glu_forward(stream(), shape_.activation, gate, up, wide);
    if (!with_output) {
        normed_output(l, Down, wide, MlpSite);
        return;
    }
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
    if (shape_.block_output_norms) {
        join(from, normed_output(l, projection, x, site), to);
        return;
    }
    if (sites_.holding(site, now_.record[site], l)) {
        const View output = buffers_.branch.rows_from(0, x.rows);
        linear(l, projection, x, output, {});
        record_site(site, l, output);
        join(from, output, to);
    } else {
        linear(l, projection, x, to, from);
    }
    add_site(site, l, to);
}

/// A block's output through a norm of its own, in scratch. The output itself, with what the method adds to it, stays in the layer's slot.
View Network::normed_output(int64_t l, int projection, View x, Site site) {
    const View output = slot(l).output[site].rows_from(0, x.rows), normed = buffers_.branch.rows_from(0, x.rows);
    linear(l, projection, x, output, {});
    record_site(site, l, output);
    add_site(site, l, output);
    normalize(output, output_norm(site), l, normed, slot(l).output_rstd[site].slice(0, x.rows));
    return normed;
}

/// to = from + branch; from and to may be one.
void Network::join(View from, View branch, View to) {
    if (to.data != from.data) ops::copy(stream(), from, to);
    ops::axpy(stream(), 1, branch, to);
}

void Network::record_site(Site site, int64_t l, View from) {
    if (recomputing_) return;  // a method may have changed what was recorded
    if (const SiteTensor* recorder = sites_.holding(site, now_.record[site], l)) ops::copy(stream(), from, recorder->layer(l));
}

void Network::add_site(Site site, int64_t l, View to) {
    if (const SiteTensor* addend = sites_.holding(site, now_.add[site], l)) ops::axpy(stream(), 1, addend->layer(l), to);
}

}  // namespace vaccine
