// A tile of 64 x 64 a block, 4 x 4 a thread. For checking: simple, and types are looked at while it runs.
#include "ops/cuda/device.cuh"
#include "ops/cuda/gemm_plain.h"

namespace vaccine::ops {
namespace {

constexpr int kTile = 64, kDepth = 16, kThreads = 256, kOwn = 4;
constexpr int kAcross = kTile / kOwn;  // threads across the tile
using Tile = float[kDepth][kTile + 1];

__device__ float value_of(const PlainOperand& from, int64_t i, int64_t k) {
    const int64_t at = i * from.row + k * from.step;
    if (from.mask.active() && !from.mask.keeps(from.mask.words(at).word[at % 4])) return 0;
    const float value =
        from.factor * (from.bf16 ? to_float(static_cast<const bf16*>(from.data)[at]) : static_cast<const float*>(from.data)[at]);
    return from.rounds ? to_float(from_float<bf16>(value)) : value;
}

/// Zeros beyond the matrix. Neighbouring threads take neighbours in memory.
__device__ void fetch(const PlainOperand& from, int64_t first, int64_t limit, int64_t first_k, int64_t K, Tile& to) {
    for (int at = static_cast<int>(threadIdx.x); at < kTile * kDepth; at += kThreads) {
        const int i = from.step == 1 ? at / kDepth : at % kTile, k = from.step == 1 ? at % kDepth : at / kTile;
        to[k][i] = first + i < limit && first_k + k < K ? value_of(from, first + i, first_k + k) : 0.0f;
    }
}

struct Sums {
    float value[kOwn][kOwn] = {};

    /// Row i of this thread is threadIdx.x / kAcross + i * kAcross, column j alike.
    __device__ void add(const PlainOperand& a, const PlainOperand& b, const PlainGemm& g, int64_t K) {
        __shared__ Tile left, right;
        const int row = static_cast<int>(threadIdx.x) / kAcross, column = static_cast<int>(threadIdx.x) % kAcross;
        for (int64_t first = 0; first < K; first += kDepth) {
            fetch(a, int64_t{blockIdx.x} * kTile, g.M, first, K, left);
            fetch(b, int64_t{blockIdx.y} * kTile, g.N, first, K, right);
            __syncthreads();
#pragma unroll
            for (int k = 0; k < kDepth; ++k)
#pragma unroll
                for (int i = 0; i < kOwn; ++i)
#pragma unroll
                    for (int j = 0; j < kOwn; ++j)
                        value[i][j] = fmaf(left[k][row + i * kAcross], right[k][column + j * kAcross], value[i][j]);
            __syncthreads();
        }
    }
};

__device__ void write(const PlainGemm& g, int64_t m, int64_t n, float sum) {
    const int64_t at = m * g.N + n;
    sum *= g.alpha;
    if (g.bias != nullptr) sum += g.bias[n];
    if (g.c_bf16) {
        if (g.addend != nullptr) sum += to_float(static_cast<const bf16*>(g.addend)[at]);
        static_cast<bf16*>(g.c)[at] = from_float<bf16>(sum);
    } else {
        if (g.addend != nullptr) sum += static_cast<const float*>(g.addend)[at];
        static_cast<float*>(g.c)[at] = sum;
    }
}

__global__ void __launch_bounds__(kThreads) plain_kernel(const PlainGemm g) {
    const int64_t row = int64_t{blockIdx.x} * kTile + threadIdx.x / kAcross, column = int64_t{blockIdx.y} * kTile + threadIdx.x % kAcross;
    Sums sums;
    if (g.low_K > 0) sums.add(g.low_a, g.low_b, g, g.low_K);
    if (g.low_mask.active())
        for (int i = 0; i < kOwn; ++i)
            for (int j = 0; j < kOwn; ++j) {
                const int64_t at = g.low_mask.element(row + i * kAcross, column + j * kAcross);
                const bool keeps = g.low_mask.keeps(g.low_mask.words(at).word[at % 4]);
                sums.value[i][j] *= keeps ? g.low_mask.scale : 0.0f;
            }
    sums.add(g.a, g.b, g, g.K);
    for (int i = 0; i < kOwn; ++i)
        for (int j = 0; j < kOwn; ++j) {
            const int64_t m = row + i * kAcross, n = column + j * kAcross;
            if (m < g.M && n < g.N) write(g, m, n, sums.value[i][j]);
        }
}

}  // namespace

PlainOperand plain(const View& view) {
    PlainOperand operand;
    operand.data = view.data;
    operand.bf16 = view.dtype == DType::BF16;
    operand.row = view.columns;
    operand.step = 1;
    return operand;
}
PlainOperand transposed(const View& view) {
    PlainOperand operand = plain(view);
    std::swap(operand.row, operand.step);
    return operand;
}

void gemm_plain(const char* op, const Stream& stream, const PlainGemm& gemm) {
    if (gemm.M == 0 || gemm.N == 0) return;
    const dim3 grid(static_cast<unsigned>(ceil_div(gemm.M, kTile)), static_cast<unsigned>(ceil_div(gemm.N, kTile)));
    launch(op, stream, plain_kernel, grid, kThreads, 0, gemm);
}

}  // namespace vaccine::ops
