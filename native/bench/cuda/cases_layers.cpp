// Everything but the linear layers.
#include "cases.h"

#include <algorithm>
#include <cmath>

#include "references.h"

namespace vaccine::bench {
namespace {

constexpr DType kActivation = DType::BF16;

double size(const View& view) {
    return static_cast<double>(view.bytes());
}

std::vector<int32_t> counting(int64_t n, int64_t modulus, int64_t step = 1) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<int32_t>(i * step % modulus));
    return values;
}

}  // namespace

void Cases::add_norms() {
    const auto define = [this](const char* name, double passes, auto call, auto gives) {
        definitions_.push_back({name, [this, passes, call, gives] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    const View w = numbers(1, model_.C, DType::F32);
                                    for (int i = 0; i < copies_; ++i) {
                                        const View x = numbers(rows_, model_.C, kActivation), y = numbers(rows_, model_.C, kActivation);
                                        const View z = numbers(rows_, model_.C, kActivation), rstd = numbers(1, rows_, DType::F32);
                                        c.bytes = c.bytes_of_rows = passes * size(x) + size(rstd);
                                        c.add([this, call, x, y, z, w, rstd] { call(stream(), x, y, z, w, rstd); },
                                              [=] { return gives(device_, x, y, z, w, rstd); });
                                    }
                                    return c;
                                }});
    };
    define(
        "rmsnorm forward", 2,
        [](Stream& s, View x, View y, View, View w, View rstd) {
            ops::rmsnorm_forward(s, x, {w, 0}, 1e-5f, y, rstd);
        },
        [](Device& d, View x, View y, View, View w, View rstd) { return rmsnorm_forward_gives(d, x, w, 1e-5, y, rstd); });
    define(
        "rmsnorm backward + residual", 4,
        [](Stream& s, View x, View y, View z, View w, View rstd) {
            ops::rmsnorm_backward(s, x, y, {w, 0}, rstd, z, {});
        },
        [](Device& d, View x, View y, View z, View w, View rstd) { return rmsnorm_backward_gives(d, x, y, w, rstd, z); });
}

void Cases::add_activations() {
    const auto wide = [this](const char* name, double passes, auto call, auto gives) {
        definitions_.push_back({name, [this, passes, call, gives] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    for (int i = 0; i < copies_; ++i) {
                                        const View gate = numbers(rows_, model_.F, kActivation), up = numbers(rows_, model_.F, kActivation);
                                        const View out = numbers(rows_, model_.F, kActivation);
                                        c.bytes = c.bytes_of_rows = passes * size(gate);
                                        c.add([this, call, gate, up, out] { call(stream(), gate, up, out); },
                                              [=] { return gives(device_, gate, up, out); });
                                    }
                                    return c;
                                }});
    };
    wide(
        "swiglu forward", 3, [](Stream& s, View gate, View up, View out) { ops::glu_forward(s, ops::Activation::Silu, gate, up, out); },
        [](Device& d, View gate, View up, View out) { return swiglu_forward_gives(d, gate, up, out); });
    wide(
        "swiglu backward", 5, [](Stream& s, View gate, View up, View out) { ops::glu_backward(s, ops::Activation::Silu, out, gate, up); },
        [](Device& d, View gate, View up, View out) { return swiglu_backward_gives(d, out, gate, up); });
    definitions_.push_back(
        {"rope", [this] {
             Case c;
             c.rows = static_cast<double>(rows_);
             const View cosine = numbers(rows_, model_.head_size / 2, DType::F32);
             const View sine = numbers(rows_, model_.head_size / 2, DType::F32);
             const View positions = integers(counting(rows_, rows_));
             for (int i = 0; i < copies_; ++i) {
                 const View x = numbers(rows_, model_.C, kActivation);
                 c.bytes = c.bytes_of_rows = 2 * size(x) + 2 * size(cosine);
                 c.add([this, x, positions, cosine, sine] { ops::rope_forward(stream(), x, positions, cosine, sine, model_.head_size); },
                       [=] { return rope_gives(device_, x, positions, cosine, sine, model_.head_size); });
             }
             return c;
         }});
    definitions_.push_back({"embedding forward", [this] {
                                Case c;
                                c.rows = static_cast<double>(rows_);
                                const View table = numbers(model_.V, model_.C, DType::BF16),
                                           tokens = integers(counting(rows_, model_.V, 31));
                                for (int i = 0; i < copies_; ++i) {
                                    const View x = numbers(rows_, model_.C, kActivation);
                                    c.bytes = c.bytes_of_rows = 2 * size(x);
                                    c.add([this, table, tokens, x] { ops::embedding_forward(stream(), tokens, table, 1, x); },
                                          [=] { return embedding_gives(device_, table, tokens, x); });
                                }
                                return c;
                            }});
}

