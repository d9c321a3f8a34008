#pragma once
#include "model/plan.h"

namespace vaccine {

/// Finds a tensor's memory: frozen ones lie by themselves, trainable ones in parameter vector 0.
class Weights {
public:
    Weights(const TensorTable& tensors, const Buffers& buffers) : tensors_(tensors), buffers_(buffers) {}

    /// Empty where the model has no such tensor.
    View get(TensorKind kind, int64_t layer = -1, int projection = -1) const {
        const int at = tensors_.find(kind, static_cast<int>(layer), projection);
        return at < 0 ? View{} : view(at);
    }

    View view(int index) const {
        const Tensor& t = tensors_.all()[static_cast<size_t>(index)];
        return t.trainable < 0 ? buffers_.weights[static_cast<size_t>(index)] : in_vector(0, t);
    }

    /// The output matrix: lm_head, or the embedding where they are tied.
    View head() const {
        const View own = get(TensorKind::Head);
        return own.empty() ? get(TensorKind::Embedding) : own;
    }

    /// A trainable tensor's place in a parameter vector.
    View in_vector(int vector, const Tensor& t) const {
        View v = buffers_.vectors[static_cast<size_t>(vector)].slice(t.offset, t.count());
        v.rows = t.rows;
        v.columns = t.columns;
        return v;
    }

private:
    const TensorTable& tensors_;
    const Buffers& buffers_;
};

/// Which gradients a backward pass is to add, and where: those of the tensors in mask (NULL: all) in layers from floor on. vector -1: none.
class GradientTarget {
public:
    GradientTarget(const TensorTable& tensors, const Weights& weights, int vector, const uint8_t* mask, int64_t floor)
        : tensors_(tensors), weights_(weights), vector_(vector), mask_(mask), floor_(floor) {}

    /// The place of a tensor's gradient, or empty where it is not wanted.
    View get(TensorKind kind, int64_t layer = -1, int projection = -1) const {
        const int at = tensors_.find(kind, static_cast<int>(layer), projection);
        const bool below_floor = kind == TensorKind::Embedding ? floor_ > 0 : layer >= 0 && layer < floor_;
        if (vector_ < 0 || at < 0 || below_floor) return {};
        const Tensor& t = tensors_.all()[static_cast<size_t>(at)];
        const bool wanted = t.trainable >= 0 && (mask_ == nullptr || mask_[t.trainable] != 0);
        return wanted ? weights_.in_vector(vector_, t) : View{};
    }

    /// Whether a gradient of projections first .. last is wanted.
    bool wants(int64_t layer, int first, int last) const {
        for (int p = first; p <= last; ++p)
            for (const TensorKind kind : {TensorKind::Weight, TensorKind::Bias, TensorKind::LoraA, TensorKind::LoraB})
                if (!get(kind, layer, p).empty()) return true;
        return false;
    }
    /// Whether one of the projections q, k and v, or of the norms behind them, is wanted.
    bool wants_attention_inputs(int64_t layer) const {
        return wants(layer, Query, Value) || has(TensorKind::QueryNorm, layer) || has(TensorKind::KeyNorm, layer);
    }
    bool wants_attention(int64_t layer) const {
        return has(TensorKind::AttentionNorm, layer) || wants_attention_inputs(layer) || wants(layer, Output, Output) ||
               has(TensorKind::AttentionOutputNorm, layer);
    }
    bool wants_mlp(int64_t layer) const {
        return has(TensorKind::MlpNorm, layer) || wants(layer, Gate, Down) || has(TensorKind::MlpOutputNorm, layer);
    }

private:
    bool has(TensorKind kind, int64_t layer) const { return !get(kind, layer).empty(); }

    const TensorTable& tensors_;
    const Weights& weights_;
    int vector_;
    const uint8_t* mask_;
    int64_t floor_;
};

}  // namespace vaccine
