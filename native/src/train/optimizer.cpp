#include "train/optimizer.h"

namespace vaccine {

void Optimizer::step(const ops::AdamW& options, int gradient_vector, const uint8_t* mask, View norm_square, float clip) {
    const View p = parameters_.get(0), g = parameters_.get(gradient_vector), m = parameters_.get(2), v = parameters_.get(3);
    for (size_t i = 0; i < steps_.size(); ++i)
        if (mask == nullptr || mask[i] != 0) ++steps_[i];

    ops::AdamW now = options;
    const auto same_count = [this](int a, int b) { return steps_[static_cast<size_t>(a)] == steps_[static_cast<size_t>(b)]; };
    parameters_.for_runs(mask, same_count, [&](int64_t first, int64_t n, int tensor) {
        now.step = steps_[static_cast<size_t>(tensor)];
        ops::adamw(device_.stream(), p.slice(first, n), g.slice(first, n), m.slice(first, n), v.slice(first, n), now, norm_square, clip);
    });
}

}  // namespace vaccine
