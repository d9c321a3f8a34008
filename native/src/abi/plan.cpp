#include "model/plan.h"

#include "abi/guard.h"

using namespace vaccine::abi;

namespace {

template <class Enum> Enum choice(int32_t value, int32_t most, const char* name) {
    vaccine::require(value >= 0 && value <= most,
                     "shape." + std::string(name) + " is " + std::to_string(value) + ", expected 0 to " + std::to_string(most));
    return static_cast<Enum>(value);
}

/// The layers of a model, each checked as far as its struct goes.
std::vector<vaccine::LayerShape> layers_of(const vaccine_model_shape& shape) {
    vaccine::require(shape.layers >= 1 && shape.layers <= vaccine::kMostLayers,
                     "shape.layers is " + std::to_string(shape.layers) + ", expected 1 to " + std::to_string(vaccine::kMostLayers));
    std::vector<vaccine::LayerShape> layers(static_cast<size_t>(shape.layers), {shape.sliding_window, 0});
    if (shape.layer_shapes == nullptr) return layers;
    const auto* bytes = reinterpret_cast<const unsigned char*>(shape.layer_shapes);
    for (size_t l = 0; l < layers.size(); ++l) {
        const std::string name = "shape.layer_shapes[" + std::to_string(l) + "]";
        const Known<vaccine_layer_shape> known(reinterpret_cast<const vaccine_layer_shape*>(bytes), name.c_str());
        bytes += known->struct_size;  // the array is the caller's, of structs as it knows them
        layers[l] = {known->window, known->rope};
    }
    return layers;
}

vaccine::ModelShape shape_of(const vaccine_model_shape& in) {
    vaccine::ModelShape s;
    s.vocabulary = in.vocabulary;
    s.hidden = in.hidden;
    s.intermediate = in.intermediate;
    s.layers = in.layers;
    s.heads = in.heads;
    s.kv_heads = in.kv_heads;
    s.head_size = in.head_size;
    s.tied_embeddings = in.tied_embeddings != 0;
    s.qkv_bias = in.qkv_bias != 0;
    s.output_bias = in.output_bias != 0;
    s.mlp_bias = in.mlp_bias != 0;
    s.rms_epsilon = in.rms_epsilon;
    s.activation = choice<vaccine::ops::Activation>(in.activation, VACCINE_GELU_TANH, "activation");
    s.norm_offset = in.norm_offset != 0;
    s.block_output_norms = in.block_output_norms != 0;
    s.query_key_norms = in.query_key_norms != 0;
    s.attention_scale = in.attention_scale;
    s.attention_cap = in.attention_cap;
    s.logit_cap = in.logit_cap;
    s.embedding_scale = in.embedding_scale != 0 ? in.embedding_scale : 1;
    s.ropes[0] = {choice<vaccine::RopeScaling>(in.rope_scaling, VACCINE_ROPE_LLAMA3, "rope_scaling"),
                  in.rope_theta,
                  in.rope_factor,
                  in.rope_low_frequency_factor,
                  in.rope_high_frequency_factor,
                  in.rope_original_positions};
    s.ropes[1] = {choice<vaccine::RopeScaling>(in.local_rope_scaling, VACCINE_ROPE_LLAMA3, "local_rope_scaling"),
                  in.local_rope_theta,
                  in.local_rope_factor,
                  in.local_rope_low_frequency_factor,
                  in.local_rope_high_frequency_factor,
                  in.local_rope_original_positions};
    s.layer_shapes = layers_of(in);
    return s;
}

vaccine::DType matrix_type(int32_t value, const char* name) {
    vaccine::require(value == VACCINE_F32 || value == VACCINE_BF16,
                     std::string(name) + " is " + std::to_string(value) + ", expected 0 (fp32) or 1 (bf16)");
    return static_cast<vaccine::DType>(value);
}

vaccine::PlanOptions options_of(const vaccine_plan_options& in) {
    vaccine::PlanOptions o;
    o.max_tokens = in.max_tokens;
    o.max_samples = in.max_samples;
    o.longest_sample = in.longest_sample;
    o.weight_type = matrix_type(in.weight_type, "options.weight_type");
    o.activation_type = matrix_type(in.activation_type, "options.activation_type");
    o.training = in.training != 0;
    o.full = in.full != 0;
    o.optimizers = in.optimizers;
    o.lora.rank = in.lora_rank;
    o.lora.targets = in.lora_rank > 0 ? in.lora_targets : 0;
    o.lora.alpha = in.lora_alpha;
    o.lora.dropout = in.lora_dropout;
    o.extra_vectors = in.extra_vectors;
    for (int k = 0; k < VACCINE_SITE_KINDS; ++k) {
        o.site_tensors[static_cast<size_t>(k)] = in.site_tensors[k];
        o.site_layers[static_cast<size_t>(k)] = in.site_layers[k];
    }
    o.head_rows = in.head_rows;
    o.teacher_rows = in.teacher_rows;
    o.recomputed_layers = in.recomputed_layers;
    o.memory_limit = in.memory_limit;
    o.decode_samples = in.decode_samples;
    o.decode_capacity = in.decode_capacity;
    return o;
}

}  // namespace

