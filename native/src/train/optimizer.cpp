#include "train/optimizer.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace vaccine {

void Optimizer::step(const ops::AdamW& options, int gradient_vector, const uint8_t* mask, View norm_square, float clip) {
    const View p = parameters_.get(0), g = parameters_.get(gradient_vector);
    const View m = parameters_.get(first_moment_), v = parameters_.get(first_moment_ + 1);
    for (size_t i = 0; i < steps_.size(); ++i)
        if (mask == nullptr || mask[i] != 0) ++steps_[i];

    ops::AdamW now = options;
    const auto same_count = [this](int a, int b) { return steps_[static_cast<size_t>(a)] == steps_[static_cast<size_t>(b)]; };
    parameters_.for_runs(mask, same_count, [&](int64_t first, int64_t n, int tensor) {
        now.step = steps_[static_cast<size_t>(tensor)];
        ops::adamw(device_.stream(), p.slice(first, n), g.slice(first, n), m.slice(first, n), v.slice(first, n), now, norm_square, clip);
    });
}

void Optimizer::reset() {
    for (const int moment : {first_moment_, first_moment_ + 1}) parameters_.zero(moment, nullptr);
    std::fill(steps_.begin(), steps_.end(), 0);
}

Optimizers::Optimizers(Device& device, const Plan& plan, Parameters& parameters) {
    if (!plan.options().training) return;
    for (int64_t i = 0; i < plan.options().optimizers; ++i)
        all_.emplace_back(device, plan, parameters, static_cast<int>(plan.first_moment(i)));
}

Optimizer& Optimizers::get(int64_t index) {
    require(index >= 0 && index < static_cast<int64_t>(all_.size()),
            "optimizer is " + std::to_string(index) + ", and the plan has " + std::to_string(all_.size()));
    return all_[static_cast<size_t>(index)];
}

}  // namespace vaccine
