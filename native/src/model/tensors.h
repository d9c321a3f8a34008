#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/shape.h"

namespace vaccine {

/// What a tensor is; numbered as in the C ABI.
enum class TensorKind : int {
    Embedding,
    AttentionNorm,
    MlpNorm,
    FinalNorm,
    Head,
    Weight,
    Bias,
    LoraA,
    LoraB,
    QueryNorm,
    KeyNorm,
    AttentionOutputNorm,
    MlpOutputNorm
};
constexpr int kTensorKinds = 13;
/// The norm of a block's output.
constexpr TensorKind output_norm(Site block) {
    return block == AttentionSite ? TensorKind::AttentionOutputNorm : TensorKind::MlpOutputNorm;
}

struct Tensor {
    TensorKind kind;
    int layer = -1, projection = -1;
    int64_t rows = 1, columns = 0;
    int trainable = -1;   // its number among the trainable tensors
    int64_t offset = -1;  // of its first element in a parameter vector

    int64_t count() const { return rows * columns; }
};

/// All tensors of a model, layer by layer from the embedding to the head. Trainable ones lie in a parameter vector in this order, each at a
/// multiple of four elements (16 bytes, for vector loads); the gaps hold zeros.
class TensorTable {
public:
    TensorTable(const ModelShape& shape, const LoraOptions& lora, bool full);

    const std::vector<Tensor>& all() const { return tensors_; }
    const Tensor& trainable(int index) const { return tensors_[trainable_[index]]; }
    int trainable_count() const { return static_cast<int>(trainable_.size()); }
    /// Length of a parameter vector.
    int64_t vector_length() const { return vector_length_; }
    /// Weights of the model itself, adapters not counted.
    int64_t model_parameters() const { return model_parameters_; }

    /// The tensor's place in all(), or -1 where the model has none. layer -1: outside the layers.
    int find(TensorKind kind, int layer, int projection) const;

private:
    void add(TensorKind kind, int layer, int projection, int64_t rows, int64_t columns, bool trains);

    std::vector<Tensor> tensors_;
    std::vector<int> trainable_;
    std::vector<int> places_;  // by (layer + 1, kind, projection + 1)
    int64_t vector_length_ = 0, model_parameters_ = 0;
};

}  // namespace vaccine
