#include "model/tensors.h"

#include "core/checked.h"

namespace vaccine {
namespace {

size_t place(TensorKind kind, int layer, int projection) {
    return (static_cast<size_t>(layer + 1) * kTensorKinds + static_cast<size_t>(kind)) * (kProjections + 1) +
           static_cast<size_t>(projection + 1);
}

}  // namespace

TensorTable::TensorTable(const ModelShape& shape, const LoraOptions& lora, bool full) {
    places_.assign(place(TensorKind{kTensorKinds - 1}, static_cast<int>(shape.layers) - 1, kProjections - 1) + 1, -1);

    add(TensorKind::Embedding, -1, -1, shape.vocabulary, shape.hidden, full);
    for (int l = 0; l < shape.layers; ++l) {
        const auto norm = [&](TensorKind kind, bool there, int64_t size) {
            if (there) add(kind, l, -1, 1, size, full);
        };
        norm(TensorKind::AttentionNorm, true, shape.hidden);
        for (int p = 0; p < kProjections; ++p) {
            if (p == Gate) norm(TensorKind::MlpNorm, true, shape.hidden);
            add(TensorKind::Weight, l, p, shape.outputs(p), shape.inputs(p), full);
            if (shape.has_bias(p)) add(TensorKind::Bias, l, p, 1, shape.outputs(p), full);
            if (lora.on(p)) {
                add(TensorKind::LoraA, l, p, lora.rank, shape.inputs(p), true);
                add(TensorKind::LoraB, l, p, shape.outputs(p), lora.rank, true);
            }
            if (p == Query) norm(TensorKind::QueryNorm, shape.query_key_norms, shape.head_size);
            if (p == Key) norm(TensorKind::KeyNorm, shape.query_key_norms, shape.head_size);
            if (p == Output) norm(TensorKind::AttentionOutputNorm, shape.block_output_norms, shape.hidden);
            if (p == Down) norm(TensorKind::MlpOutputNorm, shape.block_output_norms, shape.hidden);
        }
    }
    add(TensorKind::FinalNorm, -1, -1, 1, shape.hidden, full);
    if (!shape.tied_embeddings) add(TensorKind::Head, -1, -1, shape.vocabulary, shape.hidden, full);
}

void TensorTable::add(TensorKind kind, int layer, int projection, int64_t rows, int64_t columns, bool trains) {
    Tensor t{kind, layer, projection, rows, columns};
    if (trains) {
        t.trainable = static_cast<int>(trainable_.size());
        t.offset = vector_length_;
        vector_length_ = checked_sum(vector_length_, (t.count() + 3) / 4 * 4);
        trainable_.push_back(static_cast<int>(tensors_.size()));
    }
    if (kind != TensorKind::LoraA && kind != TensorKind::LoraB) model_parameters_ = checked_sum(model_parameters_, t.count());
    places_[place(kind, layer, projection)] = static_cast<int>(tensors_.size());
    tensors_.push_back(t);
}

int TensorTable::find(TensorKind kind, int layer, int projection) const {
    const size_t at = place(kind, layer, projection);
    return at < places_.size() ? places_[at] : -1;
}

}  // namespace vaccine
