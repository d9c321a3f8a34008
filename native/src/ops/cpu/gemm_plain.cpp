// For processors without AVX2, and to read.
#include <cstring>

#include "ops/cpu/gemm_kernels.h"

namespace nv::ops {
namespace {

constexpr int kRows = 4, kColumns = 8;

float value(const PackSource& from, int64_t i) {
    if (!from.bf16) return static_cast<const float*>(from.data)[i];
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(from.data)[i]) << 16;
    float v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
}

void pack(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t step = 0; step < steps; ++step)
        for (int64_t lane = 0; lane < padded; ++lane)
            to[step * padded + lane] = lane < lanes ? value(from, lane * from.lane_stride + step * from.step_stride) : 0.0f;
}

void tile(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, const TileEnd& end, float* c, int64_t c_stride) {
    float sum[kRows][kColumns] = {};
    for (int64_t step = 0; step < steps; ++step, a += kRows, b += kColumns)
        NV_UNROLL
        for (int r = 0; r < kRows; ++r)
            NV_UNROLL
            for (int j = 0; j < kColumns; ++j) sum[r][j] += a[r] * b[j];
    for (int64_t r = 0; r < rows; ++r, c += c_stride)
        for (int64_t j = 0; j < columns; ++j) {
            const float base = (end.add ? c[j] : 0.0f) + (end.bias ? end.bias[j] : 0.0f);
            c[j] = base + end.alpha * sum[r][j];
        }
}

}  // namespace

const GemmKernels gemm_plain = {kRows, kRows, kColumns, kColumns, pack, tile};

}  // namespace nv::ops
