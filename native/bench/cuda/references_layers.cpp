// Slack: fp32 sums over a row, and a few units in the last place for exp.
#include "references.h"

namespace vaccine::bench {
namespace {

constexpr double kFewUnits = 1.0 / (1 << 20);

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

/// The logits are small: no shift.
double log_sum_of(const Copy& z, int64_t n, int64_t V) {
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) sum += std::exp(z(n, v));
    return std::log(sum);
}

}  // namespace

Expectations rmsnorm_forward_gives(Device& device, View x, View w, double eps, View y, View rstd) {
    const Copy in(device, x), weight(device, w);
    const int64_t C = x.columns;
    Expectations all;
    for (const int64_t t : places(x.rows)) {
        double square = 0;
        for (int64_t c = 0; c < C; ++c) square += in(t, c) * in(t, c);
        const double r = 1 / std::sqrt(square / static_cast<double>(C) + eps);
        all.push_back({"rstd", rstd, 0, t, r, sum_error(C) * r});
        for (const int64_t c : places(C)) {
            const double value = in(t, c) * r * weight.at(c);
            all.push_back({"y", y, t, c, value, sum_error(C) * std::abs(value)});
        }
    }
    return all;
}

Expectations rmsnorm_backward_gives(Device& device, View dy, View x, View w, View rstd, View dx) {
    const Copy gradient(device, dy), in(device, x), weight(device, w), r(device, rstd), before(device, dx);
    const int64_t C = x.columns;
    Expectations all;
    for (const int64_t t : places(x.rows)) {
        Sum product;
        for (int64_t c = 0; c < C; ++c) product.add(gradient(t, c) * weight.at(c) * in(t, c));
        const double factor = r.at(t), share = factor * factor / static_cast<double>(C);
        for (const int64_t c : places(C)) {
            const double own = factor * gradient(t, c) * weight.at(c), others = factor * in(t, c) * share;
            const double slack = sum_error(C) * std::abs(others) * product.size + kFewUnits * (std::abs(own) + std::abs(before(t, c)));
            all.push_back({"dx", dx, t, c, before(t, c) + own - others * product.value, slack});
        }
    }
    return all;
}

Expectations swiglu_forward_gives(Device& device, View gate, View up, View out) {
    const Copy g(device, gate), u(device, up);
    Expectations all;
    for (const int64_t t : places(gate.rows))
        for (const int64_t f : places(gate.columns)) {
            const double value = g(t, f) * sigmoid(g(t, f)) * u(t, f);
            all.push_back({"out", out, t, f, value, kFewUnits * std::abs(value)});
        }
    return all;
}

Expectations swiglu_backward_gives(Device& device, View dout, View gate, View up) {
    const Copy d(device, dout), g(device, gate), u(device, up);
    Expectations all;
    for (const int64_t t : places(gate.rows))
        for (const int64_t f : places(gate.columns)) {
            const double x = g(t, f), s = sigmoid(x), silu = x * s, slope = s + silu * (1 - s);
            all.push_back({"dgate", gate, t, f, d(t, f) * u(t, f) * slope, kFewUnits * std::abs(d(t, f) * u(t, f))});
            all.push_back({"dup", up, t, f, d(t, f) * silu, kFewUnits * std::abs(d(t, f) * silu)});
        }
    return all;
}

Expectations rope_gives(Device& device, View x, View positions, View cosine, View sine, int64_t head_size) {
    const Copy in(device, x), position(device, positions), c(device, cosine), s(device, sine);
    const int64_t half = head_size / 2;
    Expectations all;
    for (const int64_t t : places(x.rows))
        for (const int64_t column : places(x.columns)) {
            const int64_t inside = column % head_size, i = inside % half, p = static_cast<int64_t>(position.at(t));
            const double other = in(t, inside < half ? column + half : column - half) * (inside < half ? -1 : 1);
            const double own = in(t, column) * c(p, i), turned = other * s(p, i);
            all.push_back({"x", x, t, column, own + turned, kFewUnits * (std::abs(own) + std::abs(turned))});
        }
    return all;
}

