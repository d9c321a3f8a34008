#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/ops.h"

namespace vaccine {

/// The seven linear maps of a layer, in the order of the C ABI.
enum Projection : int { Query, Key, Value, Output, Gate, Up, Down, kProjections };

enum class RopeScaling : int { Plain = 0, Linear = 1, Llama3 = 2 };

/// A rotary embedding: rope_theta and rope_scaling of transformers' config.json.
struct Rope {
    RopeScaling scaling = RopeScaling::Plain;
    double theta = 10000, factor = 1, low = 1, high = 4, original = 8192;
};
constexpr int kRopes = 2;

constexpr int64_t kMostLayers = 0xFFFF;

/// Where the layers of a model differ.
struct LayerShape {
    int64_t window = 0;  // 0: none
    int64_t rope = 0;    // which of the model's
};

/// A model of the Llama kind, its sizes named as in transformers' config.json: a family (Gemma, Qwen, ...) is a choice of these values.
struct ModelShape {
    int64_t vocabulary = 0, hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0;
    bool tied_embeddings = false, qkv_bias = false, output_bias = false, mlp_bias = false;
    float rms_epsilon = 1e-5f;
    ops::Activation activation = ops::Activation::Silu;
    bool norm_offset = false;         // norms multiply by 1 + w
    bool block_output_norms = false;  // attention's and the MLP's outputs pass a norm of their own before the residual add
    bool query_key_norms = false;     // of every head of q and k, before rotary embedding
    float attention_scale = 0;        // 0: 1 / sqrt(head_size)
    float attention_cap = 0, logit_cap = 0;
    float embedding_scale = 1;
    std::array<Rope, kRopes> ropes;
    std::vector<LayerShape> layer_shapes;  // one for each layer

    float score_scale() const { return attention_scale != 0 ? attention_scale : 1 / std::sqrt(static_cast<float>(head_size)); }
    const LayerShape& layer(int64_t l) const { return layer_shapes[static_cast<size_t>(l)]; }
    bool uses(int64_t rope) const {
        for (const LayerShape& l : layer_shapes)
            if (l.rope == rope) return true;
        return false;
    }
    int64_t query_size() const { return heads * head_size; }
    int64_t key_size() const { return kv_heads * head_size; }

    int64_t inputs(int projection) const { return projection == Output ? query_size() : projection == Down ? intermediate : hidden; }
    int64_t outputs(int projection) const {
        switch (projection) {
            case Query:
                return query_size();
            case Key:
            case Value:
                return key_size();
            case Gate:
            case Up:
                return intermediate;
            default:
                return hidden;
        }
    }
    bool has_bias(int projection) const { return projection <= Value ? qkv_bias : projection == Output ? output_bias : mlp_bias; }
};

/// Low-rank adapters (Hu et al. 2021) on chosen projections of every layer. rank 0: none.
struct LoraOptions {
    int64_t rank = 0;
    uint32_t targets = 0;  // bit p: projection p
    float alpha = 0, dropout = 0;

    bool on(int projection) const { return rank > 0 && (targets >> projection & 1) != 0; }
    float scale() const { return alpha / static_cast<float>(rank); }
};

/// A named point of a layer; see nativevaccine.h.
enum Site : int { AttentionSite, MlpSite, ResidualSite, kSites };

/// See nativevaccine.h.
enum class LossKind : int { Labels, Teacher, NegativeEntropy };
constexpr int kLossKinds = 3;

}  // namespace vaccine
