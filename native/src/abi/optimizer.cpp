#include "train/optimizer.h"

#include <algorithm>

#include "abi/guard.h"

using namespace nv::abi;

namespace {

void check_count(const nv::Session& s, int32_t count) {
    const auto expected = static_cast<int32_t>(s.optimizer.steps().size());
    nv::require(count == expected, "count is " + std::to_string(count) + ", expected " + std::to_string(expected) + " trainable tensors");
}

}  // namespace

extern "C" {

nv_status nv_adamw_step(nv_session* session, const nv_adamw_options* options) noexcept {
    return guard_session("nv_adamw_step", session, [&](nv::Session& s) {
        check_struct(options, "options");
        nv::ops::AdamW o;
        o.learning_rate = options->learning_rate;
        o.beta1 = options->beta1;
        o.beta2 = options->beta2;
        o.epsilon = options->epsilon;
        o.weight_decay = options->weight_decay;
        const nv::View norm = options->norm_scalar < 0 || options->clip <= 0 ? nv::View{} : s.sites.scalar(options->norm_scalar);
        s.optimizer.step(o, options->gradient_vector, options->tensors, norm, options->clip);
    });
}

nv_status nv_adamw_read_steps(const nv_session* session, int32_t count, int64_t* out_steps) noexcept {
    return guard_session("nv_adamw_read_steps", session, [&](nv::Session& s) {
        not_null(out_steps, "out_steps");
        check_count(s, count);
        std::copy(s.optimizer.steps().begin(), s.optimizer.steps().end(), out_steps);
    });
}

nv_status nv_adamw_write_steps(nv_session* session, int32_t count, const int64_t* steps) noexcept {
    return guard_session("nv_adamw_write_steps", session, [&](nv::Session& s) {
        not_null(steps, "steps");
        check_count(s, count);
        for (int32_t i = 0; i < count; ++i) nv::require(steps[i] >= 0, "steps[" + std::to_string(i) + "] is negative");
        s.optimizer.set_steps(steps);
    });
}

}  // extern "C"
