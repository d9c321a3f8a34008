// The kernels of gemm_kernels.h for the Vec of the file that includes this, which also says how its lanes are loaded and turned, and how
// words of two bf16 numbers are read.

constexpr int kVector = static_cast<int>(Vec::width);
constexpr int kLine = 16;  // fp32 numbers in a line of the caches
constexpr int kVectorsOfLine = kLine / kVector;
constexpr int64_t kAhead = 16;  // steps: both panels together are more than the first cache holds

VACCINE_INLINE float value(const float* from) {
    return *from;
}
VACCINE_INLINE float value(const uint16_t* from) {
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(static_cast<uint32_t>(*from) << 16))));
}

// Weights that come from memory arrive in time only if asked for: what comes next, into the second cache. (Into the first they push out
// what is in use, where rows lie a multiple of 4 KiB apart.)
VACCINE_INLINE void ask_for(const void* address) {
    _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T2);
}
VACCINE_INLINE void ask_now(const float* address) {
    _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0);
}
VACCINE_INLINE void ask_for_line(const Ahead& ahead, int64_t byte) {
    if (byte >= ahead.bytes) return;
    const char* line = ahead.data + byte;
    for (int64_t r = 0; r < ahead.rows; ++r, line += ahead.stride) ask_for(line);
}

/// Lanes lie side by side.
template <class T> void pack_copy(const PackSource& source, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        const T* from = static_cast<const T*>(source.data) + lane;
        const auto copy = [&](auto load_step) {
            for (int64_t step = 0; step < steps; ++step)
                store(to + step * padded + lane, load_step(from + step * source.step_stride), Full{});
        };
        if (lane + kVector <= lanes)
            copy([](const T* at) { return load(at, Full{}); });
        else if (lane < lanes)
            copy([&](const T* at) { return load(at, Part{lanes - lane}); });
        else
            copy([](const T*) { return all(0); });
    }
}

/// A square of lanes and steps. Lanes from `lanes` on repeat the first; steps from `steps` on are neither read nor written. Whole: there
/// are as many steps as lanes.
template <class T, bool Whole>
void transpose(const PackSource& source, int64_t at, int64_t lanes, int64_t steps, float* to, int64_t padded) {
    const T* data = static_cast<const T*>(source.data);
    const int64_t stride = source.lane_stride;
    Vec step[kVector];
    turn(
        [&](int lane) {
            const int64_t i = at + (lane < lanes ? lane * stride : 0);
            if (!Whole) return load(data + i, Part{steps});
            if (source.asks) ask_for(data + i + padded * stride);
            return load_once(data + i);
        },
        step);
    VACCINE_UNROLL
    for (int i = 0; i < kVector; ++i)
        if (Whole || i < steps) store(to + i * padded, step[i], Full{});
}

/// Steps lie side by side.
template <class T> void pack_transpose(const PackSource& source, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    for (int64_t lane = 0; lane < padded; lane += kVector) {
        const int64_t first = lane < lanes ? lane : 0, at = first * source.lane_stride;
        int64_t step = 0;
        for (; step + kVector <= steps; step += kVector)
            transpose<T, true>(source, at + step, lanes - first, kVector, to + step * padded + lane, padded);
        if (step < steps) transpose<T, false>(source, at + step, lanes - first, steps - step, to + step * padded + lane, padded);
    }
}

template <class T> void pack_any(const PackSource& source, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    const T* from = static_cast<const T*>(source.data);
    for (int64_t step = 0; step < steps; ++step)
        for (int64_t lane = 0; lane < padded; ++lane)
            to[step * padded + lane] = lane < lanes ? value(from + lane * source.lane_stride + step * source.step_stride) : 0.0f;
}

template <class T> void pack_type(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    if (from.lane_stride == 1)
        pack_copy<T>(from, lanes, padded, steps, to);
    else if (from.step_stride == 1)
        pack_transpose<T>(from, lanes, padded, steps, to);
    else
        pack_any<T>(from, lanes, padded, steps, to);
}

void pack(const PackSource& from, int64_t lanes, int64_t padded, int64_t steps, float* to) {
    if (from.bf16)
        pack_type<uint16_t>(from, lanes, padded, steps, to);
    else
        pack_type<float>(from, lanes, padded, steps, to);
}

