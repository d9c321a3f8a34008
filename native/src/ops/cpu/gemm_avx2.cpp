// Tiles of 6 x 16: 12 of the 16 registers hold sums, two a row of b and one the factor from a.
#include "ops/cpu/gemm_kernels.h"
#include "ops/cpu/vector/lanes.h"

#if defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))
#include <immintrin.h>

namespace vaccine::ops {
namespace {

constexpr int kRows = 6, kVector = 8, kDotRows = 4, kSwappedColumns = 6;
constexpr int64_t kLine = 16;   // steps of fp32 in a line of the caches
constexpr int64_t kAhead = 16;  // steps: both panels together fill the first cache

__m256i first(int64_t lanes) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes < kVector ? lanes : kVector)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

float value(const float* data, int64_t i) {
    return data[i];
}
float value(const uint16_t* data, int64_t i) {
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(static_cast<uint32_t>(data[i]) << 16))));
}
__m256 load(const float* from) {
    return _mm256_loadu_ps(from);
}
__m256 load(const uint16_t* from) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

template <class T> void pack_any(const T* from, const PackSource& s, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t step = 0; step < steps; ++step)
        for (int64_t lane = 0; lane < padded; ++lane)
            to[step * padded + lane] = lane < lanes ? value(from, lane * s.lane_stride + step * s.step_stride) : 0.0f;
}

/// The first lanes of a vector, zeros in the others.
__m256 load_first(const float* from, int64_t lanes) {
    return _mm256_maskload_ps(from, first(lanes));
}
__m256 load_first(const uint16_t* from, int64_t lanes) {
    alignas(16) uint16_t some[kVector] = {};
    for (int64_t lane = 0; lane < lanes; ++lane) some[lane] = from[lane];
    return load(some);
}

/// Lanes lie side by side.
template <class T> void pack_copy(const T* from, const PackSource& s, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        if (lane + kVector <= lanes) {
            for (int64_t step = 0; step < steps; ++step)
                _mm256_store_ps(to + step * padded + lane, load(from + step * s.step_stride + lane));
        } else {
            for (int64_t step = 0; step < steps; ++step)
                _mm256_store_ps(to + step * padded + lane, load_first(from + step * s.step_stride + lane, lanes - lane));
        }
    }
}

/// Weights that come from memory arrive in time only if asked for: what comes next, into the second cache.
VACCINE_INLINE void ask_for(const void* address) {
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T2);
}

/// 8 x 8: row[i] lane j becomes row[j] lane i.
VACCINE_INLINE void transpose(__m256 row[kVector]) {
    __m256 part[kVector];  // part[4g + j]: columns j and 4 + j of rows 4g .. 4g + 3
    VACCINE_UNROLL
    for (int g = 0; g < kVector; g += 4) {
        const __m256 low01 = _mm256_unpacklo_ps(row[g], row[g + 1]), high01 = _mm256_unpackhi_ps(row[g], row[g + 1]);
        const __m256 low23 = _mm256_unpacklo_ps(row[g + 2], row[g + 3]), high23 = _mm256_unpackhi_ps(row[g + 2], row[g + 3]);
        part[g] = _mm256_shuffle_ps(low01, low23, 0x44);
        part[g + 1] = _mm256_shuffle_ps(low01, low23, 0xEE);
        part[g + 2] = _mm256_shuffle_ps(high01, high23, 0x44);
        part[g + 3] = _mm256_shuffle_ps(high01, high23, 0xEE);
    }
    VACCINE_UNROLL
    for (int j = 0; j < 4; ++j) {
        row[j] = _mm256_permute2f128_ps(part[j], part[4 + j], 0x20);
        row[4 + j] = _mm256_permute2f128_ps(part[j], part[4 + j], 0x31);
    }
}

/// Steps lie side by side.
template <class T> void pack_transpose(const T* from, const PackSource& s, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    const int64_t whole_steps = steps - steps % kVector;
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        for (int64_t step = 0; step < whole_steps; step += kVector) {
            const T* at = from + lane * s.lane_stride + step;
            __m256 row[kVector];
            VACCINE_UNROLL
            for (int r = 0; r < kVector; ++r) {
                if (s.asks) ask_for(at + (r + padded) * s.lane_stride);
                row[r] = lane + r < lanes ? load(at + r * s.lane_stride) : _mm256_setzero_ps();
            }
            transpose(row);
            float* out = to + step * padded + lane;
            VACCINE_UNROLL
            for (int i = 0; i < kVector; ++i) _mm256_store_ps(out + i * padded, row[i]);
        }
    }
    pack_any(from + whole_steps, s, lanes, padded, steps - whole_steps, to + whole_steps * padded);
}

template <class T> void pack_type(const PackSource& s, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    const T* from = static_cast<const T*>(s.data);
    if (s.lane_stride == 1)
        pack_copy(from, s, lanes, padded, steps, to);
    else if (s.step_stride == 1)
        pack_transpose(from, s, lanes, padded, steps, to);
    else
        pack_any(from, s, lanes, padded, steps, to);
}

