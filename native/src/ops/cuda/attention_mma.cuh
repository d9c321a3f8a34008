// What the tensor-core attention kernels are made of: tiles of rows in shared memory, copies into them, and products of them.
//
// A tile has rows of HD bf16 numbers, in chunks of 16 bytes. Chunk c of a row lies at place c ^ swizzle(row): the eight rows that one
// ldmatrix reads, and the eight chunks that eight lanes copy, then lie in different banks.
//
// A warp computes 16 rows. Of mma.m16n8k16 (PTX ISA, "Matrix fragments for mma.m16n8k16") lane l holds of a 16 x 8 accumulator the
// columns 2(l%4), 2(l%4)+1 of row l/4 (items 0, 1) and of row l/4 + 8 (items 2, 3).
#pragma once
#include "ops/cuda/mma.cuh"

namespace vaccine::ops::attention {

constexpr int kChunk = 8;  // numbers of 16 bytes

template <int HD> struct Tile {
    static_assert(HD % 32 == 0, "chunks of a row come in fours");
    static constexpr int kPitch = HD * static_cast<int>(sizeof(bf16));
    static constexpr int kChunks = HD / kChunk;
    __host__ __device__ static constexpr int bytes(int rows) { return rows * kPitch; }

    // Rows that are a multiple of 128 bytes begin in one bank: all eight must differ. Else two neighbours already lie 64 bytes apart.
    __device__ static int swizzle(int row) { return kChunks % 8 == 0 ? row % 8 : row / 2 % 4; }
    __device__ static uint32_t at(int row, int chunk) { return static_cast<uint32_t>(row * kPitch + (chunk ^ swizzle(row)) * 16); }

    /// ROWS rows from `from` on, `stride` numbers apart; zeros from row `valid` on. All THREADS must call it.
    template <int ROWS, int THREADS> __device__ static void load(uint32_t tile, const bf16* from, int64_t stride, int valid) {
        static_assert(ROWS * kChunks % THREADS == 0, "every thread copies as many chunks");
#pragma unroll
        for (int n = 0; n < ROWS * kChunks / THREADS; ++n) {
            const int i = n * THREADS + static_cast<int>(threadIdx.x), row = i / kChunks, chunk = i % kChunks;
            const bool real = row < valid;
            cp_async_zfill(tile + at(row, chunk), from + (real ? row * stride : 0) + chunk * kChunk, real);
        }
    }
};

/// Where a lane's row of an ldmatrix.x4 lies in a tile. Rows step by 16, and chunks by 2, from one 16 x 16 piece to the next.
template <int HD> struct LaneAddress {
    uint32_t row, chunk;

    __device__ LaneAddress(int lane_row, int lane_chunk)
        : row(static_cast<uint32_t>(lane_row * Tile<HD>::kPitch)),
          chunk(static_cast<uint32_t>((lane_chunk ^ Tile<HD>::swizzle(lane_row)) * 16)) {}

    /// first_row: a multiple of 16, first_chunk: of 2.
    __device__ uint32_t at(int first_row, int first_chunk) const {
        return row + static_cast<uint32_t>(first_row * Tile<HD>::kPitch) + (chunk ^ static_cast<uint32_t>(first_chunk * 16));
    }
};
/// The order that makes a 16 x 16 piece an A operand; with .trans, two B operands whose k are the piece's rows.
template <int HD> __device__ LaneAddress<HD> rows_first(int lane) {
    return {lane % 16, lane / 16};
}
/// The order that makes it two B operands whose n are the piece's rows.
template <int HD> __device__ LaneAddress<HD> columns_first(int lane) {
    return {lane / 16 * 8 + lane % 8, lane / 8 % 2};
}

using Operand = uint32_t[4];   // of a lane: a kMmaM x kMmaK A operand, or two kMmaK x kMmaN B operands
using Accumulator = float[4];  // of a lane: kMmaM x kMmaN

/// A warp's kMmaM rows of a tile as A operands: read again for each use, or kept in registers.
template <int HD> struct RowsInTile {
    uint32_t tile;
    LaneAddress<HD> lane;
    __device__ void operator()(int k, Operand& piece) const { ldmatrix_x4<false>(piece, tile + lane.at(0, 2 * k)); }
};
template <int HD> struct RowsInRegisters {
    Operand pieces[HD / kMmaK];
    __device__ void fill(const RowsInTile<HD>& from) {
#pragma unroll
        for (int k = 0; k < HD / kMmaK; ++k) from(k, pieces[k]);
    }
    __device__ void operator()(int k, Operand& piece) const {
#pragma unroll
        for (int i = 0; i < 4; ++i) piece[i] = pieces[k][i];
    }
};

/// sum = a b^T: kMmaM rows of HD numbers times the first kMmaN*TILES rows of a tile.
template <int HD, int TILES, class Rows>
__device__ void multiply_rows(Accumulator (&sum)[TILES], const Rows& a, uint32_t tile, const LaneAddress<HD>& lane) {
#pragma unroll
    for (int n = 0; n < TILES; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[n][i] = 0;
#pragma unroll
    for (int k = 0; k < HD / kMmaK; ++k) {
        Operand left, right;
        a(k, left);
#pragma unroll
        for (int n = 0; n < TILES / 2; ++n) {
            ldmatrix_x4<false>(right, tile + lane.at(2 * kMmaN * n, 2 * k));
            mma_m16n8k16(sum[2 * n], left, right[0], right[1]);
            mma_m16n8k16(sum[2 * n + 1], left, right[2], right[3]);
        }
    }
}

/// sum += a b: kMmaM x kMmaK*DEPTH times the first kMmaK*DEPTH rows of a tile, of which columns kChunk*first_chunk .. + kMmaN*TILES count.
template <int HD, int DEPTH, int TILES> __device__ void multiply_columns(Accumulator (&sum)[TILES], const Operand* a, uint32_t tile,
                                                                         const LaneAddress<HD>& lane, int first_chunk = 0) {
#pragma unroll
    for (int k = 0; k < DEPTH; ++k)
#pragma unroll
        for (int n = 0; n < TILES / 2; ++n) {
            Operand right;
            ldmatrix_x4<true>(right, tile + lane.at(kMmaK * k, first_chunk + 2 * n));
            mma_m16n8k16(sum[2 * n], a[k], right[0], right[1]);
            mma_m16n8k16(sum[2 * n + 1], a[k], right[2], right[3]);
        }
}

/// An accumulator becomes an A operand without leaving its lane.
template <int DEPTH> __device__ void round_to_operand(const Accumulator (&from)[2 * DEPTH], Operand* to) {
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
        to[k][0] = pack_bf16(from[2 * k][0], from[2 * k][1]);
        to[k][1] = pack_bf16(from[2 * k][2], from[2 * k][3]);
        to[k][2] = pack_bf16(from[2 * k + 1][0], from[2 * k + 1][1]);
        to[k][3] = pack_bf16(from[2 * k + 1][2], from[2 * k + 1][3]);
    }
}

/// Lane l of four neighbours gets item l of each of them.
__device__ inline void transpose_quad(Operand& words) {
    const int lane = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
    for (int i = 0; i < 4; i += 2) {
        const uint32_t received = __shfl_xor_sync(~0u, lane & 1 ? words[i] : words[i + 1], 1);
        (lane & 1 ? words[i] : words[i + 1]) = received;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const uint32_t received = __shfl_xor_sync(~0u, lane & 2 ? words[i] : words[i + 2], 2);
        (lane & 2 ? words[i] : words[i + 2]) = received;
    }
}

/// Writes a warp's kMmaM rows of kMmaN*TILES numbers, times upper (rows 0-7) and lower (8-15); rows from `valid` on are left out. Lanes
/// swap what they hold first, so that each writes 16 bytes and four of them 64 in a row.
template <int TILES>
__device__ void store_rows(const Accumulator (&sum)[TILES], float upper, float lower, bf16* to, int64_t stride, int valid) {
    static_assert(TILES % 4 == 0, "a lane writes the chunk of one tile in four");
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int row = lane / 4 + kMmaM / 2 * half;
        const float factor = half == 0 ? upper : lower;
        bf16* const at = to + row * stride + lane % 4 * kChunk;
#pragma unroll
        for (int n = 0; n < TILES; n += 4) {
            Operand words;
#pragma unroll
            for (int i = 0; i < 4; ++i) words[i] = pack_bf16(sum[n + i][2 * half] * factor, sum[n + i][2 * half + 1] * factor);
            transpose_quad(words);
            if (row < valid) *reinterpret_cast<uint4*>(at + n * kChunk) = make_uint4(words[0], words[1], words[2], words[3]);
        }
    }
}

__device__ inline float quad_sum(float value) {
    value += __shfl_xor_sync(~0u, value, 1);
    return value + __shfl_xor_sync(~0u, value, 2);
}
__device__ inline float quad_max(float value) {
    value = fmaxf(value, __shfl_xor_sync(~0u, value, 1));
    return fmaxf(value, __shfl_xor_sync(~0u, value, 2));
}
/// 2^x by the special-function unit: within 2 units in the last place, 0 for -infinity.
__device__ inline float fast_exp2(float x) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

}  // namespace vaccine::ops::attention
