#include <algorithm>
#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {

void adamw(Stream& stream, View p, View g, View m, View v, const AdamW& options, View sum_of_squares, float clip) {
    const int64_t n = p.count();
    check_adamw(Check("adamw"), p, g, m, v, options, sum_of_squares);

    double gradient = 1;
    if (!sum_of_squares.empty()) gradient = std::min(1.0, static_cast<double>(clip) / (std::sqrt(*sum_of_squares.as<double>()) + 1e-6));
    const AdamWFactors factors(options);
    const VectorKernels& kernels = vector_kernels();
    for_ranges(stream, n, kTaskElements / 2, [&](int64_t first, int64_t last) {
        kernels.adamw(p.as<float>() + first, g.as<float>() + first, m.as<float>() + first, v.as<float>() + first, last - first,
                      static_cast<float>(gradient), factors);
    });
}

}  // namespace vaccine::ops
