// Slack: probabilities, and the gradients of scores, are rounded to bf16 before they are multiplied; an error of a score, an fp32 sum over
// the head, is one of the probability, relative.
#include <algorithm>

#include "references.h"

namespace vaccine::bench {
namespace {

/// One query of a head and the keys that it sees.
struct Query {
    std::vector<double> score;  // scaled
    double largest = -INFINITY, error = 0;

    double probability(size_t j, double lse) const { return std::exp(score[j] - lse); }
    double lse() const {
        double sum = 0;
        for (const double s : score) sum += std::exp(s - largest);
        return largest + std::log(sum);
    }
    /// Of a sum over the probabilities, by its terms' sizes.
    double slack() const { return kHalfError + 2 * error + sum_error(static_cast<int64_t>(score.size())); }
};

struct Head {
    int64_t q, k, size;  // first columns
    Head(const ops::AttentionShape& shape, int64_t head)
        : q(head * shape.head_size), k(head / (shape.heads / shape.kv_heads) * shape.head_size), size(shape.head_size) {}
};

Query query_of(const Copy& q, const Copy& k, const Head& head, float scale, int64_t t, int64_t first, int64_t end) {
    Query query;
    for (int64_t j = first; j < end; ++j) {
        Sum dot;
        for (int64_t d = 0; d < head.size; ++d) dot.add(q(t, head.q + d) * k(j, head.k + d));
        query.score.push_back(static_cast<double>(scale) * dot.value);
        query.largest = std::max(query.largest, query.score.back());
        query.error = std::max(query.error, static_cast<double>(scale) * dot.size * sum_error(head.size));
    }
    return query;
}

void add_outputs(Expectations& all, const Query& query, const Copy& v, const Head& head, int64_t first, const View& out, int64_t t) {
    const double lse = query.lse();
    for (const int64_t d : places(head.size)) {
        Sum sum;
        for (size_t j = 0; j < query.score.size(); ++j) sum.add(query.probability(j, lse) * v(first + static_cast<int64_t>(j), head.k + d));
        all.push_back({"out", out, t, head.q + d, sum.value, query.slack() * sum.size});
    }
}

}  // namespace

Expectations attention_forward_gives(Device& device, View q, View k, View v, int64_t length, const ops::AttentionShape& shape, View out,
                                     View lse) {
    const Copy queries(device, q), keys(device, k), values(device, v);
    Expectations all;
    for (const int64_t t : places(q.rows))
        for (const int64_t h : places(shape.heads)) {
            const Head head(shape, h);
            const int64_t first = t / length * length;
            const Query query = query_of(queries, keys, head, shape.scale, t, first, t + 1);
            add_outputs(all, query, values, head, first, out, t);
            all.push_back({"lse", lse, t, h, query.lse(), query.error + 1e-5});
        }
    return all;
}

Expectations attention_decode_gives(Device& device, View q, View k, View v, int64_t positions, const ops::AttentionShape& shape, View out) {
    const Copy queries(device, q), keys(device, k), values(device, v);
    Expectations all;
    for (const int64_t s : places(q.rows))
        for (const int64_t h : places(shape.heads)) {
            const Head head(shape, h);
            const int64_t first = s * positions;
            const Query query = query_of(queries, keys, head, shape.scale, s, first, first + positions);
            add_outputs(all, query, values, head, first, out, s);
        }
    return all;
}

namespace {

/// The inputs of attention_backward. lse and out are taken as they are: the formulas hold for any.
struct Backward {
    const Copy dout, q, k, v, out, lse;
    const ops::AttentionShape shape;
    const int64_t length;

    Backward(Device& device, const AttentionGradients& views, int64_t sample_length, const ops::AttentionShape& its_shape)
        : dout(device, views.dout),
          q(device, views.q),
          k(device, views.k),
          v(device, views.v),
          out(device, views.out),
          lse(device, views.lse),
          shape(its_shape),
          length(sample_length) {}

    double probability(const Head& head, int64_t h, int64_t t, int64_t j) const {
        return query_of(q, k, head, shape.scale, t, j, j + 1).probability(0, lse(t, h));
    }
    /// P (dout . v - delta), the gradient of a score; its size counts the terms'.
    Sum score_gradient(const Head& head, double probability, int64_t t, int64_t j) const {
        Sum sum;
        for (int64_t d = 0; d < head.size; ++d) {
            sum.add(probability * dout(t, head.q + d) * v(j, head.k + d));
            sum.add(-probability * dout(t, head.q + d) * out(t, head.q + d));
        }
        return sum;
    }
    /// Rounding of the score's gradient, and the errors of the two sums over the head that it is made of.
    double slack(const Sum& gradient, double right) const {
        return (kHalfError * std::abs(gradient.value) + 4 * sum_error(shape.head_size) * gradient.size) * std::abs(right);
    }
};

struct Gradient {
    double value = 0, slack = 0;
};

}  // namespace

Expectations attention_backward_gives(Device& device, const AttentionGradients& views, int64_t length, const ops::AttentionShape& shape) {
    const Backward b(device, views, length, shape);
    const double scale = static_cast<double>(shape.scale);
    Expectations all;
    for (const int64_t row : places(views.q.rows))
        for (const int64_t h : places(shape.heads)) {  // as many heads of keys: an op with fewer needs another reference
            const Head head(shape, h);
            const std::vector<int64_t> columns = places(head.size);
            std::vector<Gradient> dq(columns.size()), dk(columns.size()), dv(columns.size());
            const int64_t first = row / length * length;
            for (int64_t j = first; j < first + length; ++j) {
                const int64_t query = std::max(row, j), key = std::min(row, j);
                const double p = b.probability(head, h, query, key);
                const Sum ds = b.score_gradient(head, p, query, key);
                for (size_t c = 0; c < columns.size(); ++c) {
                    const int64_t at = head.q + columns[c];
                    if (j <= row) {
                        dq[c].value += scale * ds.value * b.k(j, at);
                        dq[c].slack += scale * b.slack(ds, b.k(j, at));
                    }
                    if (j >= row) {
                        dk[c].value += scale * ds.value * b.q(j, at);
                        dk[c].slack += scale * b.slack(ds, b.q(j, at));
                        dv[c].value += p * b.dout(j, at);
                        dv[c].slack += (kHalfError + 4 * sum_error(head.size)) * p * std::abs(b.dout(j, at));
                    }
                }
            }
            for (size_t c = 0; c < columns.size(); ++c) {
                const int64_t at = head.q + columns[c];
                all.push_back({"dq", views.dq, row, at, dq[c].value, dq[c].slack});
                all.push_back({"dk", views.dk, row, at, dk[c].value, dk[c].slack});
                all.push_back({"dv", views.dv, row, at, dv[c].value, dv[c].slack});
            }
        }
    return all;
}

}  // namespace vaccine::bench
