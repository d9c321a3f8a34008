// Tiles of 14 x 32: 28 of the 32 registers hold sums, two a row of b, and a's elements are broadcast from memory.
#include "ops/cpu/gemm_kernels.h"
#include "ops/cpu/vector/lanes.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace vaccine::ops {
namespace {

constexpr int kRows = 14, kVector = 16, kDotRows = 8, kSwappedColumns = 8;
constexpr int64_t kAhead = 16;  // steps: both panels together are more than the first cache holds

__mmask16 first(int64_t lanes) {
    return static_cast<__mmask16>(lanes >= kVector ? 0xFFFF : (1u << lanes) - 1);
}

template <bool BF16> __m512 load(const void* data, int64_t i, __mmask16 mask) {
    if constexpr (BF16) {
        const __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(data) + i);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
    } else {
        return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(data) + i);
    }
}

/// Lanes lie side by side.
template <bool BF16> void pack_copy(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        const __mmask16 mask = first(lanes - lane);
        for (int64_t step = 0; step < steps; ++step)
            _mm512_store_ps(to + step * padded + lane, load<BF16>(from.data, step * from.step_stride + lane, mask));
    }
}

// Weights that come from memory arrive in time only if asked for: what comes next, into the second cache. (Into the first they push out
// what is in use, where rows lie a multiple of 4 KiB apart.)
VACCINE_INLINE void ask_for(const void* address) {
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T2);
}

/// 16 x 16: lane[i] element j becomes step[j] element i. load(i) gives lane i.
template <class Load> VACCINE_INLINE void turn(Load load, __m512 step[kVector]) {
    __m512 part[kVector];  // part[4g + j], 128-bit piece l: step 4l + j of lanes 4g .. 4g + 3
    VACCINE_UNROLL
    for (int g = 0; g < kVector; g += 4) {
        const __m512 lane0 = load(g), lane1 = load(g + 1), lane2 = load(g + 2), lane3 = load(g + 3);
        const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(lane0, lane1));
        const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(lane0, lane1));
        const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(lane2, lane3));
        const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(lane2, lane3));
        part[g] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
        part[g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
        part[g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
        part[g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
    }
    VACCINE_UNROLL
    for (int j = 0; j < 4; ++j) {
        const __m512 even01 = _mm512_shuffle_f32x4(part[j], part[4 + j], 0x88), odd01 = _mm512_shuffle_f32x4(part[j], part[4 + j], 0xDD);
        const __m512 even23 = _mm512_shuffle_f32x4(part[8 + j], part[12 + j], 0x88);
        const __m512 odd23 = _mm512_shuffle_f32x4(part[8 + j], part[12 + j], 0xDD);
        step[j] = _mm512_shuffle_f32x4(even01, even23, 0x88);
        step[4 + j] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
        step[8 + j] = _mm512_shuffle_f32x4(even01, even23, 0xDD);
        step[12 + j] = _mm512_shuffle_f32x4(odd01, odd23, 0xDD);
    }
}

/// 16 lanes x 16 steps. Lanes from `lanes` on repeat the first; steps from `steps` on are neither read nor written. Whole: there are 16
/// steps.
template <bool BF16, bool Whole>
void transpose(const PackSource& from, int64_t at, int64_t lanes, int64_t steps, float* to, int64_t padded) {
    const int64_t lane_stride = from.lane_stride;
    const __mmask16 mask = Whole ? first(kVector) : first(steps);
    __m512 step[kVector];
    turn(
        [&](int lane) {
            const int64_t i = at + (lane < lanes ? lane * lane_stride : 0);
            if (Whole && from.asks) ask_for(static_cast<const char*>(from.data) + (i + padded * lane_stride) * (BF16 ? 2 : 4));
            return load<BF16>(from.data, i, mask);
        },
        step);
    VACCINE_UNROLL
    for (int i = 0; i < kVector; ++i)
        if (Whole || i < steps) _mm512_store_ps(to + i * padded, step[i]);
}

/// Steps lie side by side.
template <bool BF16> void pack_transpose(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        const int64_t first = lane < lanes ? lane : 0, at = first * from.lane_stride;
        int64_t step = 0;
        for (; step + kVector <= steps; step += kVector)
            transpose<BF16, true>(from, at + step, lanes - first, kVector, to + step * padded + lane, padded);
        if (step < steps) transpose<BF16, false>(from, at + step, lanes - first, steps - step, to + step * padded + lane, padded);
    }
}

