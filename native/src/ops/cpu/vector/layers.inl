// Part of every vector_kernels_<isa>.cpp: normalisation, rotary embedding, gated linear units, AdamW.

float rmsnorm_row(const float* x, const float* w, float offset, float eps, int64_t C, float* y) {
    Vec square = all(0);
    for_each_vector(C, [&](int64_t c, auto lanes) {
        const Vec value = load(x + c, lanes);
        square = multiply_add(value, value, square);
    });
    const float rstd = 1.0f / sqrtf(sum_of_lanes(square) / static_cast<float>(C) + eps);
    for_each_vector(
        C, [&](int64_t c, auto lanes) { store(y + c, load(x + c, lanes) * all(rstd) * (load(w + c, lanes) + all(offset)), lanes); });
    return rstd;
}

void rmsnorm_backward_row(const float* dy, const float* x, const float* w, float offset, float rstd, int64_t C, float* dx) {
    const auto through_weight = [&](int64_t c, auto lanes) { return load(dy + c, lanes) * (load(w + c, lanes) + all(offset)); };
    Vec product = all(0);
    for_each_vector(C, [&](int64_t c, auto lanes) { product = multiply_add(through_weight(c, lanes), load(x + c, lanes), product); });
    // How much of the gradient only rescales the row.
    const float pull = sum_of_lanes(product) / static_cast<float>(C) * rstd * rstd;
    for_each_vector(C, [&](int64_t c, auto lanes) {
        const Vec gradient = subtract_product(load(x + c, lanes), all(pull), through_weight(c, lanes));
        store(dx + c, multiply_add(all(rstd), gradient, load(dx + c, lanes)), lanes);
    });
}

void rmsnorm_backward_weight(const float* dy, const float* x, const float* rstd, int64_t T, int64_t C, int64_t first, int64_t last,
                             float* dw) {
    // One register's columns at a time: the sums never leave it.
    for_each_vector(last - first, [&](int64_t i, auto lanes) {
        const int64_t c = first + i;
        Vec sum_over_t = all(0);
        for (int64_t t = 0; t < T; ++t) {
            const Vec normalised = load(x + t * C + c, lanes) * all(rstd[t]);
            sum_over_t = multiply_add(load(dy + t * C + c, lanes), normalised, sum_over_t);
        }
        store(dw + c, load(dw + c, lanes) + sum_over_t, lanes);
    });
}

void rotate(float* low, float* high, const float* cosine, const float* sine, int64_t half, float direction) {
    for_each_vector(half, [&](int64_t i, auto lanes) {
        const Vec a = load(low + i, lanes), b = load(high + i, lanes), c = load(cosine + i, lanes);
        const Vec s = load(sine + i, lanes) * all(direction);
        store(low + i, subtract_product(b, s, a * c), lanes);
        store(high + i, multiply_add(a, s, b * c), lanes);
    });
}

VACCINE_INLINE Vec sigmoid(Vec x) {
    return all(1.0f) / (all(1.0f) + exp(all(0.0f) - x));
}

/// Activations are x sigmoid(argument(x)). slope: of the argument, times x.
struct Silu {
    static VACCINE_INLINE Vec argument(Vec x) { return x; }
    static VACCINE_INLINE Vec slope(Vec x) { return x; }
};
struct GeluTanh {
    static constexpr float linear = 1.5957691216057308f, cubic = 0.044715f;  // the first is 2 sqrt(2 / pi)
    static VACCINE_INLINE Vec argument(Vec x) { return all(linear) * multiply_add(all(cubic) * x * x, x, x); }
    static VACCINE_INLINE Vec slope(Vec x) { return all(linear) * multiply_add(all(3 * cubic) * x * x, x, x); }
};

template <class Activation> void glu(const float* gate, const float* up, float* out, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec g = load(gate + i, lanes);
        store(out + i, g * sigmoid(Activation::argument(g)) * load(up + i, lanes), lanes);
    });
}

template <class Activation> void glu_backward(const float* dout, float* gate, float* up, int64_t n) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec d = load(dout + i, lanes), g = load(gate + i, lanes), u = load(up + i, lanes);
        const Vec s = sigmoid(Activation::argument(g));
        const Vec slope = multiply_add(Activation::slope(g) * s, all(1.0f) - s, s);  // d activation / d gate
        store(gate + i, d * u * slope, lanes);
        store(up + i, d * (g * s), lanes);
    });
}

void adamw(float* p, const float* g, float* m, float* v, int64_t n, float gradient_factor, const AdamWFactors& f) {
    for_each_vector(n, [&](int64_t i, auto lanes) {
        const Vec gradient = load(g + i, lanes) * all(gradient_factor);
        const Vec first = multiply_add(gradient, all(f.one_minus_beta1), load(m + i, lanes) * all(f.beta1));
        const Vec second = multiply_add(gradient * gradient, all(f.one_minus_beta2), load(v + i, lanes) * all(f.beta2));
        const Vec root = square_root(second) / all(f.root_correction) + all(f.epsilon);
        store(m + i, first, lanes);
        store(v + i, second, lanes);
        store(p + i, subtract_product(all(f.step_size), first / root, load(p + i, lanes) * all(f.decay)), lanes);
    });
}
