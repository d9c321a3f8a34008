// What linear layers should compute: sums in double, each with how far off fp32 or bf16 may be.
#pragma once
#include <algorithm>

#include "testing.h"

namespace vaccine::testing {

/// What an element should be, and how far off it may be.
struct Expected {
    std::vector<double> value, slack;
    Expected() = default;
    explicit Expected(const std::vector<double>& start) : value(start), slack(start.size()) {}
};

using Values = std::vector<double>;
inline Values transpose(const Values& a, int64_t rows, int64_t columns) {
    Values result(a.size());
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) result[j * rows + i] = a[i * columns + j];
    return result;
}
inline Values absolute(Values a) {
    for (double& each : a) each = std::abs(each);
    return a;
}
inline Values times(Values a, double factor) {
    for (double& each : a) each *= factor;
    return a;
}
inline Values times(Values a, const Values& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
    return a;
}
/// a (M, K) times b (N, K) transposed.
inline Values product(const Values& a, const Values& b, int64_t M, int64_t N, int64_t K) {
    Values c(M * N);
    for (int64_t m = 0; m < M; ++m)
        for (int64_t n = 0; n < N; ++n) {
            double sum = 0;
            for (int64_t k = 0; k < K; ++k) sum += a[m * K + k] * b[n * K + k];
            c[m * N + n] = sum;
        }
    return c;
}

/// The formulas of ops.h in double, from inputs as the ops see them: rounded to bf16 where they round them.
///
/// Slack. For sums in fp32 see sum_error. bf16 activations add: the adapter's own operands (a, b, h, dy b) are two terms of bf16 in every
/// product, see kSplitError; and the output is rounded once, 2^-8 of it.
struct Reference {
    int64_t T, in, out, rank;
    double scale;
    bool bf16;
    Values x, w, bias, a, b, mask, dy;  // mask: 0 or 1 / (1 - p)

    double split_error() const { return bf16 ? kSplitError : 0; }
    double split_product_error() const { return bf16 ? kSplitProductError : 0; }

    static void add(Expected& to, const Values& value, const Values& size, double error) {
        for (size_t i = 0; i < value.size(); ++i) {
            to.value[i] += value[i];
            to.slack[i] += error * size[i];
        }
    }
    /// to += a b^T, and the slack of a sum in fp32.
    static void add_product(Expected& to, const Values& left, const Values& right, int64_t M, int64_t N, int64_t K) {
        add(to, product(left, right, M, N, K), product(absolute(left), absolute(right), M, N, K), sum_error(K));
    }
    /// The same where left is a middle, the product of a parameter; left_size: the sizes of its own sums, of K_left terms.
    void add_second(Expected& to, const Values& left, const Values& left_size, const Values& right, int64_t M, int64_t N, int64_t K,
                    int64_t K_left) const {
        const Values right_size = absolute(right);
        add(to, product(left, right, M, N, K), product(absolute(left), right_size, M, N, K), split_product_error());
        add(to, Values(to.value.size()), product(left_size, right_size, M, N, K), split_error() + sum_error(K_left + K));
    }

    Values dropped() const { return times(x, mask); }
    Expected h() const {
        Expected h{Values(T * rank)};
        add_product(h, dropped(), a, T, rank, in);
        add(h, Values(T * rank), h_size(), split_error());
        return h;
    }
    Values h_size() const { return product(absolute(dropped()), absolute(a), T, rank, in); }
    Values dh() const { return product(dy, transpose(b, out, rank), T, rank, out); }
    Values dh_size() const { return product(absolute(dy), absolute(transpose(b, out, rank)), T, rank, out); }

    Expected y(const Values& addend) const {
        Expected y{addend};
        add_product(y, x, w, T, out, in);
        if (!bias.empty())
            for (int64_t i = 0; i < T * out; ++i) y.value[i] += bias[i % out];
        if (rank > 0) add_second(y, times(h().value, scale), times(h_size(), scale), b, T, out, rank, in);
        return y;
    }
    Expected dx(const Values& before) const {
        Expected low{Values(T * in)}, dx{before};
        if (rank > 0) add_second(low, times(dh(), scale), times(dh_size(), scale), transpose(a, rank, in), T, in, rank, out);
        add(dx, times(low.value, mask), times(low.slack, mask), 1);
        add_product(dx, dy, transpose(w, out, in), T, in, out);
        return dx;
    }
    Expected dw(const Values& before) const {
        Expected dw{before};
        add_product(dw, transpose(dy, T, out), transpose(x, T, in), out, in, T);
        return dw;
    }
    Expected dbias(const Values& before) const {
        Expected dbias{before};
        add_product(dbias, transpose(dy, T, out), Values(T, 1), out, 1, T);
        return dbias;
    }
    Expected da(const Values& before) const {
        Expected da{before};
        add_second(da, times(transpose(dh(), T, rank), scale), times(transpose(dh_size(), T, rank), scale), transpose(dropped(), T, in),
                   rank, in, T, out);
        return da;
    }
    Expected db(const Values& before) const {
        Expected sum{Values(rank * out)}, db{before};
        add_second(sum, times(transpose(h().value, T, rank), scale), times(transpose(h_size(), T, rank), scale), transpose(dy, T, out),
                   rank, out, T, in);
        add(db, transpose(sum.value, rank, out), transpose(sum.slack, rank, out), 1);
        return db;
    }
    /// What the gradients are the gradients of.
    double objective() const {
        const Values values = y(Values(T * out)).value;
        double sum = 0;
        for (size_t i = 0; i < values.size(); ++i) sum += values[i] * dy[i];
        return sum;
    }
};

inline Values dropout_mask(const ops::Dropout& dropout, int64_t count) {
    Values mask(count);
    for (int64_t i = 0; i < count; ++i) mask[i] = dropout_factor(dropout, i);
    return mask;
}

inline void compare(Buffer& got, const Expected& want, const char* what) {
    const Values values = got.values();
    const int64_t columns = got.view().columns;
    const double rounding = got.view().dtype == DType::BF16 ? kHalfError : 1.0 / 4194304;
    check(values.size() == want.value.size(), std::string(what) + ": wrong number of expected values");
    for (size_t i = 0; i < values.size(); ++i)
        near(values[i], want.value[i], {want.slack[i] * 1.01 + 1e-7, rounding}, what, static_cast<int64_t>(i) / columns,
             static_cast<int64_t>(i) % columns);
}

}  // namespace vaccine::testing