template <bool BF16> void pack_any(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t step = 0; step < steps; ++step)
        for (int64_t lane = 0; lane < padded; ++lane)
            to[step * padded + lane] =
                lane < lanes ? _mm512_cvtss_f32(load<BF16>(from.data, lane * from.lane_stride + step * from.step_stride, 1)) : 0.0f;
}

template <bool BF16> void pack_type(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    if (from.lane_stride == 1)
        pack_copy<BF16>(from, lanes, padded, steps, to);
    else if (from.step_stride == 1)
        pack_transpose<BF16>(from, lanes, padded, steps, to);
    else
        pack_any<BF16>(from, lanes, padded, steps, to);
}

void pack(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    if (from.bf16)
        pack_type<true>(from, lanes, padded, steps, to);
    else
        pack_type<false>(from, lanes, padded, steps, to);
}

/// c from column `at` on, at most a vector.
VACCINE_INLINE void finish(__m512 sum, int64_t at, int64_t columns, const TileEnd& end, float* c) {
    const __mmask16 mask = first(columns - at);
    const __m512 bias = end.bias ? _mm512_maskz_loadu_ps(mask, end.bias + at) : _mm512_setzero_ps();
    const __m512 base = end.add ? _mm512_add_ps(bias, _mm512_maskz_loadu_ps(mask, c + at)) : bias;
    _mm512_mask_storeu_ps(c + at, mask, _mm512_fmadd_ps(_mm512_set1_ps(end.alpha), sum, base));
}

VACCINE_INLINE void ask_for_line(const Ahead& ahead, int64_t byte) {
    if (byte >= ahead.bytes) return;
    const char* line = ahead.data + byte;
    for (int64_t r = 0; r < ahead.rows; ++r, line += ahead.stride) ask_for(line);
}

/// R rows, V vectors of columns.
template <int R, int V> void tile_of(int64_t columns, int64_t steps, const Panel& a_panel, const Panel& b_panel, const Ahead& ahead,
                                     const TileEnd& end, float* c, int64_t c_stride) {
    __m512 sum[R][V];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) {
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) {
            sum[r][v] = _mm512_setzero_ps();
            _mm_prefetch(reinterpret_cast<const char*>(c + r * c_stride + v * kVector), _MM_HINT_T0);  // c has come when the sums are ready
        }
    }
    const float* a = a_panel.data;
    const float* b = b_panel.data;
    for (int64_t step = 0; step < steps;) {
        ask_for_line(ahead, step * 4);
        for (const int64_t end_of_line = step + kVector < steps ? step + kVector : steps; step < end_of_line; ++step) {
            __m512 row[V];
            _mm_prefetch(reinterpret_cast<const char*>(a + kAhead * a_panel.stride), _MM_HINT_T0);
            VACCINE_UNROLL
            for (int v = 0; v < V; ++v) {
                _mm_prefetch(reinterpret_cast<const char*>(b + v * kVector + kAhead * b_panel.stride), _MM_HINT_T0);
                row[v] = _mm512_loadu_ps(b + v * kVector);
            }
            VACCINE_UNROLL
            for (int r = 0; r < R; ++r) {
                const __m512 factor = _mm512_set1_ps(a[r]);
                VACCINE_UNROLL
                for (int v = 0; v < V; ++v) sum[r][v] = _mm512_fmadd_ps(factor, row[v], sum[r][v]);
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
    {tile_of<1, 1>, tile_of<2, 1>, tile_of<3, 1>, tile_of<4, 1>, tile_of<5, 1>, tile_of<6, 1>, tile_of<7, 1>, tile_of<8, 1>, tile_of<9, 1>,
     tile_of<10, 1>, tile_of<11, 1>, tile_of<12, 1>, tile_of<13, 1>, tile_of<14, 1>},
    {tile_of<1, 2>, tile_of<2, 2>, tile_of<3, 2>, tile_of<4, 2>, tile_of<5, 2>, tile_of<6, 2>, tile_of<7, 2>, tile_of<8, 2>, tile_of<9, 2>,
     tile_of<10, 2>, tile_of<11, 2>, tile_of<12, 2>, tile_of<13, 2>, tile_of<14, 2>},
};

void tile(int64_t rows, int64_t columns, int64_t steps, const Panel& a, const Panel& b, const Ahead& ahead, const TileEnd& end, float* c,
          int64_t c_stride) {
    kTiles[columns > kVector][rows - 1](columns, steps, a, b, ahead, end, c, c_stride);
}

/// Rows of a vector's lanes, columns' sums in sum[0] to sum[kSwappedColumns - 1].
template <class Sum>
VACCINE_INLINE void finish_turned(Sum sum, int64_t rows, int64_t columns, const TileEnd& end, float* c, int64_t c_stride) {
    __m512 row[kVector];
    turn([&](int j) { return j < kSwappedColumns ? sum(j) : _mm512_setzero_ps(); }, row);
    VACCINE_UNROLL
    for (int r = 0; r < kVector; ++r)
        if (r < rows) finish(row[r], 0, columns, end, c + r * c_stride);
}

/// A step of V vectors of rows.
template <int V> VACCINE_INLINE void swapped_step(const float* a, const float* b, int64_t b_stride, __m512 sum[V][kSwappedColumns]) {
    __m512 lanes[V];
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) lanes[v] = _mm512_loadu_ps(a + v * kVector);
    VACCINE_UNROLL
    for (int j = 0; j < kSwappedColumns; ++j) {
        const __m512 factor = _mm512_set1_ps(b[j * b_stride]);
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) sum[v][j] = _mm512_fmadd_ps(factor, lanes[v], sum[v][j]);
    }
}

