// Lists of loss heads on the model of engine_model.h, for the tests of losses and of the teacher.
#pragma once
#include <algorithm>

#include "engine_model.h"

namespace vaccine::testing {

inline constexpr int32_t kTop = Model::kLayers;

using Heads = std::vector<vaccine_loss_head>;

inline vaccine_loss_head head(int32_t point, int32_t kind, float weight = 1, int32_t norms = 1, int32_t scalar = -1) {
    return {sizeof(vaccine_loss_head), point, kind, norms, scalar, weight};
}

inline vaccine_forward_options with(const Heads& heads) {
    vaccine_forward_options o = Model::forward_options();
    o.heads = heads.data();
    o.head_count = static_cast<int32_t>(heads.size());
    return o;
}

inline Setup adapters(int32_t head_rows = 0, DType activations = DType::F32) {
    Setup setup;
    setup.head_rows = head_rows;
    setup.teacher_rows = 20;
    setup.weights = setup.activations = activations;
    return setup;
}

/// Keeps the rows of the model without its adapter.
inline void record_base(Model& model, const TestBatch& batch = {}) {
    vaccine_forward_options o = Model::forward_options();
    o.for_backward = 0;
    o.record_teacher = o.adapter_off = 1;
    model.forward(batch, o);
}

inline std::vector<int32_t> targets(const TestBatch& batch) {
    std::vector<int32_t> found;
    for (size_t i = 1; i < batch.ids.size(); ++i)
        if (batch.labels[i] >= 0 && std::find(batch.offsets.begin(), batch.offsets.end(), static_cast<int32_t>(i)) == batch.offsets.end())
            found.push_back(batch.labels[i]);
    return found;
}

struct Seen {
    double loss;
    std::vector<float> gradient;
};

inline Seen step(Model& model, const Heads& heads, const vaccine_backward_options& backward = Model::backward_options()) {
    ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
    const double loss = model.forward({}, with(heads));
    model.backward(backward);
    return {loss, model.vector(VACCINE_VECTOR_GRADIENTS)};
}

}  // namespace vaccine::testing
