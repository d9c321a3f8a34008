#pragma once
#include <cstdint>
#include <vector>

#include "ops/ops.h"
#include "train/parameters.h"

namespace vaccine {

/// AdamW over chosen tensors. State is per tensor, as in torch: one that is not stepped keeps its moments, its weights (no decay) and its
/// count, so that bias corrections differ between tensors (docs/methods.md, "Training").
class Optimizer {
public:
    Optimizer(Device& device, const Plan& plan, Parameters& parameters)
        : device_(device), parameters_(parameters), steps_(static_cast<size_t>(plan.tensors().trainable_count()), 0) {}

    /// options.step is not read. norm_square: of the gradient, for clipping; empty: none.
    void step(const ops::AdamW& options, int gradient_vector, const uint8_t* mask, View norm_square, float clip);

    const std::vector<int64_t>& steps() const { return steps_; }
    void set_steps(const int64_t* steps) { steps_.assign(steps, steps + steps_.size()); }

private:
    Device& device_;
    Parameters& parameters_;
    std::vector<int64_t> steps_;
};

}  // namespace vaccine
