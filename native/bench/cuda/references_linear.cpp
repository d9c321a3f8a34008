// Slack: the sums' own (see sum_error); and that an adapter's operands are two terms of bf16 in every product.
#include "references.h"

namespace vaccine::bench {
namespace {

using testing::dropout_factor;

/// A product whose left factor is itself a sum of a parameter's products.
struct SecondSum {
    Sum sum;
    double inner = 0;  // sizes of the inner sums' terms
    void add(const Sum& left, double right) {
        sum.add(left.value * right);
        inner += left.size * std::abs(right);
    }
    double slack(int64_t terms) const { return kSplitProductError * sum.size + (kSplitError + sum_error(terms)) * inner; }
};

/// (dropout(x) a^T)[t], times scale
std::vector<Sum> middle_forward(const ops::Lora& lora, const Copy& x, const Copy& a, int64_t t) {
    std::vector<Sum> h(static_cast<size_t>(lora.a.rows));
    for (int64_t k = 0; k < lora.a.columns; ++k) {
        const double value = x(t, k) * dropout_factor(lora.dropout, t * lora.a.columns + k) * static_cast<double>(lora.scale);
        for (int64_t r = 0; r < lora.a.rows; ++r) h[static_cast<size_t>(r)].add(value * a(r, k));
    }
    return h;
}

/// (dy b)[t, r], times scale
Sum middle_backward(const ops::Lora& lora, const Copy& dy, const Copy& b, int64_t t, int64_t r) {
    Sum dh;
    for (int64_t o = 0; o < lora.b.rows; ++o) dh.add(static_cast<double>(lora.scale) * dy.rounded(t, o) * b(o, r));
    return dh;
}

}  // namespace

Expectations linear_forward_gives(Device& device, View x, View w, const ops::Lora& lora, View y) {
    const Copy in(device, x), weight(device, w), a(device, lora.a), b(device, lora.b);
    const int64_t K = x.columns, rank = lora.a.rows;
    Expectations all;
    for (const int64_t t : places(x.rows)) {
        const std::vector<Sum> h = middle_forward(lora, in, a, t);
        for (const int64_t o : places(w.rows)) {
            Sum sum;
            for (int64_t k = 0; k < K; ++k) sum.add(in(t, k) * weight(o, k));
            SecondSum low;
            for (int64_t r = 0; r < rank; ++r) low.add(h[static_cast<size_t>(r)], b(o, r));
            all.push_back({"y", y, t, o, sum.value + low.sum.value, sum_error(K) * sum.size + low.slack(K + rank), sum.value});
        }
    }
    return all;
}

Expectations linear_backward_gives(Device& device, View dy, View w, const ops::Lora& lora, View dx) {
    const Copy gradient(device, dy), weight(device, w), a(device, lora.a), b(device, lora.b);
    const int64_t K = w.rows, rank = lora.a.rows;
    Expectations all;
    for (const int64_t t : places(dy.rows)) {
        std::vector<Sum> dh;
        for (int64_t r = 0; r < rank; ++r) dh.push_back(middle_backward(lora, gradient, b, t, r));
        for (const int64_t i : places(w.columns)) {
            Sum sum;
            for (int64_t o = 0; o < K; ++o) sum.add(gradient.rounded(t, o) * weight(o, i));
            SecondSum low;
            for (int64_t r = 0; r < rank; ++r)
                low.add(dh[static_cast<size_t>(r)], a(r, i) * dropout_factor(lora.dropout, t * w.columns + i));
            all.push_back({"dx", dx, t, i, sum.value + low.sum.value, sum_error(K) * sum.size + low.slack(K + rank), sum.value});
        }
    }
    return all;
}

Expectations adapter_gradients_give(Device& device, View dy, View x, const ops::Lora& lora, View da, View db) {
    const Copy gradient(device, dy), in(device, x), b(device, lora.b), h(device, lora.h), da_before(device, da), db_before(device, db);
    const int64_t T = dy.rows;
    Expectations all;
    for (const int64_t r : places(lora.a.rows)) {
        std::vector<Sum> dh;
        for (int64_t t = 0; t < T; ++t) dh.push_back(middle_backward(lora, gradient, b, t, r));
        for (const int64_t i : places(x.columns)) {
            SecondSum sum;
            for (int64_t t = 0; t < T; ++t) sum.add(dh[static_cast<size_t>(t)], in(t, i) * dropout_factor(lora.dropout, t * x.columns + i));
            all.push_back({"da", da, r, i, da_before(r, i) + sum.sum.value, sum.slack(dy.columns + T)});
        }
        for (const int64_t o : places(dy.columns)) {
            Sum sum;
            for (int64_t t = 0; t < T; ++t) sum.add(static_cast<double>(lora.scale) * h(t, r) * gradient(t, o));
            all.push_back({"db", db, o, r, db_before(o, r) + sum.value, (kSplitError + sum_error(T)) * sum.size});
        }
    }
    return all;
}

}  // namespace vaccine::bench
