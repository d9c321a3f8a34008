#include <algorithm>
#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace nv::ops {

void adamw(Stream& stream, View p, View g, View m, View v, const AdamW& options, View sum_of_squares, float clip) {
    const int64_t n = p.count();
    const Check check("adamw");
    check.vector("p", p, DType::F32, n);
    check.vector("g", g, DType::F32, n);
    check.vector("m", m, DType::F32, n);
    check.vector("v", v, DType::F32, n);
    check.that(options.step >= 1, "step", "1 or more", options.step);

    double gradient = 1;
    if (!sum_of_squares.empty()) {
        check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
        gradient = std::min(1.0, static_cast<double>(clip) / (std::sqrt(*sum_of_squares.as<double>()) + 1e-6));
    }
    // Computed in fp64 and rounded once, as torch does with its Python scalars.
    const double step = static_cast<double>(options.step);
    const double correction1 = 1 - std::pow(options.beta1, step), correction2 = 1 - std::pow(options.beta2, step);
    AdamWFactors factors{};
    factors.gradient = static_cast<float>(gradient);
    factors.decay = static_cast<float>(1 - options.learning_rate * options.weight_decay);
    factors.beta1 = static_cast<float>(options.beta1);
    factors.one_minus_beta1 = static_cast<float>(1 - options.beta1);
    factors.beta2 = static_cast<float>(options.beta2);
    factors.one_minus_beta2 = static_cast<float>(1 - options.beta2);
    factors.step_size = static_cast<float>(options.learning_rate / correction1);
    factors.root_correction = static_cast<float>(std::sqrt(correction2));
    factors.epsilon = static_cast<float>(options.epsilon);

    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, n, kTaskElements / 2, [&](int64_t first, int64_t last) {
        kernels.adamw(p.as<float>() + first, g.as<float>() + first, m.as<float>() + first, v.as<float>() + first, last - first, factors);
    });
}

}  // namespace nv::ops
