// For processors without AVX2, and to read.
#include <cstring>

#include "ops/cpu/gemm_kernels.h"

namespace vaccine::ops {
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

/// c (1, columns) of a row's sums.
void finish(const float* sum, int64_t columns, const TileEnd& end, float* c) {
    for (int64_t j = 0; j < columns; ++j) {
        const float base = (end.bias ? end.bias[j] : 0.0f) + (end.add ? c[j] : 0.0f);
        c[j] = base + end.alpha * sum[j];
    }
}

template <int R>
void tile_of(int64_t columns, int64_t steps, const Panel& a_panel, const Panel& b_panel, const TileEnd& end, float* c, int64_t c_stride) {
    float sum[R][kColumns] = {};
    const float* a = a_panel.data;
    const float* b = b_panel.data;
    for (int64_t step = 0; step < steps; ++step, a += a_panel.stride, b += b_panel.stride) {
        VACCINE_UNROLL
        for (int r = 0; r < R; ++r) {
            VACCINE_UNROLL
            for (int j = 0; j < kColumns; ++j) sum[r][j] += a[r] * b[j];
        }
    }
    for (int r = 0; r < R; ++r) finish(sum[r], columns, end, c + r * c_stride);
}

void tile(int64_t rows, int64_t columns, int64_t steps, const Panel& a, const Panel& b, const Ahead&, const TileEnd& end, float* c,
          int64_t c_stride) {
    constexpr decltype(&tile_of<1>) kTiles[kRows] = {tile_of<1>, tile_of<2>, tile_of<3>, tile_of<4>};
    kTiles[rows - 1](columns, steps, a, b, end, c, c_stride);
}

void dot(int64_t rows, int64_t columns, int64_t steps, const PackSource& a, const PackSource& b, const TileEnd& end, float* c,
         int64_t c_stride) {
    float sum[kRows][kColumns] = {};
    for (int64_t j = 0; j < columns; ++j)
        for (int64_t step = 0; step < steps; ++step) {
            const float factor = value(b, j * b.lane_stride + step);
            for (int64_t r = 0; r < rows; ++r) sum[r][j] += value(a, r * a.lane_stride + step) * factor;
        }
    for (int64_t r = 0; r < rows; ++r) finish(sum[r], columns, end, c + r * c_stride);
}

}  // namespace

const GemmKernels gemm_plain = {kRows, kRows, kColumns, kColumns, pack, tile, dot, kRows, nullptr, 0};

}  // namespace vaccine::ops
