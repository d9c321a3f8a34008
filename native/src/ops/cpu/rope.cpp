#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

void rotate_rows(Stream& stream, const char* op, const View& x, const View& positions, const View& cosine, const View& sine,
                 int64_t head_size, float direction) {
    const int64_t T = x.rows, half = head_size / 2;
    const Check check(op);
    check_rope(check, x, positions, cosine, sine, head_size);
    check.matrix("x", x, DType::F32, T, x.columns);
    check_indices(check, "positions", positions, cosine.rows);

    const VectorKernels& kernels = vector_kernels();
    for_rows(stream, T, x.columns, 1, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            const int64_t angle = positions.as<int32_t>()[t] * half;
            float* row = x.as<float>() + t * x.columns;
            for (int64_t c = 0; c < x.columns; c += head_size)
                kernels.rotate(row + c, row + c + half, cosine.as<float>() + angle, sine.as<float>() + angle, half, direction);
        }
    });
}

}  // namespace

void rope_table(Stream& stream, View frequency, View cosine, View sine) {
    const int64_t positions = cosine.rows, half = cosine.columns;
    check_rope_table(Check("rope_table"), frequency, cosine, sine);

    for_rows(stream, positions, half, 16, [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; ++p) {
            for (int64_t i = 0; i < half; ++i) {
                const float angle = static_cast<float>(p) * frequency.as<float>()[i];
                cosine.as<float>()[p * half + i] = std::cos(angle);
                sine.as<float>()[p * half + i] = std::sin(angle);
            }
        }
    });
}

void rope_forward(Stream& stream, View x, View positions, View cosine, View sine, int64_t head_size) {
    rotate_rows(stream, "rope_forward", x, positions, cosine, sine, head_size, 1);
}

void rope_backward(Stream& stream, View dx, View positions, View cosine, View sine, int64_t head_size) {
    rotate_rows(stream, "rope_backward", dx, positions, cosine, sine, head_size, -1);
}

}  // namespace vaccine::ops