void pack(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    if (from.bf16)
        pack_type<uint16_t>(from, lanes, padded, steps, to);
    else
        pack_type<float>(from, lanes, padded, steps, to);
}

/// c from column `at` on, at most a vector.
VACCINE_INLINE void finish(__m256 sum, int64_t at, int64_t columns, const TileEnd& end, float* c) {
    const __m256i mask = first(columns - at);
    const __m256 bias = end.bias ? _mm256_maskload_ps(end.bias + at, mask) : _mm256_setzero_ps();
    const __m256 base = end.add ? _mm256_add_ps(bias, _mm256_maskload_ps(c + at, mask)) : bias;
    _mm256_maskstore_ps(c + at, mask, _mm256_fmadd_ps(_mm256_set1_ps(end.alpha), sum, base));
}

VACCINE_INLINE void ask_for_line(const Ahead& ahead, int64_t byte) {
    if (byte >= ahead.bytes) return;
    const char* line = ahead.data + byte;
    for (int64_t r = 0; r < ahead.rows; ++r, line += ahead.stride) ask_for(line);
}

/// R rows, V vectors of columns.
template <int R, int V> void tile_of(int64_t columns, int64_t steps, const Panel& a_panel, const Panel& b_panel, const Ahead& ahead,
                                     const TileEnd& end, float* c, int64_t c_stride) {
    __m256 sum[R][V];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) {
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) {
            sum[r][v] = _mm256_setzero_ps();
            _mm_prefetch(reinterpret_cast<const char*>(c + r * c_stride + v * kVector), _MM_HINT_T0);  // c has come when the sums are ready
        }
    }
    const float* a = a_panel.data;
    const float* b = b_panel.data;
    for (int64_t step = 0; step < steps;) {
        ask_for_line(ahead, step * 4);
        for (const int64_t end_of_line = step + kLine < steps ? step + kLine : steps; step < end_of_line; ++step) {
            __m256 row[V];
            _mm_prefetch(reinterpret_cast<const char*>(a + kAhead * a_panel.stride), _MM_HINT_T0);
            _mm_prefetch(reinterpret_cast<const char*>(b + kAhead * b_panel.stride), _MM_HINT_T0);  // a packed step is one line
            VACCINE_UNROLL
            for (int v = 0; v < V; ++v) row[v] = _mm256_loadu_ps(b + v * kVector);
            VACCINE_UNROLL
            for (int r = 0; r < R; ++r) {
                const __m256 factor = _mm256_broadcast_ss(a + r);
                VACCINE_UNROLL
                for (int v = 0; v < V; ++v) sum[r][v] = _mm256_fmadd_ps(factor, row[v], sum[r][v]);
            }
            a += a_panel.stride;
            b += b_panel.stride;
        }
    }

    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        VACCINE_UNROLL
        for (int r = 0; r < R; ++r) finish(sum[r][v], v * kVector, columns, end, c + r * c_stride);
    }
}

using Tile = void (*)(int64_t, int64_t, const Panel&, const Panel&, const Ahead&, const TileEnd&, float*, int64_t);

constexpr Tile kTiles[2][kRows] = {
    {tile_of<1, 1>, tile_of<2, 1>, tile_of<3, 1>, tile_of<4, 1>, tile_of<5, 1>, tile_of<6, 1>},
    {tile_of<1, 2>, tile_of<2, 2>, tile_of<3, 2>, tile_of<4, 2>, tile_of<5, 2>, tile_of<6, 2>},
};

void tile(int64_t rows, int64_t columns, int64_t steps, const Panel& a, const Panel& b, const Ahead& ahead, const TileEnd& end, float* c,
          int64_t c_stride) {
    kTiles[columns > kVector][rows - 1](columns, steps, a, b, ahead, end, c, c_stride);
}

/// A step of V vectors of rows.
template <int V> VACCINE_INLINE void swapped_step(const float* a, const float* b, int64_t b_stride, __m256 sum[V][kVector]) {
    __m256 lanes[V];
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) lanes[v] = _mm256_loadu_ps(a + v * kVector);
    VACCINE_UNROLL
    for (int j = 0; j < kSwappedColumns; ++j) {
        const __m256 factor = _mm256_broadcast_ss(b + j * b_stride);
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) sum[v][j] = _mm256_fmadd_ps(factor, lanes[v], sum[v][j]);
    }
}