/// c from column `at` on, at most a vector.
VACCINE_INLINE void finish(Vec sum, int64_t at, int64_t columns, const TileEnd& end, float* c) {
    const auto store_sum = [&](auto lanes) {
        const Vec bias = end.bias ? load(end.bias + at, lanes) : all(0);
        const Vec base = end.add ? bias + load(c + at, lanes) : bias;
        store(c + at, multiply_add(all(end.alpha), sum, base), lanes);
    };
    if (columns - at >= kVector)
        store_sum(Full{});
    else
        store_sum(Part{columns - at});
}

/// R rows, V vectors of columns.
template <int R, int V> void tile_of(int64_t columns, int64_t steps, const Panel& a_panel, const Panel& b_panel, const Ahead& ahead,
                                     const TileEnd& end, float* c, int64_t c_stride) {
    Vec sum[R][V];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) {
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) {
            sum[r][v] = all(0);
            ask_now(c + r * c_stride + v * kVector);  // c has come when the sums are ready
        }
    }
    const float* a = a_panel.data;
    const float* b = b_panel.data;
    for (int64_t step = 0; step < steps;) {
        ask_for_line(ahead, step * 4);
        for (const int64_t end_of_line = step + kLine < steps ? step + kLine : steps; step < end_of_line; ++step) {
            Vec row[V];
            ask_now(a + kAhead * a_panel.stride);
            VACCINE_UNROLL
            for (int v = 0; v < V; ++v) {
                if (v % kVectorsOfLine == 0) ask_now(b + v * kVector + kAhead * b_panel.stride);
                row[v] = load(b + v * kVector, Full{});
            }
            VACCINE_UNROLL
            for (int r = 0; r < R; ++r) {
                const Vec factor = all(a[r]);
                VACCINE_UNROLL
                for (int v = 0; v < V; ++v) sum[r][v] = multiply_add(factor, row[v], sum[r][v]);
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

/// A step of V vectors of rows.
template <int V> VACCINE_INLINE void swapped_step(const float* a, const float* b, int64_t b_stride, Vec sum[V][kSwappedColumns]) {
    Vec lanes[V];
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) lanes[v] = load(a + v * kVector, Full{});
    VACCINE_UNROLL
    for (int j = 0; j < kSwappedColumns; ++j) {
        const Vec factor = all(b[j * b_stride]);
        VACCINE_UNROLL
        for (int v = 0; v < V; ++v) sum[v][j] = multiply_add(factor, lanes[v], sum[v][j]);
    }
}

/// V vectors of rows.
template <int V> void swapped_of(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride,
                                 const Ahead& ahead, const TileEnd& end, float* c, int64_t c_stride) {
    Vec sum[V][kSwappedColumns];
    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        VACCINE_UNROLL
        for (int j = 0; j < kSwappedColumns; ++j) sum[v][j] = all(0);
    }
    for (int64_t r = 0; r < rows; ++r) ask_now(c + r * c_stride);
    int64_t step = 0;
    for (; step + kLine <= steps; step += kLine) {
        ask_for_line(ahead, step * 4);
        VACCINE_UNROLL
        for (int j = 0; j < kSwappedColumns; ++j) ask_now(b + j * b_stride + kAhead);
        for (int i = 0; i < kLine; ++i, ++b, a += V * kVector) {
            VACCINE_UNROLL
            for (int v = 0; v < V; v += kVectorsOfLine) ask_now(a + (V * kAhead + v) * kVector);
            swapped_step<V>(a, b, b_stride, sum);
        }
    }
    for (; step < steps; ++step, ++b, a += V * kVector) swapped_step<V>(a, b, b_stride, sum);

    VACCINE_UNROLL
    for (int v = 0; v < V; ++v) {
        Vec row[kVector];
        turn([&](int j) { return j < kSwappedColumns ? sum[v][j] : all(0); }, row);
        VACCINE_UNROLL
        for (int r = 0; r < kVector; ++r)
            if (v * kVector + r < rows) finish(row[r], 0, columns, end, c + (v * kVector + r) * c_stride);
    }
}

void swapped(int64_t rows, int64_t columns, int64_t steps, const float* a, const float* b, int64_t b_stride, const Ahead& ahead,
             const TileEnd& end, float* c, int64_t c_stride) {
    const auto of_rows = rows <= kVector ? swapped_of<1> : swapped_of<2>;
    of_rows(rows, columns, steps, a, b, b_stride, ahead, end, c, c_stride);
}

/// Words of 32 bits: of fp32 a step, of bf16 two, the earlier one in the lower half.
VACCINE_INLINE Vec load_words(const float* from) {
    return load_once(from);
}
VACCINE_INLINE Vec load_some_words(const float* from, int64_t steps) {
    return steps >= kVector ? load(from, Full{}) : load(from, Part{steps});
}

/// As many lanes as words, turned in registers. Whole: there are that many of both; else lanes from `lanes` on and steps from `steps` on
/// are not read, and are zeros.
template <class T, bool Whole>
VACCINE_INLINE void turn_words(const PackSource& source, int64_t at, int64_t lanes, int64_t steps, Vec word[kVector]) {
    const T* data = static_cast<const T*>(source.data);
    turn(
        [&](int lane) {
            if (!Whole && lane >= lanes) return all(0);
            const int64_t i = at + lane * source.lane_stride;
            if (!Whole) return load_some_words(data + i, steps);
            ask_for(data + i + kVector * source.lane_stride);
            return load_words(data + i);
        },
        word);
}

template <int R> VACCINE_INLINE void add_step(const float* a, int64_t a_stride, Vec b, Vec sum[R]) {
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = multiply_add(all(a[r * a_stride]), b, sum[r]);
}

/// R rows.
template <class T, int R>
void dot_of(int64_t columns, int64_t steps, const PackSource& a_rows, const PackSource& b, const TileEnd& end, float* c, int64_t c_stride) {
    constexpr bool kHalves = sizeof(T) == 2;
    constexpr int kSteps = kHalves ? 2 * kVector : kVector;
    const float* a = static_cast<const float*>(a_rows.data);
    const int64_t stride = a_rows.lane_stride;
    Vec sum[R];
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) sum[r] = all(0);
    int64_t step = 0;
    if (columns == kVector)
        for (; step + kSteps <= steps; step += kSteps) {
            Vec word[kVector];
            turn_words<T, true>(b, step, kVector, kSteps, word);
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
    for (; step < steps; step += kSteps) {  // what is left, or a panel of fewer columns
        Vec word[kVector];
        turn_words<T, false>(b, step, columns, steps - step, word);
        for (int64_t i = 0; i < kSteps && step + i < steps; ++i) {
            const Vec next = !kHalves ? word[i] : i % 2 == 0 ? earlier_half(word[i / 2]) : later_half(word[i / 2]);
            add_step<R>(a + step + i, stride, next, sum);
        }
    }
    VACCINE_UNROLL
    for (int r = 0; r < R; ++r) finish(sum[r], 0, columns, end, c + r * c_stride);
}

/// A function for each number of rows.
struct Tables {
    void (*tiles[2][kRows])(int64_t, int64_t, const Panel&, const Panel&, const Ahead&, const TileEnd&, float*, int64_t) = {};
    void (*dots[2][kDotRows])(int64_t, int64_t, const PackSource&, const PackSource&, const TileEnd&, float*, int64_t) = {};
};
template <int R> constexpr void fill(Tables& tables) {
    if constexpr (R > 0) {
        tables.tiles[0][R - 1] = tile_of<R, 1>;
        tables.tiles[1][R - 1] = tile_of<R, 2>;
        if constexpr (R <= kDotRows) {
            tables.dots[0][R - 1] = dot_of<float, R>;
            tables.dots[1][R - 1] = dot_of<uint16_t, R>;
        }
        fill<R - 1>(tables);
    }
}
constexpr Tables make_tables() {
    Tables tables;
    fill<kRows>(tables);
    return tables;
}
constexpr Tables kTables = make_tables();

void tile(int64_t rows, int64_t columns, int64_t steps, const Panel& a, const Panel& b, const Ahead& ahead, const TileEnd& end, float* c,
          int64_t c_stride) {
    kTables.tiles[columns > kVector][rows - 1](columns, steps, a, b, ahead, end, c, c_stride);
}
void dot(int64_t rows, int64_t columns, int64_t steps, const PackSource& a, const PackSource& b, const TileEnd& end, float* c,
         int64_t c_stride) {
    kTables.dots[b.bf16][rows - 1](columns, steps, a, b, end, c, c_stride);
}

constexpr GemmKernels kKernels = {kRows, kVector, 2 * kVector, kVector, pack, tile, dot, kDotRows, swapped, kSwappedColumns};