extern "C" {

vaccine_status vaccine_plan_create(const vaccine_device* device, const vaccine_model_shape* given_shape,
                                   const vaccine_plan_options* given_options, vaccine_plan** out) noexcept {
    return guard("vaccine_plan_create", [&] {
        not_null(out, "out");
        *out = nullptr;
        not_null(device, "device");
        const Known<vaccine_model_shape> shape(given_shape, "shape");
        const Known<vaccine_plan_options> options(given_options, "options");
        const vaccine::PlanOptions o = options_of(*options);
        vaccine::require(
            device->device->computes_in(o.activation_type),
            "options.activation_type is " + std::to_string(options->activation_type) + " (bf16), and this device computes in fp32 only");
        *out = new vaccine_plan{vaccine::Plan(&device->device->stream(), shape_of(*shape), o)};
    });
}

vaccine_status vaccine_plan_create_for_gpu(const vaccine_model_shape* given_shape, const vaccine_plan_options* given_options,
                                           vaccine_plan** out) noexcept {
    return guard("vaccine_plan_create_for_gpu", [&] {
        not_null(out, "out");
        *out = nullptr;
        const Known<vaccine_model_shape> shape(given_shape, "shape");
        const Known<vaccine_plan_options> options(given_options, "options");
        *out = new vaccine_plan{vaccine::Plan(nullptr, shape_of(*shape), options_of(*options))};
    });
}

void vaccine_plan_destroy(vaccine_plan* plan) noexcept {
    delete plan;
}

vaccine_status vaccine_plan_get_summary(const vaccine_plan* plan, vaccine_plan_summary* out) noexcept {
    return guard("vaccine_plan_get_summary", [&] {
        not_null(plan, "plan");
        vaccine_plan_summary reply{};
        reply.items = static_cast<int32_t>(plan->plan.items().size());
        reply.recomputed_layers = static_cast<int32_t>(plan->plan.recomputed_layers());
        reply.head_rows = static_cast<int32_t>(plan->plan.head_rows());
        reply.total_bytes = plan->plan.total_bytes();
        reply.parameters = plan->plan.tensors().model_parameters();
        reply.trainable_parameters = plan->plan.tensors().vector_length();
        give(reply, out, "out");
    });
}

vaccine_status vaccine_plan_get_item(const vaccine_plan* plan, int32_t index, vaccine_plan_item* out) noexcept {
    return guard("vaccine_plan_get_item", [&] {
        not_null(plan, "plan");
        const auto& items = plan->plan.items();
        vaccine::require(index >= 0 && index < static_cast<int32_t>(items.size()),
                         "index is " + std::to_string(index) + ", expected 0 to " + std::to_string(items.size() - 1));
        vaccine_plan_item reply{};
        reply.bytes = items[static_cast<size_t>(index)].bytes;
        copy_text(reply.name, items[static_cast<size_t>(index)].name);
        give(reply, out, "out");
    });
}

}  // extern "C"