Expectations embedding_gives(Device& device, View table, View tokens, View x) {
    const Copy rows(device, table), token(device, tokens);
    Expectations all;
    for (const int64_t t : places(x.rows))
        for (const int64_t c : places(x.columns)) all.push_back({"x", x, t, c, rows(static_cast<int64_t>(token.at(t)), c), 0});
    return all;
}

Expectations cross_entropy_forward_gives(Device& device, View logits, View targets, View loss, View lse) {
    const Copy z(device, logits), target(device, targets);
    Expectations all;
    for (const int64_t n : places(logits.rows)) {
        const double log_sum = log_sum_of(z, n, logits.columns), slack = sum_error(logits.columns) + kFewUnits * log_sum;
        all.push_back({"lse", lse, 0, n, log_sum, slack});
        all.push_back({"loss", loss, 0, n, log_sum - z(n, static_cast<int64_t>(target.at(n))), slack});
    }
    return all;
}

Expectations cross_entropy_backward_gives(Device& device, View logits, View targets, View lse, double scale) {
    const Copy z(device, logits), target(device, targets), log_sum(device, lse);
    Expectations all;
    for (const int64_t n : places(logits.rows)) {
        const int64_t label = static_cast<int64_t>(target.at(n));
        std::vector<int64_t> columns = places(logits.columns);
        columns.push_back(label);
        for (const int64_t v : columns) {
            const double softmax = scale * std::exp(z(n, v) - log_sum.at(n));
            all.push_back({"dlogits", logits, n, v, softmax - (v == label ? scale : 0), kFewUnits * (softmax + scale)});
        }
    }
    return all;
}

Expectations divergence_forward_gives(Device& device, View logits, View teacher, View loss) {
    const Copy z(device, logits), other(device, teacher);
    Expectations all;
    for (const int64_t n : places(logits.rows)) {
        const double own = log_sum_of(z, n, logits.columns), its = log_sum_of(other, n, logits.columns);
        double sum = 0;
        for (int64_t v = 0; v < logits.columns; ++v) sum += std::exp(other(n, v) - its) * (other(n, v) - its - z(n, v) + own);
        all.push_back({"loss", loss, 0, n, sum, sum_error(logits.columns) * 4});
    }
    return all;
}

Expectations negative_entropy_forward_gives(Device& device, View logits, View loss) {
    const Copy z(device, logits);
    Expectations all;
    for (const int64_t n : places(logits.rows)) {
        const double own = log_sum_of(z, n, logits.columns);
        double sum = 0;
        for (int64_t v = 0; v < logits.columns; ++v) sum += std::exp(z(n, v) - own) * (z(n, v) - own);
        all.push_back({"loss", loss, 0, n, sum, sum_error(logits.columns) * 4 + kFewUnits * own});
    }
    return all;
}

Expectations weighted_losses_backward_gives(Device& device, View logits, View lse, const ops::WeightedLosses& losses) {
    const Copy z(device, logits), other(device, losses.teacher), log_sum(device, lse), other_sum(device, losses.teacher_lse);
    const Copy target(device, losses.targets), entropy(device, losses.negative_entropies);
    const double labels = double{losses.labels}, divergence = double{losses.divergence}, negative = double{losses.negative_entropy};
    Expectations all;
    for (const int64_t n : places(logits.rows)) {
        const int64_t label = static_cast<int64_t>(target.at(n));
        std::vector<int64_t> columns = places(logits.columns);
        columns.push_back(label);
        for (const int64_t v : columns) {
            const double ln = z(n, v) - log_sum.at(n), p = std::exp(ln), t = std::exp(other(n, v) - other_sum.at(n));
            const double entropic = negative * p * (ln - entropy.at(n)), own = (labels + divergence) * p;
            const double value = own - divergence * t - (v == label ? labels : 0) + entropic;
            all.push_back({"dlogits", logits, n, v, value, kFewUnits * (own + divergence * t + labels + std::abs(negative * p) * 32)});
        }
    }
    return all;
}

}  // namespace vaccine::bench
