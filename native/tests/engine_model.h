// A small random model behind the C ABI, for tests of the whole engine: what a host does, in C++.
#pragma once
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "nativevaccine.h"
#include "testing.h"

namespace vaccine::testing {

inline void ok(vaccine_status status) {
    check(status == VACCINE_OK, vaccine_last_error_message());
}

inline vaccine_dtype type_of(DType type) {
    return type == DType::BF16 ? VACCINE_BF16 : VACCINE_F32;
}

struct Setup {
    int32_t threads = 2, recomputed = 0, head_rows = 0, teacher_rows = 0, lora_rank = 3;
    bool full = false, training = true, tied = false;
    bool varied = false;  // all that a shape may choose beside Llama's form, chosen
    DType weights = DType::F32, activations = DType::F32;
    bool rounded = false;  // the weights' numbers are those that bf16 has
    float dropout = 0;
    int64_t memory_limit = 0;
};

/// Three samples of 1, 7 and 12 tokens; about half of the tokens are labels.
struct TestBatch {
    std::vector<int32_t> ids, labels, offsets{0, 1, 8, 20};

    TestBatch() {
        Random random(5);
        for (int i = 0; i < 20; ++i) {
            ids.push_back(static_cast<int32_t>(random.below(37)));
            labels.push_back(random.below(2) == 0 ? -100 : ids.back());
        }
    }
    vaccine_batch view() const {
        return {
            sizeof(vaccine_batch), static_cast<int32_t>(ids.size()), static_cast<int32_t>(offsets.size()) - 1, ids.data(), labels.data(),
            offsets.data()};
    }
};

class Model {
public:
    static constexpr int32_t kLayers = 4, kHidden = 24, kVocabulary = 37;

    /// What is chosen where a setup is varied. layer_shapes: static.
    static void vary(vaccine_model_shape& s) {
        constexpr uint32_t size = sizeof(vaccine_layer_shape);
        static const vaccine_layer_shape layers[kLayers] = {{size, 5, 1}, {size, 0, 0}, {size, 9, 1}, {size, 3, 0}};
        s.activation = VACCINE_GELU_TANH;
        s.norm_offset = s.block_output_norms = s.query_key_norms = 1;
        s.attention_scale = 0.45f;
        s.attention_cap = 1.5f;
        s.logit_cap = 4;
        s.embedding_scale = 1.7f;
        s.local_rope_scaling = VACCINE_ROPE_LINEAR;
        s.local_rope_theta = 500;
        s.local_rope_factor = 2;
        s.layer_shapes = layers;
    }
    static vaccine_model_shape shape(const Setup& setup) {
        vaccine_model_shape s{};
        s.struct_size = sizeof s;
        s.vocabulary = kVocabulary;
        s.hidden = kHidden;
        s.intermediate = 40;
        s.layers = kLayers;
        s.heads = 4;
        s.kv_heads = 2;
        s.head_size = 8;
        s.tied_embeddings = setup.tied;
        s.qkv_bias = 1;
        s.sliding_window = 9;
        s.rms_epsilon = 1e-5f;
        s.rope_theta = 10000;
        s.rope_factor = 1;
        if (setup.varied) vary(s);
        return s;
    }
    static vaccine_plan_options options(const Setup& setup) {
        vaccine_plan_options o{};
        o.struct_size = sizeof o;
        o.max_tokens = 24;
        o.max_samples = 4;
        o.longest_sample = 14;
        o.weight_type = type_of(setup.weights);
        o.activation_type = type_of(setup.activations);
        o.training = setup.training;
        o.full = setup.full;
        o.lora_rank = setup.full ? 0 : setup.lora_rank;
        o.lora_targets = 0x7F;
        o.lora_alpha = 6;
        o.lora_dropout = setup.dropout;
        o.optimizers = 1;
        o.extra_vectors = 2;
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k) o.site_tensors[k] = 2;
        o.head_rows = setup.head_rows;
        o.teacher_rows = setup.teacher_rows;
        o.recomputed_layers = setup.recomputed;
        o.memory_limit = setup.memory_limit;
        o.decode_samples = 3;
        o.decode_capacity = 20;
        return o;
    }

