// What happens to accumulators in registers: the dropout mask of the low-rank part, and the way to memory.
#pragma once
#include "ops/cuda/gemm.h"
#include "ops/cuda/mma.cuh"

namespace vaccine::ops {

/// sum *= mask, for the mma tiles from (row, column) of the masked matrix on.
/// The two lanes of a pair hold two columns each of one Philox block, in two rows: each computes one row's block and gives the other half
/// away. Columns are multiples of 4 there, and so is a row's length.
template <int DOWN, int ACROSS>
__device__ void mask_accumulators(const DropoutMask& mask, int row, int column, float (&sum)[DOWN][ACROSS][4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, q = lane % 4;
    const bool odd = q % 2 == 1;
    const int64_t own_row = row + lane / 4 + (odd ? kMmaM / 2 : 0);
    const auto factor = [&](uint32_t word) { return mask.keeps(word) ? mask.scale : 0.0f; };
    constexpr int kAtOnce = 2;
#pragma unroll 1
    for (int first = 0; first < ACROSS; first += kAtOnce) {  // not unrolled wholly: Philox is long
#pragma unroll
        for (int part = 0; part < kAtOnce * DOWN; ++part) {
            const int i = part % DOWN, across = first + part / DOWN;
            const int64_t element = mask.element(own_row + i * kMmaM, column + across * kMmaN + q / 2 * 4);
            const RandomBlock block = mask.words(element);
            const uint32_t got0 = __shfl_xor_sync(~0u, odd ? block.word[0] : block.word[2], 1);
            const uint32_t got1 = __shfl_xor_sync(~0u, odd ? block.word[1] : block.word[3], 1);
            const float factors[4] = {factor(odd ? got0 : block.word[0]), factor(odd ? got1 : block.word[1]),
                                      factor(odd ? block.word[2] : got0), factor(odd ? block.word[3] : got1)};
#pragma unroll
            for (int j = part / DOWN; j < ACROSS; j += kAtOnce)  // registers have no index
                if (j == across)
#pragma unroll
                    for (int e = 0; e < 4; ++e) sum[i][j][e] *= factors[e];
        }
    }
}

/// Exchanges with the lane of the neighbouring row: from two tiles of one's own row to the left or right tile of two rows (`left`: of the
/// even row, `right`: of the odd one). A warp's store then fills whole sectors of 32 bytes. Done twice it is undone.
__device__ inline void exchange_rows(uint32_t& left, uint32_t& right) {
    const bool odd = threadIdx.x / 4 % 2 == 1;
    const uint32_t got = __shfl_xor_sync(~0u, odd ? left : right, 4);
    (odd ? left : right) = got;
}

/// Two mma tiles side by side, half of their rows: two columns a lane in each.
class PairOfTiles {
public:
    /// row, column: of this lane in the left tile.
    __device__ PairOfTiles(const Gemm& gemm, int lane_row, int lane_column) : g(gemm), row(lane_row), column(lane_column) {}

    __device__ void add_bias(float (&left)[2], float (&right)[2]) const {
        if (g.bias == nullptr) return;
        if (column < g.N) {
            left[0] += g.bias[column];
            left[1] += g.bias[column + 1];
        }
        if (column + kMmaN < g.N) {
            right[0] += g.bias[column + kMmaN];
            right[1] += g.bias[column + kMmaN + 1];
        }
    }

    __device__ void write(float*, float (&left)[2], float (&right)[2]) const {
        if (row >= g.M) return;
        const int64_t at = row * g.c_row + column;
        write_fp32(at, column, left);
        write_fp32(at + kMmaN, column + kMmaN, right);
    }
    __device__ void write(bf16*, float (&left)[2], float (&right)[2]) const {
        const bool odd = threadIdx.x / 4 % 2 == 1;
        const int even_row = row - odd, at_column = column + odd * kMmaN;
        const int64_t at = even_row * g.c_row + at_column;
        const bool first = even_row < g.M && at_column < g.N, second = even_row + 1 < g.M && at_column < g.N;
        if (g.addend != nullptr) {
            const bf16* addend = static_cast<const bf16*>(g.addend) + at;
            uint32_t from_left = first ? *reinterpret_cast<const uint32_t*>(addend) : 0;
            uint32_t from_right = second ? *reinterpret_cast<const uint32_t*>(addend + g.c_row) : 0;
            exchange_rows(from_left, from_right);
            left[0] += low_bf16(from_left);
            left[1] += high_bf16(from_left);
            right[0] += low_bf16(from_right);
            right[1] += high_bf16(from_right);
        }
        uint32_t to_left = pack_bf16(left[0], left[1]), to_right = pack_bf16(right[0], right[1]);
        exchange_rows(to_left, to_right);
        bf16* c = static_cast<bf16*>(g.c) + at;
        if (first) *reinterpret_cast<uint32_t*>(c) = to_left;
        if (second) *reinterpret_cast<uint32_t*>(c + g.c_row) = to_right;
    }

private:
    __device__ void write_fp32(int64_t at, int at_column, const float (&value)[2]) const {
        if (at_column >= g.N) return;
        float2 sum = make_float2(value[0], value[1]);
        if (g.addend != nullptr) {
            const float2 addend = *reinterpret_cast<const float2*>(static_cast<const float*>(g.addend) + at);
            sum.x += addend.x;
            sum.y += addend.y;
        }
        *reinterpret_cast<float2*>(static_cast<float*>(g.c) + at) = sum;
    }

    const Gemm& g;
    const int row, column;
};

/// c = sum + bias + addend, for the mma tiles from (row, column) of c on.
template <int DOWN, int ACROSS, class C>
__device__ void write_accumulators(const Gemm& g, int row, int column, float (&sum)[DOWN][ACROSS][4]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int i = 0; i < DOWN; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int j = 0; j < ACROSS; j += 2) {
                float left[2] = {sum[i][j][half * 2], sum[i][j][half * 2 + 1]};
                float right[2] = {sum[i][j + 1][half * 2], sum[i][j + 1][half * 2 + 1]};
                const PairOfTiles pair(g, row + i * kMmaM + half * (kMmaM / 2) + lane / 4, column + j * kMmaN + lane % 4 * 2);
                pair.add_bias(left, right);
                pair.write(static_cast<C*>(nullptr), left, right);
            }
}

}  // namespace vaccine::ops
