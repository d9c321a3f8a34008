#include "model/plan.h"

#include <algorithm>
#include <string>

#include "core/checked.h"
#include "core/error.h"
#include "model/sizes.h"
#include "ops/cuda_workspace.h"

namespace vaccine {
namespace {

/// Logits of a chunk stay around this size. Chosen by shape alone, never by the memory limit: a full-parameter run sums lm_head's gradient
/// chunk by chunk, and its bits must not depend on the budget.
constexpr int64_t kLogitBytes = int64_t{64} << 20;

int64_t choose_head_rows(const ModelShape& shape, const PlanOptions& options) {
    const int64_t rows = std::max({options.max_tokens, options.decode_samples, int64_t{1}});
    if (options.head_rows > 0) return std::min(options.head_rows, rows);
    const int64_t fit = std::max<int64_t>(kLogitBytes / (4 * shape.vocabulary), 128);
    return std::min(rows, fit);
}

std::string mib(int64_t bytes) {
    return std::to_string((bytes >> 20) + (bytes % (1 << 20) != 0)) + " MiB";
}

/// A layer has its own, but those that recompute share one, and all do where nothing is trained.
int64_t slot_count(const ModelShape& shape, const PlanOptions& options, int64_t recomputed) {
    return options.training ? shape.layers - recomputed + (recomputed > 0) : 1;
}

LayerSlot take_slot(Layout& to, const ModelShape& shape, const PlanOptions& options) {
    const int64_t T = options.max_tokens, F = shape.intermediate;
    const DType type = options.activation_type;
    const char* item = "activations";
    LayerSlot s;
    s.q = to.take(item, T, shape.query_size(), type);
    s.k = to.take(item, T, shape.key_size(), type);
    s.v = to.take(item, T, shape.key_size(), type);
    s.attention = to.take(item, T, shape.query_size(), type);
    s.lse = to.take(item, T, shape.heads, DType::F32);
    s.middle = options.training ? to.take(item, T, shape.hidden, type) : View{};
    s.gate = to.take(item, T, F, type);
    s.up = to.take(item, T, F, type);
    s.attention_rstd = to.take(item, 1, T, DType::F32);
    s.mlp_rstd = to.take(item, 1, T, DType::F32);
    for (int block = 0; block <= MlpSite && shape.block_output_norms; ++block) {
        s.output[block] = to.take(item, T, shape.hidden, type);
        s.output_rstd[block] = to.take(item, 1, T, DType::F32);
    }
    for (int p = 0; p < Down; ++p)
        if (options.lora.on(p)) s.lora_h[p] = to.take(item, T, options.lora.rank, DType::F32);
    return s;
}

void take_weights(Buffers& b, Layout& to, const TensorTable& tensors, const PlanOptions& options) {
    for (const Tensor& t : tensors.all()) {
        const DType type = t.rows > 1 ? options.weight_type : DType::F32;  // norms and biases are small and always fp32
        b.weights.push_back(t.trainable >= 0 ? View{} : to.take("frozen weights", t.rows, t.columns, type));
    }
    const int64_t N = tensors.vector_length();
    b.vectors.push_back(to.take("trainable parameters", 1, N, DType::F32));
    if (!options.training) return;
    b.vectors.push_back(to.take("gradients", 1, N, DType::F32));
    const auto take_moments = [&] {
        for (int i = 0; i < 2; ++i) b.vectors.push_back(to.take("optimizer moments", 1, N, DType::F32));
    };
    if (options.optimizers > 0)
        take_moments();
    else
        b.vectors.resize(b.vectors.size() + 2);  // so that the numbers of extra vectors do not depend on it
    for (int64_t i = 0; i < options.extra_vectors; ++i) b.vectors.push_back(to.take("method's parameter vectors", 1, N, DType::F32));
    for (int64_t i = 1; i < options.optimizers; ++i) take_moments();
}

void take_batch(Buffers& b, Layout& to, const TensorTable& tensors, const ModelShape& shape, const PlanOptions& options) {
    const char* item = "batch and tables";
    const int64_t T = options.max_tokens, half = shape.head_size / 2;
    b.tokens = to.take(item, 1, T, DType::I32);
    b.positions = to.take(item, 1, T, DType::I32);
    b.offsets = to.take(item, 1, options.max_samples + 1, DType::I32);
    b.label_rows = to.take(item, 1, T, DType::I32);
    b.targets = to.take(item, 1, T, DType::I32);
    const int64_t positions = std::max(options.longest_sample, options.decode_capacity);
    for (int rope = 0; rope < kRopes; ++rope) {
        if (!shape.uses(rope)) continue;
        b.ropes[rope].frequency = to.take(item, 1, half, DType::F32);
        b.ropes[rope].cosine = to.take(item, positions, half, DType::F32);
        b.ropes[rope].sine = to.take(item, positions, half, DType::F32);
    }
    b.scalars = to.take(item, 1, sizes::kScalars, DType::F64);
    b.scratch_scalars = to.take(item, 1, std::max<int64_t>({tensors.trainable_count(), shape.layers + 1, options.max_samples}), DType::F64);
}

void take_passes(Buffers& b, Layout& to, const ModelShape& shape, const PlanOptions& options, int64_t recomputed) {
    const int64_t T = options.max_tokens, C = shape.hidden, F = shape.intermediate, L = shape.layers;
    const DType type = options.activation_type;
    const int64_t points = options.training ? L + 1 : 1;
    for (int64_t p = 0; p < points; ++p) b.residual.push_back(to.take("residual stream", T, C, type));
    b.residual.resize(static_cast<size_t>(L + 1), b.residual.front());

    for (int64_t s = 0; s < slot_count(shape, options, recomputed); ++s) b.slots.push_back(take_slot(to, shape, options));
    for (int64_t l = 0; l < L; ++l)
        b.down_h.push_back(options.lora.on(Down) && (options.training || l == 0) ? to.take("activations", T, options.lora.rank, DType::F32)
                           : l > 0                                               ? b.down_h.front()
                                                                                 : View{});
    b.normed = to.take("forward scratch", T, C, type);
    b.branch = to.take("forward scratch", T, C, type);
    b.wide = to.take("forward scratch", T, F, type);
    if (shape.query_key_norms) {
        b.q_rotated = to.take("forward scratch", T, shape.query_size(), type);
        b.k_rotated = to.take("forward scratch", T, shape.key_size(), type);
        b.q_rstd = to.take("forward scratch", 1, T * shape.heads, DType::F32);
        b.k_rstd = to.take("forward scratch", 1, T * shape.kv_heads, DType::F32);
    }
    if (!options.training) return;

    const char* item = "backward scratch";
    b.d_residual = to.take(item, T, C, type);
    b.d_branch = to.take(item, T, C, type);
    b.d_normed = to.take(item, T, C, type);
    b.d_wide = to.take(item, T, F, type);
    b.d_attention = to.take(item, T, shape.query_size(), type);
    b.dq = to.take(item, T, shape.query_size(), type);
    b.dk = to.take(item, T, shape.key_size(), type);
    b.dv = to.take(item, T, shape.key_size(), type);
    b.delta = to.take(item, T, shape.heads, DType::F32);
    if (options.lora.rank > 0) b.lora_scratch = to.take(item, T, options.lora.rank, DType::F32);
}

void take_head(Buffers& b, Layout& to, const ModelShape& shape, const PlanOptions& options, int64_t head_rows) {
    const char* item = "loss and logits";
    const int64_t R = std::max(options.max_tokens, options.decode_samples), C = shape.hidden;
    const DType type = options.activation_type;
    b.head_in = to.take(item, R, C, type);
    b.head_normed = to.take(item, R, C, type);
    b.head_rstd = to.take(item, 1, R, DType::F32);
    b.logits = to.take(item, head_rows, shape.vocabulary, DType::F32);
    b.loss = to.take(item, 1, R, DType::F32);
    for (View& loss : b.head_losses) loss = to.take(item, 1, R, DType::F32);
    b.lse = to.take(item, 1, R, DType::F32);
    if (options.training) {
        b.d_head_in = to.take(item, R, C, type);
        b.d_head_normed = to.take(item, R, C, type);
    }
    const char* teacher = "teacher's rows and logits";
    b.teacher_normed = to.take(teacher, options.teacher_rows, C, type);
    b.teacher_logits = to.take(teacher, std::min(options.teacher_rows, head_rows), shape.vocabulary, DType::F32);
    b.teacher_lse = to.take(teacher, 1, options.teacher_rows, DType::F32);
}

void take_decoding(Buffers& b, Layout& to, const ModelShape& shape, const PlanOptions& options) {
    if (options.decode_samples == 0) return;
    const int64_t rows = options.decode_samples * options.decode_capacity;
    for (int64_t l = 0; l < shape.layers; ++l) {
        b.k_cache.push_back(to.take("KV cache", rows, shape.key_size(), options.activation_type));
        b.v_cache.push_back(to.take("KV cache", rows, shape.key_size(), options.activation_type));
    }
    b.cache_rows = to.take("batch and tables", 1, options.max_tokens, DType::I32);
    b.lengths = to.take("batch and tables", 1, std::max(options.max_tokens, options.decode_samples), DType::I32);
    b.next_tokens = to.take("batch and tables", 1, options.decode_samples, DType::I32);
    b.seen_tokens = to.take("batch and tables", 1, rows, DType::I32);
    b.seen_offsets = to.take("batch and tables", 1, options.decode_samples + 1, DType::I32);
}

}  // namespace

View Layout::take(const char* item, int64_t rows, int64_t columns, DType type) {
    if (rows <= 0 || columns <= 0) return {};
    const View view{base_ + bytes_, type, rows, columns};
    const int64_t exact = checked_product(checked_product(rows, columns), size_of(type));
    const int64_t bytes = checked_sum(exact, kAlignment - 1) / kAlignment * kAlignment;
    bytes_ = checked_sum(bytes_, bytes);
    const auto at = std::find_if(items_.begin(), items_.end(), [&](const PlanItem& i) { return i.name == item; });
    if (at == items_.end())
        items_.push_back({item, bytes});
    else
        at->bytes += bytes;
    return view;
}

Plan::Plan(const Stream* stream, const ModelShape& shape, const PlanOptions& options)
    : shape_(sizes::checked(shape, options)), options_(options), tensors_(shape, options.lora, options.full) {
    for (int k = 0; k < kSites; ++k)
        if (options_.site_layers[k] == 0) options_.site_layers[k] = shape.layers + (k == ResidualSite);
    head_rows_ = choose_head_rows(shape, options);

    ops::WorkspaceNeed& need = workspace_need_;
    need.tokens = std::max(options.max_tokens, options.decode_samples);
    need.largest_width = std::max({shape.hidden, shape.query_size(), shape.intermediate, shape.vocabulary});
    need.heads = shape.heads;
    need.kv_heads = shape.kv_heads;
    need.head_size = shape.head_size;
    need.longest_sample = options.longest_sample;
    need.cache_capacity = options.decode_capacity;
    workspace_bytes_ = stream != nullptr ? ops::workspace_bytes(*stream, need) : ops::cuda_workspace_bytes(need);

    choose_recomputation();
    Layout counted(nullptr);
    lay_out(counted, recomputed_);
    items_ = counted.items();
    total_bytes_ = counted.bytes();
}

void Plan::choose_recomputation() {
    if (!options_.training) return;
    recomputed_ = std::max<int64_t>(options_.recomputed_layers, 0);
    if (options_.recomputed_layers >= 0 && options_.memory_limit == 0) return;

    Layout first(nullptr), slot(nullptr);
    lay_out(first, recomputed_);
    take_slot(slot, shape_, options_);
    const int64_t slots = slot_count(shape_, options_, recomputed_);
    const auto total = [&](int64_t recomputed) {
        return first.bytes() - (slots - slot_count(shape_, options_, recomputed)) * slot.bytes();
    };
    const int64_t most = options_.recomputed_layers >= 0 ? recomputed_ : shape_.layers;
    while (options_.memory_limit > 0 && total(recomputed_) > options_.memory_limit) {
        if (recomputed_ < most) {
            ++recomputed_;
            continue;
        }
        throw Error(Status::OutOfMemory, "the plan needs " + mib(total(recomputed_)) + " with " + std::to_string(recomputed_) + " of " +
                                             std::to_string(shape_.layers) + " layers recomputed, and the limit is " +
                                             mib(options_.memory_limit) +
                                             "; a smaller batch, shorter samples or bf16 weights would need less");
    }
}

Buffers Plan::lay_out(Layout& layout, int64_t recomputed) const {
    Buffers b;
    take_weights(b, layout, tensors_, options_);
    take_batch(b, layout, tensors_, shape_, options_);
    take_passes(b, layout, shape_, options_, recomputed);
    take_head(b, layout, shape_, options_, head_rows_);
    for (int k = 0; k < kSites; ++k)
        for (int64_t i = 0; i < options_.site_tensors[k]; ++i)
            b.sites[k].push_back(layout.take("site tensors", options_.site_layers[k] * options_.max_tokens, shape_.hidden, DType::F32));
    take_decoding(b, layout, shape_, options_);
    b.workspace = layout.take("kernel workspace", 1, (workspace_bytes_ + 3) / 4, DType::F32);
    return b;
}

}  // namespace vaccine
