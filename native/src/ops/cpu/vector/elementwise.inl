// Part of every vector_kernels_<isa>.cpp: vectors, exp, reductions.

/// f(i, lanes) for i = 0, width, ... below n.
template <class F> VACCINE_INLINE void for_each_vector(int64_t n, F f) {
    int64_t i = 0;
    for (; i + Vec::width <= n; i += Vec::width) f(i, Full{});
    if (i < n) f(i, Part{n - i});
}

/// exp(x) = 2^n (1 + rest), rest = exp(r) - 1 with |r| <= ln(2)/2. The polynomial is Cephes' expf (S. Moshier).
struct ExpParts {
    Vec n, rest;
};
VACCINE_INLINE ExpParts exp_parts(Vec x) {
    const Vec n = round(x * all(1.44269504088896341f));
    Vec r = subtract_product(n, all(0.693359375f), x);  // ln 2 in two parts; n times the first is exact
    r = subtract_product(n, all(-2.12194440e-4f), r);
    Vec p = all(1.9875691500e-4f);
    p = multiply_add(p, r, all(1.3981999507e-3f));
    p = multiply_add(p, r, all(8.3334519073e-3f));
    p = multiply_add(p, r, all(4.1665795894e-2f));
    p = multiply_add(p, r, all(1.6666665459e-1f));
    p = multiply_add(p, r, all(5.0000001201e-1f));
    return {n, multiply_add(p, r * r, r)};
}
/// Within 1.5 units in the last place where the result is normal (vector_kernels_test). exp(-inf) is 0; NaN stays NaN.
VACCINE_INLINE Vec exp(Vec x) {
    const ExpParts parts = exp_parts(smaller(all(89.0f), larger(all(-105.0f), x)));
    return times_power_of_two(parts.rest + all(1.0f), parts.n);
}

/// (exp(2x) - 1) / (exp(2x) + 1), with the numerator put together from parts so that little of a small x is lost. NaN stays NaN.
VACCINE_INLINE Vec tanh(Vec x) {
    const ExpParts parts = exp_parts(smaller(all(20.0f), larger(all(-20.0f), x + x)));
    const Vec power = times_power_of_two(all(1.0f), parts.n);
    const Vec less_one = multiply_add(parts.rest, power, power - all(1.0f));
    return less_one / (less_one + all(2.0f));
}
/// 1 - (y / cap)^2: how fast y = cap * tanh(x / cap) grows with x.
VACCINE_INLINE Vec slope_of_capped(Vec y, float cap) {
    const Vec t = y * all(1 / cap);
    return subtract_product(t, t, all(1.0f));
}

void soft_cap(float* x, float cap, int64_t n) {
    const float inverse = 1 / cap;
    for_each_vector(n, [&](int64_t i, auto lanes) { store(x + i, all(cap) * tanh(load(x + i, lanes) * all(inverse)), lanes); });
}

void scale(float* x, float factor, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) { store(x + i, load(x + i, lanes) * all(factor), lanes); });
}

template <class From, class To> void convert(const void* from_data, void* to_data, int64_t n) {
    const From* from = static_cast<const From*>(from_data);
    To* to = static_cast<To*>(to_data);
    for_each_vector(n, [&](int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
}

template <class X, class Y> void axpy(float alpha, const void* x_data, void* y_data, int64_t n) {
    const X* x = static_cast<const X*>(x_data);
    Y* y = static_cast<Y*>(y_data);
    for_each_vector(n,
                    [&](int64_t i, auto lanes) { store(y + i, multiply_add(all(alpha), load(x + i, lanes), load(y + i, lanes)), lanes); });
}

void multiply_add(float alpha, const float* a, const float* b, float* y, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        store(y + i, multiply_add(all(alpha) * load(a + i, lanes), load(b + i, lanes), load(y + i, lanes)), lanes);
    });
}

double dot(const float* x, const float* y, int64_t n) {
    WideSum sum = zero_sum();
    for_each_vector(n, [&](int64_t i, auto lanes) { add_product(sum, load(x + i, lanes), load(y + i, lanes)); });
    return total(sum);
}

template <class X> double sum_of_squares(const void* x_data, int64_t n) {
    const X* x = static_cast<const X*>(x_data);
    WideSum sum = zero_sum();
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec value = load(x + i, lanes);
        add_product(sum, value, value);
    });
    return total(sum);
}

double sum(const float* x, int64_t n) {
    WideSum total_sum = zero_sum();
    for_each_vector(n, [&](int64_t i, auto lanes) { add(total_sum, load(x + i, lanes)); });
    return total(total_sum);
}

float largest(const float* x, int64_t n) {
    const float least = -INFINITY;
    Vec most = all(least);
    for_each_vector(n, [&](int64_t i, auto lanes) { most = larger(most, fill_rest(load(x + i, lanes), least, lanes)); });
    return largest_of_lanes(most);
}

/// exp(x - shift) of every element goes to `take`(i, value, lanes); the lanes beyond the last element hold 0. Returns their sum.
template <class Take> VACCINE_INLINE double sum_exp(const float* x, float shift, int64_t n, Take take) {
    // Pieces, so that a long row's sum in fp32 loses nothing to its length.
    constexpr int64_t kPiece = 2048;
    double sum_of_pieces = 0;
    for (int64_t first = 0; first < n; first += kPiece) {
        const int64_t count = n - first < kPiece ? n - first : kPiece;
        Vec piece = all(0);
        for_each_vector(count, [&](int64_t i, auto lanes) {
            const Vec value = fill_rest(exp(load(x + first + i, lanes) - all(shift)), 0, lanes);
            piece = piece + value;
            take(first + i, value, lanes);
        });
        sum_of_pieces += sum_of_lanes(piece);
    }
    return sum_of_pieces;
}

double sum_of_exp(const float* x, float shift, int64_t n) {
    return sum_exp(x, shift, n, [](int64_t, Vec, auto) {});
}

float exp_in_place(float* s, float shift, int64_t n) {
    return static_cast<float>(sum_exp(s, shift, n, [&](int64_t i, Vec value, auto lanes) { store(s + i, value, lanes); }));
}

void scaled_exp(float* x, float shift, float factor, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) { store(x + i, all(factor) * exp(load(x + i, lanes) - all(shift)), lanes); });
}

/// Logarithms of probabilities from here down count as this one: times the probability, which is 0, they must be 0 and not NaN.
VACCINE_INLINE Vec above_least(Vec log_probability) {
    return larger(all(-1e30f), log_probability);
}

double sum_of_exp_times(const float* x, float shift, const float* y, float y_shift, int64_t n) {
    WideSum sum = zero_sum();
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec value = above_least(load(x + i, lanes) - all(shift));
        const Vec other = y == nullptr ? all(0) : above_least(load(y + i, lanes) - all(y_shift));
        add_product(sum, fill_rest(exp(value), 0, lanes), value - other);
    });
    return total(sum);
}

void softmax_gradient(float* x, const SoftmaxGradient& of, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec ln = load(x + i, lanes) - all(of.lse), entropy = above_least(ln) - all(of.negative_entropy);
        Vec gradient = exp(ln) * multiply_add(all(of.entropy), entropy, all(of.own));
        if (of.teacher != nullptr)
            gradient = subtract_product(all(of.divergence), exp(load(of.teacher + i, lanes) - all(of.teacher_lse)), gradient);
        if (of.cap != 0) gradient = gradient * slope_of_capped(load(x + i, lanes), of.cap);
        store(x + i, gradient, lanes);
    });
}
