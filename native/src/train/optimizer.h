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
    /// first_moment: which parameter vector; the next one is the second moment.
    Optimizer(Device& device, const Plan& plan, Parameters& parameters, int first_moment)
        : device_(device),
          parameters_(parameters),
          first_moment_(first_moment),
          steps_(static_cast<size_t>(plan.tensors().trainable_count()), 0) {}

    /// options.step is not read. norm_square: of the gradient, for clipping; empty: none.
    void step(const ops::AdamW& options, int gradient_vector, const uint8_t* mask, View norm_square, float clip);
    /// Moments and counts are zero, as before the first step.
    void reset();

    const std::vector<int64_t>& steps() const { return steps_; }
    void set_steps(const int64_t* steps) { steps_.assign(steps, steps + steps_.size()); }

private:
    Device& device_;
    Parameters& parameters_;
    const int first_moment_;
    std::vector<int64_t> steps_;
};

/// Those of a plan, one for each of its pairs of moments.
class Optimizers {
public:
    Optimizers(Device& device, const Plan& plan, Parameters& parameters);

    /// Throws where the plan has no such optimizer.
    Optimizer& get(int64_t index);

private:
    std::vector<Optimizer> all_;
};

}  // namespace vaccine
