#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/stream.h"
#include "core/view.h"
#include "model/shape.h"
#include "model/tensors.h"
#include "ops/ops.h"

namespace vaccine {

struct PlanOptions {
    int64_t max_tokens = 0, max_samples = 0, longest_sample = 0;
    DType weight_type = DType::F32, activation_type = DType::F32;
    bool training = true, full = false;
    LoraOptions lora;
    int64_t optimizers = 1, extra_vectors = 0;
    std::array<int64_t, kSites> site_tensors{}, site_layers{};
    int64_t head_rows = 0;           // 0: chosen
    int64_t teacher_rows = 0;        // 0: none
    int64_t recomputed_layers = -1;  // -1: as few as memory_limit allows
    int64_t memory_limit = 0;        // 0: none
    int64_t decode_samples = 0, decode_capacity = 0;
};

struct PlanItem {
    std::string name;
    int64_t bytes = 0;
};

/// Hands out consecutive pieces of one arena and counts them by name. With no base it only counts: the same code plans and takes.
class Layout {
public:
    static constexpr int64_t kAlignment = 256;

    explicit Layout(void* base) : base_(static_cast<char*>(base)) {}

    /// `rows` x `columns`, starting at a multiple of kAlignment. Empty (and free) where a size is 0.
    View take(const char* item, int64_t rows, int64_t columns, DType type);

    int64_t bytes() const { return bytes_; }
    const std::vector<PlanItem>& items() const { return items_; }

private:
    char* base_;
    int64_t bytes_ = 0;
    std::vector<PlanItem> items_;
};

/// What one layer's forward pass leaves for its backward pass. A layer that recomputes shares one slot with the others that do.
struct LayerSlot {
    View q, k, v;  // of a model with query_key_norms: q and k before these
    View attention, lse, middle, gate, up, attention_rstd, mlp_rstd;
    std::array<View, MlpSite + 1> output, output_rstd;  // of each block, with block_output_norms: before them
    std::array<View, kProjections> lora_h;              // Down's lies in Buffers: it is kept even where the layer recomputes
};

/// Of one rotary embedding.
struct RopeTable {
    View frequency, cosine, sine;
};

/// Every piece of memory that a session uses. T is max_tokens, R the rows of a logits chunk.
struct Buffers {
    std::vector<View> weights;  // of the frozen tensors, by place in the TensorTable; empty for trainable ones
    std::vector<View> vectors;  // (1, N) fp32, by the numbers of nativevaccine.h
    View scalars, scratch_scalars;

    View tokens, positions, offsets, label_rows, targets;
    std::array<RopeTable, kRopes> ropes;  // empty where no layer has it

    std::vector<View> residual;                 // L+1 points (T, C); one buffer for all where nothing is trained
    std::vector<LayerSlot> slots;               // of the layers that keep theirs, then the shared one
    std::vector<View> down_h;                   // (T, r) for each layer
    View normed, branch, wide;                  // (T, C), (T, C), (T, F)
    View q_rotated, k_rotated, q_rstd, k_rstd;  // with query_key_norms: what attention reads, and of each head's norm

    View d_residual, d_branch, d_normed, d_wide, d_attention, dq, dk, dv, delta, lora_scratch;
    View head_in, head_normed, head_rstd, logits, loss, lse, d_head_in, d_head_normed;
    std::array<View, kLossKinds> head_losses;          // by LossKind, of one head
    View teacher_normed, teacher_logits, teacher_lse;  // recorded rows (teacher_rows, C), and a chunk's logits

    std::array<std::vector<View>, kSites> sites;  // each (site_layers * T, C) fp32
    std::vector<View> k_cache, v_cache;           // by layer
    View cache_rows, lengths, next_tokens;
    View seen_tokens, seen_offsets;  // what the samples being decoded consist of, each token once; and where each sample begins
    View workspace;
};

/// The exact memory of a session, known before anything is taken.
class Plan {
public:
    /// stream: of the device it is for, of which only the thread count matters; NULL: for the CUDA build, whatever the GPU.
    Plan(const Stream* stream, const ModelShape& shape, const PlanOptions& options);

    const ModelShape& shape() const { return shape_; }
    const PlanOptions& options() const { return options_; }
    const TensorTable& tensors() const { return tensors_; }
    const std::vector<PlanItem>& items() const { return items_; }
    int64_t total_bytes() const { return total_bytes_; }
    /// The lowest so many layers recompute their activations in the backward pass.
    int64_t recomputed_layers() const { return recomputed_; }
    int64_t head_rows() const { return head_rows_; }
    int64_t workspace_bytes() const { return workspace_bytes_; }
    const ops::WorkspaceNeed& workspace_need() const { return workspace_need_; }

    /// Which of Buffers::slots layer l uses.
    size_t slot_of(int64_t layer) const {
        if (!options_.training) return 0;
        return static_cast<size_t>(layer < recomputed_ ? shape_.layers - recomputed_ : layer - recomputed_);
    }

    /// Which of Buffers::vectors is the first moment of an optimizer; the next one is its second. Those of later optimizers come last.
    int64_t first_moment(int64_t optimizer) const { return optimizer == 0 ? 2 : 4 + options_.extra_vectors + 2 * (optimizer - 1); }
    /// Whether gradients may be added to a parameter vector: to the gradients, and to extra ones.
    bool may_hold_gradients(int64_t vector) const { return vector == 1 || (vector >= 4 && vector < 4 + options_.extra_vectors); }

    /// Lays the session's memory out from layout's base.
    Buffers lay_out(Layout& layout) const { return lay_out(layout, recomputed_); }

private:
    Buffers lay_out(Layout& layout, int64_t recomputed) const;
    void choose_recomputation();

    ModelShape shape_;
    PlanOptions options_;
    TensorTable tensors_;
    ops::WorkspaceNeed workspace_need_;
    std::vector<PlanItem> items_;
    int64_t total_bytes_ = 0, recomputed_ = 0, head_rows_ = 0, workspace_bytes_ = 0;
};

}  // namespace vaccine