/// V vectors of rows.
template <int V> void swapped_of(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride,
                                 const Ahead& ahead, const TileEnd& end, float* c, int64_t c_stride) {
    __m512 sum[V][kSwappedColumns];
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        VACCINE_UNROLL
        for (int j = 0; j < kSwappedColumns; ++j) sum[v][j] = _mm512_setzero_ps();
    }
    for (int64_t r = 0; r < rows; ++r) _mm_prefetch(reinterpret_cast<const char*>(c + r * c_stride), _MM_HINT_T0);
    int64_t step = 0;
    for (; step + kVector <= steps; step += kVector) {
        ask_for_line(ahead, step * 4);
        VACCINE_UNROLL
        for (int j = 0; j < kSwappedColumns; ++j) _mm_prefetch(reinterpret_cast<const char*>(b + j * b_stride + kAhead), _MM_HINT_T0);
        for (int i = 0; i < kVector; ++i, ++b, a += V * kVector) {
            VACCINE_UNROLL
            for (int v = 0; v < V; ++v) _mm_prefetch(reinterpret_cast<const char*>(a + (V * kAhead + v) * kVector), _MM_HINT_T0);
            swapped_step<V>(a, b, b_stride, sum);
        }
    }
    for (; step < steps; ++step, ++b, a += V * kVector) swapped_step<V>(a, b, b_stride, sum);

    VACCINE_UNROLL
    for (int v = 0; v < V; ++v)
        finish_turned([&](int j) { return sum[v][j]; }, rows - v * kVector, columns, end, c + v * kVector * c_stride, c_stride);
}

void swapped(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride, const Ahead& ahead,
             const TileEnd& end, float* c, int64_t c_stride) {
    const auto of_rows = rows <= kVector ? swapped_of<1> : swapped_of<2>;
    of_rows(rows, columns, steps, a, b, b_stride, ahead, end, c, c_stride);
}

