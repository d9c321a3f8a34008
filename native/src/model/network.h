#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/device.h"
#include "core/philox.h"
#include "model/packed_batch.h"
#include "model/plan.h"
#include "model/sites.h"
#include "model/weights.h"
#include "ops/ops.h"

namespace vaccine {

/// See vaccine_loss_head.
struct LossHead {
    int64_t point;
    LossKind kind;
    int norms;
    float weight;
    int64_t scalar;
};

/// See vaccine_forward_options.
struct ForwardOptions {
    bool dropout = false;
    uint64_t seed = 0;
    uint32_t step = 0, pass = 0;
    bool for_backward = false;
    int64_t from_layer = 0;
    std::array<int, kSites> record{-1, -1, -1}, add{-1, -1, -1};
    int64_t loss_scalar = -1;
    std::vector<LossHead> heads;
    bool record_teacher = false, adapter_off = false;
};

/// See vaccine_backward_options.
struct BackwardOptions {
    float loss_scale = 1;
    int gradient_vector = -1;
    int64_t floor = 0;
    const uint8_t* tensors = nullptr;
    std::array<int, kSites> read{-1, -1, -1}, add{-1, -1, -1};
    std::array<int64_t, kSites> norm_scalar{-1, -1, -1};
};

/// The network: forward, backward and decoding over a plan's memory. It knows no family of models, only what their shape says of a layer,
/// and no method: what a method does to a pass it says in the options. network.cpp and layer_forward.cpp hold the way up, backward.cpp and
/// layer_backward.cpp the way down, head.cpp the loss, decoding.cpp the KV cache.
class Network {
public:
    Network(Device& device, const Plan& plan, const Buffers& buffers, Sites& sites);

    /// Returns the number of labelled rows.
    int64_t forward(const BatchInput& input, const ForwardOptions& options);
    void backward(const BackwardOptions& options);

    /// After a pass that did not end: nothing that it left may be used, as if there had been none.
    void forget();

    /// Losses of the last forward's labelled rows, weighted over heads.
    void read_losses(int64_t count, float* out);
    void read_logits(int64_t first_row, int64_t rows, float* out);

    struct Sampling {
        float temperature = 0;
        int32_t top_k = 0;
        float top_p = 1, repetition_penalty = 1;
        uint64_t seed = 0;
        const uint64_t* seeds = nullptr;  // one for each sample, in place of seed
    };
    void decode_begin(const BatchInput& prompts, const Sampling& sampling, int32_t* out_tokens);
    /// See vaccine_decode_join.
    void decode_join(const BatchInput& prompts, const int32_t* samples, const Sampling& sampling, int32_t* out_tokens);
    void decode_next(int64_t count, const int32_t* samples, const int32_t* tokens, const Sampling& sampling, int32_t* out_tokens);

    /// See vaccine_decode_extend. Returns the number of labelled rows.
    int64_t decode_extend(const BatchInput& input, const int32_t* samples, const int32_t* starts);

    /// Of the last pass.
    const PackedBatch& batch() const { return batch_; }

private:
    enum class Caching { None, Prefill, Decode };

    /// The losses that share their logits.
    struct Head {
        int64_t point;
        int norms;
        std::vector<LossHead> losses;  // each of another kind
    };

    // layer_forward.cpp
    void embed(View tokens);
    void forward_layer(int64_t l, int64_t T, Caching caching);
    void attention_block(int64_t l, int64_t T, const LayerSlot& slot, Caching caching);
    void mlp_block(int64_t l, int64_t T, const LayerSlot& slot, bool with_output);
    void linear(int64_t l, int projection, View x, View y, View addend);
    ops::Lora lora(int64_t l, int projection, int64_t T);
    View rotated(int64_t l, int projection, int64_t T);
    void branch_output(int64_t l, int projection, View x, Site site, View from, View to);
    View normed_output(int64_t l, int projection, View x, Site site);
    void join(View from, View branch, View to);
    void normalize(View x, TensorKind norm, int64_t l, View y, View rstd);
    void add_site(Site site, int64_t l, View to);
    void record_site(Site site, int64_t l, View from);
    View residual(int64_t point, int64_t T) const { return buffers_.residual[static_cast<size_t>(point)].rows_from(0, T); }
    View middle(int64_t l, int64_t T) const;
    const LayerSlot& slot(int64_t l) const { return buffers_.slots[plan_.slot_of(l)]; }
    ops::AttentionShape attention_shape(int64_t l) const;
    const RopeTable& rope(int64_t l) const { return buffers_.ropes[static_cast<size_t>(shape_.layer(l).rope)]; }
    ops::NormWeight norm_weight(TensorKind norm, int64_t l) const { return {weights_.get(norm, l), shape_.norm_offset ? 1.0f : 0.0f}; }
    View by_heads(View x) const { return {x.data, x.dtype, x.count() / shape_.head_size, shape_.head_size}; }

