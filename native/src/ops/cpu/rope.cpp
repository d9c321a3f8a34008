#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace nv::ops {
namespace {

void rotate_rows(Stream& stream, const char* op, const View& x, const View& positions, const View& cosine, const View& sine,
                 int64_t head_size, float direction) {
    const int64_t T = x.rows, half = head_size / 2;
    const Check check(op);
    check.that(head_size > 0 && head_size % 2 == 0, "head_size", "a positive even number", head_size);
    check.that(x.columns % head_size == 0, "x", "columns of whole heads", x.columns);
    check.matrix("x", x, DType::F32, T, x.columns);
    check.vector("positions", positions, DType::I32, T);
    check.matrix("cosine", cosine, DType::F32, cosine.rows, half);
    check.matrix("sine", sine, DType::F32, cosine.rows, half);
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
    const Check check("rope_table");
    check.vector("frequency", frequency, DType::F32, half);
    check.matrix("cosine", cosine, DType::F32, positions, half);
    check.matrix("sine", sine, DType::F32, positions, half);

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

}  // namespace nv::ops