    /// shared: a device that outlives the model; NULL for one of its own.
    explicit Model(const Setup& setup, vaccine_device* shared = nullptr) : device(shared), owns_device_(shared == nullptr) {
        const vaccine_model_shape s = shape(setup);
        const vaccine_plan_options o = options(setup);
        if (owns_device_) ok(vaccine_device_create(0, setup.threads, &device));
        ok(vaccine_plan_create(device, &s, &o, &plan));
        ok(vaccine_session_create(device, plan, &session));
        fill(setup);
        const std::vector<uint8_t> all(kLayers + 1, 1);
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k)
            for (int i = 0; i < 2; ++i) ok(vaccine_site_select(session, k, i, all.data()));
    }
    ~Model() {
        vaccine_session_destroy(session);
        vaccine_plan_destroy(plan);
        if (owns_device_) vaccine_device_destroy(device);
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    static vaccine_forward_options forward_options() {
        vaccine_forward_options o{};
        o.struct_size = sizeof o;
        o.for_backward = 1;
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k) o.record_site[k] = o.add_site[k] = -1;
        return o;
    }
    static vaccine_backward_options backward_options(int32_t vector = VACCINE_VECTOR_GRADIENTS) {
        vaccine_backward_options o{};
        o.struct_size = sizeof o;
        o.loss_scale = 1;
        o.gradient_vector = vector;
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k) o.read_site[k] = o.add_site[k] = o.norm_scalar[k] = -1;
        return o;
    }

    /// Mean loss over labels (the sum, where there are several heads, weighted).
    double forward(const TestBatch& batch, const vaccine_forward_options& options = forward_options()) {
        const vaccine_batch view = batch.view();
        int64_t labels = 0;
        ok(vaccine_session_forward(session, &view, &options, &labels));
        return scalar(options.loss_scalar) / static_cast<double>(labels);
    }
    void backward(const vaccine_backward_options& options = backward_options()) { ok(vaccine_session_backward(session, &options)); }

    double scalar(int32_t index) {
        double value = 0;
        ok(vaccine_scalars_read(session, index, 1, &value));
        return value;
    }
    int64_t length() const {
        vaccine_plan_summary s{};
        s.struct_size = sizeof s;
        ok(vaccine_plan_get_summary(plan, &s));
        return s.trainable_parameters;
    }
    std::vector<float> vector(int32_t index) {
        std::vector<float> values(static_cast<size_t>(length()));
        ok(vaccine_vector_read(session, index, 0, length(), values.data()));
        return values;
    }
    void set_vector(int32_t index, const std::vector<float>& values) {
        ok(vaccine_vector_write(session, index, 0, length(), values.data()));
    }
    std::vector<float> site(int32_t kind, int32_t index, int32_t layer) {
        std::vector<float> values(static_cast<size_t>(20 * kHidden));
        ok(vaccine_site_read(session, kind, index, layer, static_cast<int64_t>(values.size()), values.data()));
        return values;
    }

    vaccine_device* device = nullptr;
    vaccine_plan* plan = nullptr;
    vaccine_session* session = nullptr;

private:
    const bool owns_device_;

    void fill(const Setup& setup) {
        int32_t tensors = 0, trainable = 0;
        ok(vaccine_session_get_tensor_count(session, &tensors, &trainable));
        Random random(3);
        for (int32_t i = 0; i < tensors; ++i) {
            vaccine_tensor_info t{};
            t.struct_size = sizeof t;
            ok(vaccine_session_get_tensor(session, i, &t));
            const bool norm = t.kind == VACCINE_TENSOR_ATTENTION_NORM || t.kind == VACCINE_TENSOR_MLP_NORM ||
                              t.kind == VACCINE_TENSOR_FINAL_NORM || t.kind >= VACCINE_TENSOR_QUERY_NORM;
            const double middle = norm && !setup.varied ? 1 : 0;  // with norm_offset, 1 is added to it
            const double scale = t.kind == VACCINE_TENSOR_EMBEDDING ? 1
                                 : t.rows == 1                      ? 0.2
                                                                    : 1.5 / std::sqrt(static_cast<double>(t.columns));
            std::vector<float> values(static_cast<size_t>(t.rows * t.columns));
            for (float& v : values) {
                v = static_cast<float>(middle + scale * random.value());
                if (setup.rounded) v = bf16_to_float(bf16_from_float(v));
            }
            ok(vaccine_session_write_tensor(session, i, 0, static_cast<int64_t>(values.size()), values.data()));
        }
    }
};

/// The derivative of the loss along a random direction, by differences, against the gradient. fp32 losses leave about four digits.
inline void gradient_is_slope(Model& model, const vaccine_forward_options& forward) {
    const TestBatch batch;
    model.forward(batch, forward);
    model.backward();
    const std::vector<float> start = model.vector(VACCINE_VECTOR_PARAMETERS), gradient = model.vector(VACCINE_VECTOR_GRADIENTS);
    // Half along the gradient, half at random, and short: the second difference must stay below what is tested.
    const auto norm = [](const std::vector<double>& x) { return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)); };
    std::vector<double> slope(gradient.begin(), gradient.end()), direction(start.size());
    Random random(23);
    for (size_t i = 0; i < start.size(); ++i) direction[i] = gradient[i] == 0 ? 0 : random.value();
    check(norm(slope) > 0, "the gradient is zero everywhere");
    const double along = 1 / norm(slope), aside = 1 / norm(direction);
    for (size_t i = 0; i < start.size(); ++i) direction[i] = aside * direction[i] + along * slope[i];
    const double expected = std::inner_product(slope.begin(), slope.end(), direction.begin(), 0.0), h = 2.5e-4;
    double loss[2];
    for (const int side : {0, 1}) {
        std::vector<float> moved = start;
        for (size_t i = 0; i < moved.size(); ++i) moved[i] += static_cast<float>((side == 0 ? h : -h) * direction[i]);
        model.set_vector(VACCINE_VECTOR_PARAMETERS, moved);
        loss[side] = model.forward(batch, forward);
    }
    near((loss[0] - loss[1]) / (2 * h), expected, {1e-4, 2e-3}, "slope of the loss");
}

inline void refused(vaccine_status status, vaccine_status expected, const std::string& word) {
    check(status == expected, "status " + std::to_string(status) + " for an error that should say " + word);
    check(std::string(vaccine_last_error_message()).find(word) != std::string::npos,
          std::string(vaccine_last_error_message()) + " does not say " + word);
}

}  // namespace vaccine::testing
