// What gemm.cpp asks of an instruction set. The files that implement it are compiled for theirs: they include nothing that could leave
// a copy of an inline function behind for the whole program.
#pragma once
#include <cstdint>

#if defined(_MSC_VER) && !defined(__clang__)
#define VACCINE_UNROLL
#else
#define VACCINE_UNROLL _Pragma("GCC unroll 16")  // on every loop that touches accumulators: they must stay in registers
#endif

namespace vaccine::ops {

/// Lanes as they lie: element (lane, step) is data[lane * lane_stride + step * step_stride].
struct PackSource {
    const void* data;
    bool bf16;
    int64_t lane_stride, step_stride;
    bool asks = false;  // where steps lie side by side: asks memory for as many lanes behind those that are packed
};

/// Lanes side by side, a step `stride` after the one before.
struct Panel {
    const float* data;
    int64_t stride;
};

/// Memory that is wanted next: `rows` of `bytes` bytes, `stride` bytes apart. A tile asks for it bit by bit while it computes: all at once,
/// between two tiles, both memory and arithmetic would wait for each other.
struct Ahead {
    const char* data = nullptr;
    int64_t rows = 0, stride = 0, bytes = 0;
};

/// What becomes of a tile's sums: c = (add ? c : 0) + bias + alpha * sum.
struct TileEnd {
    float alpha;
    bool add;
    const float* bias;  // of the tile's first column, or null
};

struct GemmKernels {
    int64_t tile_rows;     // of c that a tile covers at most
    int64_t row_lanes;     // lanes of a packed panel of a, >= tile_rows
    int64_t tile_columns;  // at most; lanes of a packed panel of b, or
    int64_t vector;        // this many where the panel has no more columns

    /// to[step * padded + lane] for `steps` steps: `lanes` lanes from the source, then anything up to `padded`, a multiple of `vector`.
    /// `to` is aligned to a vector.
    void (*pack)(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to);

    /// c (rows, columns). Reads `rows` lanes of a, and of b tile_columns lanes, or `vector` where there are no more columns.
    void (*tile)(int64_t rows, int64_t columns, int64_t steps, const Panel& a, const Panel& b, const Ahead& ahead, const TileEnd& end,
                 float* c, int64_t c_stride);

    /// The same bits for up to dot_rows rows and `vector` columns, straight from the operands: an fp32 a and a b whose steps each lie side
    /// by side. b's lanes are turned in registers and never stored, so each of its elements is read once.
    void (*dot)(int64_t rows, int64_t columns, int64_t steps, const PackSource& a, const PackSource& b, const TileEnd& end, float* c,
                int64_t c_stride);
    int64_t dot_rows;

    /// The same bits for up to tile_columns rows, which lie across the vectors' lanes, and up to swapped_columns columns. a is packed:
    /// tile_columns lanes a step, or `vector` for no more rows. b's elements are broadcast from where they lie, lanes `b_stride` apart, so
    /// that b need not be turned. swapped_columns lanes of b are read, however many columns there are.
    void (*swapped)(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride, const Ahead& ahead,
                    const TileEnd& end, float* c, int64_t c_stride);
    int64_t swapped_columns;  // 0: there is no such kernel
};

extern const GemmKernels gemm_plain;
extern const GemmKernels gemm_avx2;    // null functions where the file was not compiled for AVX2
extern const GemmKernels gemm_avx512;  // likewise

}  // namespace vaccine::ops