/// Samples of about 200 tokens, as an alignment batch has; one at least, for what attention costs grows with their length.
void Cases::add_attention() {
    struct Set {
        View q, k, v, out, lse, dout, dq, dk, dv, delta;
    };
    const int64_t samples = std::max<int64_t>(1, rows_ / 200), length = std::max<int64_t>(rows_ / samples, 200), T = samples * length;
    const double pairs = static_cast<double>(samples) * static_cast<double>(length) * static_cast<double>(length + 1) / 2;
    const double product = 2 * pairs * static_cast<double>(model_.heads * model_.head_size);
    const auto define = [=](const char* name, double passes, double products, auto call, auto gives) {
        definitions_.push_back({name, [=] {
                                    Case c;
                                    c.rows = static_cast<double>(T);
                                    c.flops = products * product;
                                    const View offsets = integers(counting(samples + 1, T + 1, length));
                                    const ops::AttentionShape shape{model_.heads, model_.kv_heads, model_.head_size, 0,
                                                                    1 / std::sqrt(static_cast<float>(model_.head_size))};
                                    for (int i = 0; i < copies_; ++i) {
                                        Set s;
                                        for (View* view : {&s.q, &s.out, &s.dout, &s.dq})
                                            *view = numbers(T, model_.heads * model_.head_size, kActivation);
                                        for (View* view : {&s.k, &s.v, &s.dk, &s.dv})
                                            *view = numbers(T, model_.kv_heads * model_.head_size, kActivation);
                                        for (View* view : {&s.lse, &s.delta}) *view = numbers(T, model_.heads, DType::F32);
                                        c.bytes = c.bytes_of_rows = passes * size(s.q) + size(s.lse);
                                        c.add([=] { call(stream(), s, offsets, length, shape); },
                                              [=] { return gives(device_, s, length, shape); });
                                    }
                                    return c;
                                }});
    };
    define(
        "attention forward", 4, 2,
        [](Stream& stream, const Set& s, View offsets, int64_t longest, const ops::AttentionShape& shape) {
            ops::attention_forward(stream, s.q, s.k, s.v, offsets, longest, shape, s.out, s.lse);
        },
        [](Device& device, const Set& s, int64_t longest, const ops::AttentionShape& shape) {
            return attention_forward_gives(device, s.q, s.k, s.v, longest, shape, s.out, s.lse);
        });
    define(
        "attention backward", 8, 5,
        [](Stream& stream, const Set& s, View offsets, int64_t longest, const ops::AttentionShape& shape) {
            ops::attention_backward(stream, s.dout, s.q, s.k, s.v, s.out, s.lse, offsets, longest, shape, s.dq, s.dk, s.dv, s.delta);
        },
        [](Device& device, const Set& s, int64_t longest, const ops::AttentionShape& shape) {
            return attention_backward_gives(device, {s.dout, s.q, s.k, s.v, s.out, s.lse, s.dq, s.dk, s.dv}, longest, shape);
        });
    definitions_.push_back({"attention decode, 8 x 256", [this] {
                                Case c;
                                constexpr int64_t kSamples = 8, kPositions = 256;
                                c.rows = kSamples;
                                const ops::AttentionShape shape{model_.heads, model_.kv_heads, model_.head_size, 0, 0.088f};
                                const View lengths = integers(std::vector<int32_t>(kSamples, kPositions));
                                for (int i = 0; i < copies_; ++i) {
                                    const View q = numbers(kSamples, model_.C, kActivation), out = numbers(kSamples, model_.C, kActivation);
                                    const View k = numbers(kSamples * kPositions, model_.C, kActivation);
                                    const View v = numbers(kSamples * kPositions, model_.C, kActivation);
                                    c.bytes = c.bytes_of_rows = 2 * size(k) + 2 * size(q);
                                    c.add([=] { ops::attention_decode(stream(), q, k, v, lengths, kPositions, shape, out); },
                                          [=] { return attention_decode_gives(device_, q, k, v, kPositions, shape, out); });
                                }
                                return c;
                            }});
}

