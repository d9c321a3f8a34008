// An operand's tile in shared memory: how it lies there, how it comes from global memory, where a warp's fragments are.
#pragma once
#include "ops/cuda/mma.cuh"

namespace vaccine::ops {

/// EXTENT rows or columns of c by DEPTH of k, in bf16. Lies as in global memory: k along its rows where K_MAJOR, else across them.
/// 16-byte chunks of a row are permuted by the row's number, so that any 8 rows' chunks of one column lie in different banks.
template <int EXTENT, int DEPTH, bool K_MAJOR> struct TileLayout {
    static constexpr int kRows = K_MAJOR ? EXTENT : DEPTH;
    static constexpr int kChunks = (K_MAJOR ? DEPTH : EXTENT) / 8;
    static constexpr int kRowBytes = kChunks * 16;
    static constexpr int kBytes = kRows * kRowBytes;
    static_assert(kChunks == 4 || kChunks % 8 == 0, "the permutation is for rows of 64 bytes or whole lines of 128");

    __device__ static uint32_t offset(int row, int chunk) {
        const int turn = kChunks == 4 ? row / 2 % 4 : row % 8;
        return static_cast<uint32_t>(row * kRowBytes + (chunk ^ turn) * 16);
    }
    /// Of element (i, k): i counts along EXTENT.
    __device__ static uint32_t element(int i, int k) { return K_MAJOR ? offset(i, k / 8) + k % 8 * 2 : offset(k, i / 8) + i % 8 * 2; }
};

/// Copies tile after tile along k; each thread the same chunk of several rows. Beyond the matrix it writes zeros.
template <int EXTENT, int DEPTH, bool K_MAJOR, int THREADS> class TileCopy {
public:
    using Layout = TileLayout<EXTENT, DEPTH, K_MAJOR>;

    /// first: of EXTENT. limit: the matrix's size in that direction.
    __device__ TileCopy(const void* matrix, int64_t matrix_row, int first, int limit, int K) {
        const int row = static_cast<int>(threadIdx.x) / Layout::kChunks, chunk = static_cast<int>(threadIdx.x) % Layout::kChunks;
        const int64_t start = K_MAJOR ? (first + row) * matrix_row + chunk * 8 : row * matrix_row + first + chunk * 8;
#pragma unroll
        for (int pass = 0; pass < kPasses; ++pass) from_[pass] = static_cast<const bf16*>(matrix) + start + pass * kPassRows * matrix_row;
        step_ = DEPTH * matrix_row;
        to_ = Layout::offset(row, chunk);
        k_left_ = K - (K_MAJOR ? chunk * 8 : row);
        inner_left_ = limit - first - (K_MAJOR ? row : chunk * 8);
    }

    /// Tile number `step`, into `tile`; calls go through the steps in order. stage = step % STAGES: where the compiler knows it, an
    /// address costs next to nothing. INSIDE: the tile lies wholly inside the matrix.
    template <bool INSIDE, int STAGES> __device__ void next(uint32_t tile, int step, int stage) {
#pragma unroll
        for (int pass = 0; pass < kPasses; ++pass) {
            const uint32_t to = tile + to_ + static_cast<uint32_t>(pass * kPassRows * Layout::kRowBytes);
            const bf16* from = from_[pass] + (K_MAJOR ? stage * DEPTH : 0);
            if constexpr (INSIDE) {
                cp_async(to, from);
            } else {
                const int row = pass * kPassRows, k_left = k_left_ - step * DEPTH;
                cp_async_zfill(to, from, K_MAJOR ? k_left > 0 && row < inner_left_ : row < k_left && inner_left_ > 0);
            }
            if (!K_MAJOR)
                from_[pass] += step_;
            else if (stage == STAGES - 1)
                from_[pass] += STAGES * DEPTH;
        }
    }

private:
    static constexpr int kPassRows = THREADS / Layout::kChunks;
    static constexpr int kPasses = Layout::kRows / kPassRows;
    static_assert(THREADS % Layout::kChunks == 0 && Layout::kRows % kPassRows == 0 && kPassRows % 8 == 0,
                  "every pass is full, and permutes chunks like the first");

    const bf16* from_[kPasses];
    int64_t step_;
    uint32_t to_;
    int k_left_, inner_left_;  // from this thread's first chunk to the end of the matrix
};

/// Where a lane's rows of a warp's fragments lie: COUNT fragments of kMmaM along EXTENT, DEPTH / kMmaK along k. LEFT: operand a, else two
/// neighbouring fragments of operand b.
template <int EXTENT, int DEPTH, bool K_MAJOR, bool LEFT, int COUNT> class TileFragments {
public:
    using Layout = TileLayout<EXTENT, DEPTH, K_MAJOR>;

    /// first: the warp's first row of EXTENT, a multiple of kMmaM.
    __device__ explicit TileFragments(int first) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        // Matrices 0..3 of a fragment are, along (row, chunk) of the tile: (0,0) (1,0) (0,1) (1,1), or with 1 and 2 exchanged.
        constexpr bool kRowsFirst = LEFT == K_MAJOR;
        const int row = lane % 8 + (kRowsFirst ? lane / 8 % 2 : lane / 16) * 8, chunk = kRowsFirst ? lane / 16 : lane / 8 % 2;
#pragma unroll
        for (int i = 0; i < kOffsets; ++i)
            offset_[i] = K_MAJOR ? Layout::offset(first + row, i * 2 + chunk) : Layout::offset(row, first / 8 + i * 2 + chunk);
    }

    __device__ void load(uint32_t (&to)[4], uint32_t tile, int index, int k_step) const {
        const int across = K_MAJOR ? index : k_step, along = K_MAJOR ? k_step : index;
        ldmatrix_x4<!K_MAJOR>(to, tile + offset_[along] + static_cast<uint32_t>(across * (K_MAJOR ? kMmaM : kMmaK) * Layout::kRowBytes));
    }

private:
    static constexpr int kOffsets = K_MAJOR ? DEPTH / kMmaK : COUNT;
    uint32_t offset_[kOffsets];
};

}  // namespace vaccine::ops
