#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "core/device.h"
#include "model/plan.h"

namespace vaccine {

/// Parameter vectors and the verbs on them (docs/engine.md, "Parameter vectors"). A mask has a byte for each trainable tensor; NULL: all.
class Parameters {
public:
    Parameters(Device& device, const Plan& plan, const Buffers& buffers) : device_(device), plan_(plan), buffers_(buffers) {}

    /// Throws where the plan has no such vector.
    View get(int vector) const;

    void zero(int vector, const uint8_t* mask);
    void copy(int from, int to, const uint8_t* mask);
    void scale(int vector, float factor, const uint8_t* mask);
    void axpy(float alpha, int x, int y, const uint8_t* mask);
    /// vector *= numerator / (sqrt(sum_of_squares) + epsilon), and y += the same factor * x.
    void scale_to_norm(int vector, float numerator, View sum_of_squares, float epsilon, const uint8_t* mask);
    void axpy_to_norm(float numerator, View sum_of_squares, float epsilon, int x, int y, const uint8_t* mask);
    void multiply_add(float alpha, int a, int b, int y, const uint8_t* mask);
    void dot(int x, int y, const uint8_t* mask, View out);

    /// Calls f(first element, count) for each run of neighbouring tensors in the mask that may be treated as one: same(i, j) says so.
    void for_runs(const uint8_t* mask, const std::function<bool(int, int)>& same,
                  const std::function<void(int64_t, int64_t, int)>& f) const;

private:
    void for_all(const uint8_t* mask, const std::function<void(int64_t, int64_t)>& f) const;

    Device& device_;
    const Plan& plan_;
    const Buffers& buffers_;
};

}  // namespace vaccine