/// 16 lanes x 16 words, turned in registers: of fp32 a step each, of bf16 two, the earlier one in the lower half.
/// Whole: there are 16 of both; else lanes from `lanes` on and steps from `steps` on are not read, and are zeros.
template <bool BF16, bool Whole>
VACCINE_INLINE void turn_words(const PackSource& from, int64_t at, int64_t lanes, int64_t steps, __m512* word) {
    turn(
        [&](int lane) {
            if (!Whole && lane >= lanes) return _mm512_setzero_ps();
            const int64_t i = at + lane * from.lane_stride;
            if constexpr (BF16) {
                const __mmask32 mask = Whole || steps >= 2 * kVector ? ~__mmask32{0} : (__mmask32{1} << steps) - 1;
                const uint16_t* half = static_cast<const uint16_t*>(from.data) + i;
                if (Whole) ask_for(half + kVector * from.lane_stride);
                return _mm512_castsi512_ps(Whole ? _mm512_loadu_si512(half) : _mm512_maskz_loadu_epi16(mask, half));
            } else {
                if (Whole) ask_for(static_cast<const float*>(from.data) + i + kVector * from.lane_stride);
                return load<false>(from.data, i, Whole ? first(kVector) : first(steps));
            }
        },
        word);
}

VACCINE_INLINE __m512 earlier_half(__m512 word) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(word), 16));
}
VACCINE_INLINE __m512 later_half(__m512 word) {
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(word), _mm512_set1_epi32(static_cast<int>(0xFFFF0000))));
}

template <int R> VACCINE_INLINE void add_step(const float* a, int64_t a_stride, __m512 b, __m512 sum[R]) {
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = _mm512_fmadd_ps(_mm512_set1_ps(a[r * a_stride]), b, sum[r]);
}

/// R rows.
template <bool BF16, int R>
void dot_of(int64_t columns, int64_t steps, const PackSource& a_rows, const PackSource& b, const TileEnd& end, float* c, int64_t c_stride) {
    constexpr int kSteps = BF16 ? 2 * kVector : kVector;
    const float* a = static_cast<const float*>(a_rows.data);
    const int64_t stride = a_rows.lane_stride;
    __m512 sum[R], word[kVector];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = _mm512_setzero_ps();
    int64_t step = 0;
    if (columns == kVector)
        for (; step + kSteps <= steps; step += kSteps) {
            turn_words<BF16, true>(b, step, kVector, kSteps, word);
            VACCINE_UNROLL
            for (int i = 0; i < kVector; ++i) {
                if constexpr (BF16) {
                    add_step<R>(a + step + 2 * i, stride, earlier_half(word[i]), sum);
                    add_step<R>(a + step + 2 * i + 1, stride, later_half(word[i]), sum);
                } else {
                    add_step<R>(a + step + i, stride, word[i], sum);
                }
            }
        }
    for (; step < steps; step += kSteps) {  // what is left, or a panel of fewer columns
        turn_words<BF16, false>(b, step, columns, steps - step, word);
        for (int64_t i = 0; i < kSteps && step + i < steps; ++i) {
            const __m512 next = !BF16 ? word[i] : i % 2 == 0 ? earlier_half(word[i / 2]) : later_half(word[i / 2]);
            add_step<R>(a + step + i, stride, next, sum);
        }
    }
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) finish(sum[r], 0, columns, end, c + r * c_stride);
}

using Dot = void (*)(int64_t, int64_t, const PackSource&, const PackSource&, const TileEnd&, float*, int64_t);

constexpr Dot kDots[2][kDotRows] = {
    {dot_of<false, 1>, dot_of<false, 2>, dot_of<false, 3>, dot_of<false, 4>, dot_of<false, 5>, dot_of<false, 6>, dot_of<false, 7>,
     dot_of<false, 8>},
    {dot_of<true, 1>, dot_of<true, 2>, dot_of<true, 3>, dot_of<true, 4>, dot_of<true, 5>, dot_of<true, 6>, dot_of<true, 7>,
     dot_of<true, 8>},
};

void dot(int64_t rows, int64_t columns, int64_t steps, const PackSource& a, const PackSource& b, const TileEnd& end, float* c,
         int64_t c_stride) {
    kDots[b.bf16][rows - 1](columns, steps, a, b, end, c, c_stride);
}

}  // namespace

const GemmKernels gemm_avx512 = {kRows, kVector, 2 * kVector, kVector, pack, tile, dot, kDotRows, swapped, kSwappedColumns};

}  // namespace vaccine::ops

#else
const vaccine::ops::GemmKernels vaccine::ops::gemm_avx512 = {};
#endif
