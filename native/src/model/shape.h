#pragma once
#include <cstdint>

namespace vaccine {

/// The seven linear maps of a layer, in the order of the C ABI.
enum Projection : int { Query, Key, Value, Output, Gate, Up, Down, kProjections };

enum class RopeScaling : int { Plain = 0, Linear = 1, Llama3 = 2 };

/// The sizes of a Llama-family model (Llama, Mistral, Qwen2), named as in transformers' config.json.
struct ModelShape {
    int64_t vocabulary = 0, hidden = 0, intermediate = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0;
    int64_t sliding_window = 0;  // 0: none
    bool tied_embeddings = false, qkv_bias = false, output_bias = false, mlp_bias = false;
    float rms_epsilon = 1e-5f;
    RopeScaling rope_scaling = RopeScaling::Plain;
    double rope_theta = 10000, rope_factor = 1, rope_low = 1, rope_high = 4, rope_original = 8192;

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
