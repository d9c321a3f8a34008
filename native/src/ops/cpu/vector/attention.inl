// Part of every vector_kernels_<isa>.cpp: the small matrix products of attention.

#if defined(__GNUC__)
#define VACCINE_UNROLL _Pragma("GCC unroll 16")  // without it the sums of a tile go through memory
#else
#define VACCINE_UNROLL
#endif

/// Rows x (Columns registers) of c at (i, j), the last register `lanes` wide.
template <int Rows, int Columns, class Lanes> VACCINE_INLINE void product_tile(const Product& q, int64_t i, int64_t j, Lanes lanes) {
    const float* a = q.a + i * q.a_row;
    const float* b = q.b + j;
    float* c = q.c + i * q.c_row + j;
    constexpr int last = Columns - 1;
    Vec sum[Rows][Columns];
    VACCINE_UNROLL for (int r = 0; r < Rows; ++r) {
        VACCINE_UNROLL for (int s = 0; s < Columns; ++s) {
            float* at = c + r * q.c_row + s * Vec::width;
            sum[r][s] = !q.accumulate ? all(0) : s < last ? load(at, Full{}) : load(at, lanes);
        }
    }
    for (int64_t l = 0; l < q.k; ++l) {
        Vec column[Columns];
        VACCINE_UNROLL for (int s = 0; s < Columns; ++s) {
            const float* at = b + l * q.b_row + s * Vec::width;
            column[s] = s < last ? load(at, Full{}) : load(at, lanes);
        }
        VACCINE_UNROLL for (int r = 0; r < Rows; ++r) {
            const Vec factor = all(a[r * q.a_row + l * q.a_column]);
            VACCINE_UNROLL for (int s = 0; s < Columns; ++s) sum[r][s] = multiply_add(factor, column[s], sum[r][s]);
        }
    }
    VACCINE_UNROLL for (int r = 0; r < Rows; ++r) {
        VACCINE_UNROLL for (int s = 0; s < Columns; ++s) {
            float* at = c + r * q.c_row + s * Vec::width;
            if (s < last)
                store(at, sum[r][s], Full{});
            else
                store(at, sum[r][s], lanes);
        }
    }
}

/// The rows from i on that do not fill a tile.
template <int Rows, int Columns, class Lanes> void product_rest(const Product& q, int64_t i, int64_t j, Lanes lanes) {
    if constexpr (Rows > 0) {
        if (q.m - i == Rows)
            product_tile<Rows, Columns>(q, i, j, lanes);
        else
            product_rest<Rows - 1, Columns>(q, i, j, lanes);
    }
}

/// A panel of columns: b's part of it stays in the first cache for all rows.
template <int Columns, class Lanes> void product_panel(const Product& q, int64_t j, Lanes lanes) {
    int64_t i = 0;
    for (; i + Vec::tile_rows <= q.m; i += Vec::tile_rows) product_tile<Vec::tile_rows, Columns>(q, i, j, lanes);
    product_rest<Vec::tile_rows - 1, Columns>(q, i, j, lanes);
}

void product(const Product& q) {
    constexpr int64_t width = Vec::width;
    int64_t j = 0;
    for (; j + 2 * width <= q.n; j += 2 * width) product_panel<2>(q, j, Full{});
    const int64_t rest = q.n - j;
    if (rest > width)
        product_panel<2>(q, j, Part{rest - width});
    else if (rest == width)
        product_panel<1>(q, j, Full{});
    else if (rest > 0)
        product_panel<1>(q, j, Part{rest});
}

void transpose(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to, int64_t to_row) {
    const int64_t whole_rows = rows / kTransposeBlock * kTransposeBlock, whole_columns = columns / kTransposeBlock * kTransposeBlock;
    for (int64_t r = 0; r < whole_rows; r += kTransposeBlock)
        for (int64_t c = 0; c < whole_columns; c += kTransposeBlock)
            transpose_block(from + r * from_row + c, from_row, to + c * to_row + r, to_row);
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c) to[c * to_row + r] = from[r * from_row + c];
}

template <int Keys> VACCINE_INLINE void dots_of(const float* q, const float* k, int64_t k_row, int64_t head_size, float* result) {
    Vec sum_of_key[Keys];
    VACCINE_UNROLL for (int j = 0; j < Keys; ++j) sum_of_key[j] = all(0);
    for_each_vector(head_size, [&](int64_t d, auto lanes) {
        const Vec query = load(q + d, lanes);
        VACCINE_UNROLL for (int j = 0; j < Keys; ++j) sum_of_key[j] = multiply_add(query, load(k + j * k_row + d, lanes), sum_of_key[j]);
    });
    VACCINE_UNROLL for (int j = 0; j < Keys; ++j) result[j] = sum_of_lanes(sum_of_key[j]);
}

void dots(const float* q, const float* k, int64_t k_row, int64_t keys, int64_t head_size, float* result) {
    int64_t j = 0;
    for (; j + 4 <= keys; j += 4) dots_of<4>(q, k + j * k_row, k_row, head_size, result + j);
    for (; j < keys; ++j) dots_of<1>(q, k + j * k_row, k_row, head_size, result + j);
}

void attention_backward_row(float* p, float* dp, float lse, float delta, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec probability = exp(load(p + i, lanes) - all(lse));
        store(p + i, probability, lanes);
        store(dp + i, probability * (load(dp + i, lanes) - all(delta)), lanes);
    });
}

void capped_attention_backward_row(float* p, float* dp, float lse, float delta, float cap, int64_t n) {
    const float inverse = 1 / cap;
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec score = all(cap) * tanh(load(p + i, lanes) * all(inverse)), probability = exp(score - all(lse));
        store(p + i, probability, lanes);
        store(dp + i, probability * (load(dp + i, lanes) - all(delta)) * slope_of_capped(score, cap), lanes);
    });
}