    // backward.cpp
    void check(const BackwardOptions& options) const;
    int64_t lowest_place(const BackwardOptions& options, const GradientTarget& target) const;
    void backward_layer(int64_t l, int64_t stop, const BackwardOptions& options, const GradientTarget& target);
    void gradient_arrived_at_point(int64_t point, const BackwardOptions& options, const GradientTarget& target);
    bool reads(Site site, int64_t l, const BackwardOptions& options) const;
    bool enters(Site site, int64_t l, const BackwardOptions& options, const GradientTarget& target) const;
    void read_gradient(Site site, int64_t l, View gradient, const BackwardOptions& options);

    // layer_backward.cpp
    void recompute_layer(int64_t l);
    void backward_mlp(int64_t l, const BackwardOptions& options, const GradientTarget& target, bool need_input);
    void backward_attention(int64_t l, const BackwardOptions& options, const GradientTarget& target, bool need_input);
    void backward_linear(int64_t l, int projection, View dy, View x, const GradientTarget& target, View dx, bool accumulate);
    View branch_gradient(Site site, int64_t l, const BackwardOptions& options, const GradientTarget& target);
    View rotated_gradient(int64_t l, int projection, View gradient, const GradientTarget& target);
    bool reads_input(int64_t l, const GradientTarget& target, int first, int last) const;

    // network.cpp
    void check(const BatchInput& input, const ForwardOptions& options) const;

    // head.cpp
    std::vector<Head> grouped(const std::vector<LossHead>& losses) const;
    void check_teacher(const ForwardOptions& options, int64_t labels) const;
    void forward_heads();
    void record_teacher();
    void forward_chunk(const Head& head, int64_t first, int64_t rows);
    void backward_head(const Head& head, const BackwardOptions& options, const GradientTarget& target);
    void backward_chunk(const Head& head, int64_t first, int64_t rows, float loss_scale);
    void backward_norms(const Head& head, const GradientTarget& target);
    void normalize_rows(int64_t point, int norms);
    View logits_of(View normed_rows, View logits);
    View head_loss(LossKind kind) const { return buffers_.head_losses[static_cast<size_t>(kind)].slice(0, batch_.labels()); }

    // decoding.cpp
    void check_prompts(const BatchInput& prompts) const;
    static int64_t checked_sample(const int32_t* samples, int64_t i, int64_t limit, const char* expected);
    void require_tokens_in_cache() const;
    void read_prompts(const BatchInput& prompts, const int32_t* samples, const Sampling& sampling, int32_t* out_tokens);
    void check_extension(const BatchInput& input, const int32_t* samples, const int32_t* starts) const;
    void cache_layer(int64_t l, View k, View v);
    void attend_cache(int64_t l, View q, View out);
    void upload_seen();
    void next_tokens(View rows, int64_t count, const Sampling& sampling, int32_t* out_tokens);

    Stream& stream() { return device_.stream(); }

    Device& device_;
    const Plan& plan_;
    const ModelShape& shape_;
    const Buffers& buffers_;
    Sites& sites_;
    Weights weights_;
    PackedBatch batch_;

    ForwardOptions now_;                      // of the forward pass that the state belongs to
    std::vector<Head> heads_;                 // of the same, ascending
    int64_t teacher_labels_ = -1;             // rows that the teacher has; -1: there is none
    bool ready_ = false;                      // a backward pass may follow
    int64_t intact_from_ = 0;                 // no layer below it has what a backward pass needs
    int64_t consumed_from_ = 0;               // layers from here on have been used up by a backward pass
    bool recomputing_ = false;                // a layer's forward pass is run again for its backward pass
    int64_t shared_layer_ = -1;               // whose activations lie in the slot shared by recomputing layers; -1: nobody's
    int64_t resident_first_ = -1;             // first labelled row of the logits chunk that lies in the buffer; -1: none
    std::vector<int64_t> decoding_;           // samples of the step being decoded, in the order of their rows
    bool extended_ = false;                   // the batch is of decode_extend: it began behind what was cached
    std::vector<int64_t> lengths_;            // of each sample in the cache
    std::vector<std::vector<int32_t>> seen_;  // the tokens of each sample in the cache, ascending, each once
};

}  // namespace vaccine
