#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "abi/guard.h"

using namespace vaccine::abi;

namespace {

constexpr int64_t kMostSteps = int64_t{1} << 53;  // exact in fp64, in which corrections are computed, and far from overflow

/// As torch.optim.AdamW: every other number would make weights infinite or NaN.
void check_numbers(const vaccine_adamw_options& o) {
    const auto in_range = [](const char* name, double value, bool good, const char* expected) {
        vaccine::require(good, std::string("options.") + name + " is " + std::to_string(value) + ", expected " + expected);
    };
    const auto not_negative = [&](const char* name, double value) {
        in_range(name, value, value >= 0 && std::isfinite(value), "0 or a positive number");
    };
    not_negative("learning_rate", o.learning_rate);
    in_range("beta1", o.beta1, o.beta1 >= 0 && o.beta1 < 1, "0 or more, less than 1");
    in_range("beta2", o.beta2, o.beta2 >= 0 && o.beta2 < 1, "0 or more, less than 1");
    not_negative("epsilon", o.epsilon);
    not_negative("weight_decay", o.weight_decay);
    in_range("clip", static_cast<double>(o.clip), o.clip >= 0, "0 or a positive number");
}

/// Optimizer `index`, of whose steps a caller has `count`.
vaccine::Optimizer& with_steps(vaccine::Session& s, int32_t index, int32_t count) {
    vaccine::Optimizer& optimizer = s.optimizers.get(index);
    const auto expected = static_cast<int32_t>(optimizer.steps().size());
    vaccine::require(count == expected,
                     "count is " + std::to_string(count) + ", expected " + std::to_string(expected) + " trainable tensors");
    return optimizer;
}

}  // namespace

extern "C" {

vaccine_status vaccine_adamw_step(vaccine_session* session, const vaccine_adamw_options* given) noexcept {
    return guard_session("vaccine_adamw_step", session, [&](vaccine::Session& s) {
        const Known<vaccine_adamw_options> options(given, "options");
        check_numbers(*options);
        vaccine::require(s.plan().may_hold_gradients(options->gradient_vector),
                         "options.gradient_vector is " + std::to_string(options->gradient_vector) +
                             ", expected 1 (gradients) or an extra vector of the plan (from 4 on)");
        vaccine::ops::AdamW o;
        o.learning_rate = options->learning_rate;
        o.beta1 = options->beta1;
        o.beta2 = options->beta2;
        o.epsilon = options->epsilon;
        o.weight_decay = options->weight_decay;
        const vaccine::View norm = options->norm_scalar < 0 || options->clip <= 0 ? vaccine::View{} : s.sites.scalar(options->norm_scalar);
        s.optimizers.get(options->optimizer).step(o, options->gradient_vector, options->tensors, norm, options->clip);
    });
}

vaccine_status vaccine_adamw_read_steps(const vaccine_session* session, int32_t optimizer, int32_t count, int64_t* out_steps) noexcept {
    return guard_session("vaccine_adamw_read_steps", session, [&](vaccine::Session& s) {
        not_null(out_steps, "out_steps");
        const std::vector<int64_t>& steps = with_steps(s, optimizer, count).steps();
        std::copy(steps.begin(), steps.end(), out_steps);
    });
}

vaccine_status vaccine_adamw_write_steps(vaccine_session* session, int32_t optimizer, int32_t count, const int64_t* steps) noexcept {
    return guard_session("vaccine_adamw_write_steps", session, [&](vaccine::Session& s) {
        not_null(steps, "steps");
        vaccine::Optimizer& target = with_steps(s, optimizer, count);
        for (int32_t i = 0; i < count; ++i)
            vaccine::require(steps[i] >= 0 && steps[i] <= kMostSteps, "steps[" + std::to_string(i) + "] is " + std::to_string(steps[i]) +
                                                                          ", expected 0 to " + std::to_string(kMostSteps));
        target.set_steps(steps);
    });
}

vaccine_status vaccine_adamw_reset(vaccine_session* session, int32_t optimizer) noexcept {
    return guard_session("vaccine_adamw_reset", session, [&](vaccine::Session& s) { s.optimizers.get(optimizer).reset(); });
}

}  // extern "C"