/// V vectors of rows.
template <int V> void swapped_of(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride,
                                 const Ahead& ahead, const TileEnd& end, float* c, int64_t c_stride) {
    __m256 sum[V][kVector];  // those beyond kSwappedColumns stay zeros
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        VACCINE_UNROLL
        for (int j = 0; j < kVector; ++j) sum[v][j] = _mm256_setzero_ps();
    }
    for (int64_t r = 0; r < rows; ++r) _mm_prefetch(reinterpret_cast<const char*>(c + r * c_stride), _MM_HINT_T0);
    int64_t step = 0;
    for (; step + kLine <= steps; step += kLine) {
        ask_for_line(ahead, step * 4);
        VACCINE_UNROLL
        for (int j = 0; j < kSwappedColumns; ++j) _mm_prefetch(reinterpret_cast<const char*>(b + j * b_stride + kAhead), _MM_HINT_T0);
        for (int i = 0; i < kLine; ++i, ++b, a += V * kVector) {
            _mm_prefetch(reinterpret_cast<const char*>(a + kAhead * V * kVector), _MM_HINT_T0);
            swapped_step<V>(a, b, b_stride, sum);
        }
    }
    for (; step < steps; ++step, ++b, a += V * kVector) swapped_step<V>(a, b, b_stride, sum);

    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        transpose(sum[v]);
        VACCINE_UNROLL
        for (int r = 0; r < kVector; ++r)
            if (v * kVector + r < rows) finish(sum[v][r], 0, columns, end, c + (v * kVector + r) * c_stride);
    }
}

void swapped(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride, const Ahead& ahead,
             const TileEnd& end, float* c, int64_t c_stride) {
    const auto of_rows = rows <= kVector ? swapped_of<1> : swapped_of<2>;
    of_rows(rows, columns, steps, a, b, b_stride, ahead, end, c, c_stride);
}

/// Words of 32 bits: of fp32 a step, of bf16 two, the earlier one in the lower half.
VACCINE_INLINE __m256 load_words(const float* from) {
    return _mm256_loadu_ps(from);
}
VACCINE_INLINE __m256 load_words(const uint16_t* from) {
    return _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
VACCINE_INLINE __m256 earlier_half(__m256 word) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(word), 16));
}
VACCINE_INLINE __m256 later_half(__m256 word) {
    return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(word), _mm256_set1_epi32(static_cast<int>(0xFFFF0000))));
}

template <int R> VACCINE_INLINE void add_step(const float* a, int64_t a_stride, __m256 b, __m256 sum[R]) {
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + r * a_stride), b, sum[r]);
}

/// R rows.
template <class T, int R> void dot_of(int64_t columns, int64_t steps, const PackSource& a_rows, const PackSource& b_lanes,
                                      const TileEnd& end, float* c, int64_t c_stride) {
    constexpr bool kHalves = sizeof(T) == 2;
    constexpr int kSteps = kHalves ? 2 * kVector : kVector;
    const float* a = static_cast<const float*>(a_rows.data);
    const T* b = static_cast<const T*>(b_lanes.data);
    const int64_t stride = a_rows.lane_stride;
    __m256 sum[R];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = _mm256_setzero_ps();
    int64_t step = 0;
    if (columns == kVector)
        for (; step + kSteps <= steps; step += kSteps) {
            __m256 word[kVector];
            VACCINE_UNROLL
            for (int lane = 0; lane < kVector; ++lane) {
                const T* at = b + lane * b_lanes.lane_stride + step;
                ask_for(at + kVector * b_lanes.lane_stride);
                word[lane] = load_words(at);
            }
            transpose(word);
            VACCINE_UNROLL
            for (int i = 0; i < kVector; ++i) {
                if constexpr (kHalves) {
                    add_step<R>(a + step + 2 * i, stride, earlier_half(word[i]), sum);
                    add_step<R>(a + step + 2 * i + 1, stride, later_half(word[i]), sum);
                } else {
                    add_step<R>(a + step + i, stride, word[i], sum);
                }
            }
        }
    for (; step < steps; ++step) {  // what is left, or a panel of fewer columns
        alignas(32) float next[kVector] = {};
        for (int64_t lane = 0; lane < columns; ++lane) next[lane] = value(b, lane * b_lanes.lane_stride + step);
        add_step<R>(a + step, stride, _mm256_load_ps(next), sum);
    }
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) finish(sum[r], 0, columns, end, c + r * c_stride);
}

using Dot = void (*)(int64_t, int64_t, const PackSource&, const PackSource&, const TileEnd&, float*, int64_t);

constexpr Dot kDots[2][kDotRows] = {
    {dot_of<float, 1>, dot_of<float, 2>, dot_of<float, 3>, dot_of<float, 4>},
    {dot_of<uint16_t, 1>, dot_of<uint16_t, 2>, dot_of<uint16_t, 3>, dot_of<uint16_t, 4>},
};

void dot(int64_t rows, int64_t columns, int64_t steps, const PackSource& a, const PackSource& b, const TileEnd& end, float* c,
         int64_t c_stride) {
    kDots[b.bf16][rows - 1](columns, steps, a, b, end, c, c_stride);
}

}  // namespace

const GemmKernels gemm_avx2 = {kRows, kVector, 2 * kVector, kVector, pack, tile, dot, kDotRows, swapped, kSwappedColumns};

}  // namespace vaccine::ops

#else
const vaccine::ops::GemmKernels vaccine::ops::gemm_avx2 = {};
#endif