void Cases::add_loss() {
    const auto define = [this](const char* name, double passes, auto call, auto gives) {
        definitions_.push_back({name, [this, passes, call, gives] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    const View targets = integers(counting(rows_, model_.V, 7));
                                    const View loss = numbers(1, rows_, DType::F32), lse = numbers(1, rows_, DType::F32);
                                    for (int i = 0; i < copies_; ++i) {
                                        const View logits = numbers(rows_, model_.V, DType::F32);
                                        c.bytes = c.bytes_of_rows = passes * size(logits);
                                        c.add([=] { call(stream(), logits, targets, loss, lse); },
                                              [=] { return gives(device_, logits, targets, loss, lse); });
                                    }
                                    return c;
                                }});
    };
    define(
        "cross entropy forward", 1,
        [](Stream& s, View logits, View targets, View loss, View lse) { ops::cross_entropy_forward(s, logits, targets, loss, lse); },
        [](Device& d, View logits, View targets, View loss, View lse) {
            return cross_entropy_forward_gives(d, logits, targets, loss, lse);
        });
    define(
        "cross entropy backward", 2,
        [](Stream& s, View logits, View targets, View, View lse) { ops::cross_entropy_backward(s, logits, targets, lse, 0.5f, 0); },
        [](Device& d, View logits, View targets, View, View lse) { return cross_entropy_backward_gives(d, logits, targets, lse, 0.5); });
}

/// Losses that compare whole distributions.
void Cases::add_weighted_losses() {
    struct Set {
        View logits, loss, lse;
        ops::WeightedLosses losses;
    };
    const auto define = [this](const char* name, double passes, auto call, auto gives) {
        definitions_.push_back(
            {name, [this, passes, call, gives] {
                 Case c;
                 c.rows = static_cast<double>(rows_);
                 const View targets = integers(counting(rows_, model_.V, 7));
                 for (int i = 0; i < copies_; ++i) {
                     Set s;
                     s.logits = numbers(rows_, model_.V, DType::F32);
                     s.loss = numbers(1, rows_, DType::F32);
                     s.lse = numbers(1, rows_, DType::F32);
                     s.losses = {0.5f, targets, 0.25f, numbers(rows_, model_.V, DType::F32), numbers(1, rows_, DType::F32), 0.125f, s.loss};
                     c.bytes = c.bytes_of_rows = passes * size(s.logits);
                     c.add([=] { call(stream(), s); }, [=] { return gives(device_, s); });
                 }
                 return c;
             }});
    };
    define(
        "divergence forward", 2,
        [](Stream& stream, const Set& s) {
            ops::divergence_forward(stream, s.logits, s.losses.teacher, s.loss, s.lse, s.losses.teacher_lse);
        },
        [](Device& d, const Set& s) { return divergence_forward_gives(d, s.logits, s.losses.teacher, s.loss); });
    define(
        "negative entropy forward", 1, [](Stream& stream, const Set& s) { ops::negative_entropy_forward(stream, s.logits, s.loss, s.lse); },
        [](Device& d, const Set& s) { return negative_entropy_forward_gives(d, s.logits, s.loss); });
    define(
        "weighted losses backward", 3,
        [](Stream& stream, const Set& s) { ops::weighted_losses_backward(stream, s.logits, s.lse, s.losses, 0); },
        [](Device& d, const Set& s) { return weighted_losses_backward_gives(d, s.logits, s.lse, s.losses); });
}

}  // namespace vaccine::bench
