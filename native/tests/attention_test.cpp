// attention_forward and attention_backward against the definition in double and its derivatives.
#include <algorithm>
#include <numeric>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Bytes;
using testing::Machine;

namespace {

struct Case {
    std::vector<int32_t> lengths;
    int64_t heads, kv_heads, head_size, window;
    double cap = 0;
};

std::string name(const Case& k) {
    std::string text = "lengths";
    for (int32_t length : k.lengths) text += " " + std::to_string(length);
    return text + ", heads " + std::to_string(k.heads) + "/" + std::to_string(k.kv_heads) + " x " + std::to_string(k.head_size) +
           ", window " + std::to_string(k.window) + (k.cap != 0 ? ", capped" : "");
}

std::vector<Case> cases() {
    return {
        {{1}, 1, 1, 16, 0},
        {{31}, 2, 2, 16, 0},
        {{32}, 2, 1, 32, 0},
        {{33}, 1, 1, 64, 0},
        {{1, 1, 7, 0, 33, 2}, 4, 2, 16, 0},
        {{45, 129, 130}, 2, 1, 24, 0},
        {{300}, 2, 2, 16, 0},
        {{70, 3}, 3, 1, 18, 0},
        {{40}, 1, 1, 22, 0},
        {{20}, 1, 1, 128, 0},
        {{12}, 1, 1, 256, 0},
        {{1, 40, 150}, 2, 1, 16, 1},
        {{40, 150}, 2, 1, 16, 5},
        {{300}, 1, 1, 16, 33},
        {{300}, 2, 1, 16, 140},
        {{50}, 1, 1, 16, 1000},
        {{9, 40}, 2, 1, 300, 0},
        {{}, 2, 1, 16, 0},
        {{0}, 2, 1, 16, 0},
        {{1, 33, 70}, 4, 2, 16, 0, 1.0},
        {{40, 150}, 2, 1, 22, 5, 0.75},
        {{60, 3}, 2, 2, 48, 9},
        {{60, 3}, 2, 1, 48, 9, 1.0},
    };
}

/// Head sizes of the tensor-core kernels; lengths and windows around their tiles of 16, 32 and 64.
std::vector<Case> tensor_core_cases() {
    return {
        {{1, 0, 31, 64, 33}, 4, 2, 32, 0},
        {{130}, 2, 1, 32, 1},
        {{130, 32}, 4, 1, 32, 33},
        {{63, 65, 0, 32}, 4, 2, 64, 0},
        {{130}, 4, 1, 64, 0},
        {{65, 130}, 2, 1, 64, 5},
        {{200}, 1, 1, 64, 70},
        {{64, 65}, 4, 2, 96, 0},
        {{130}, 2, 1, 96, 33},
        {{1, 63, 130}, 4, 2, 128, 0},
        {{130, 32}, 4, 1, 128, 70},
        {{64}, 1, 1, 128, 1},
        {{0, 65}, 2, 1, 128, 5},
        {{33, 65, 1}, 2, 1, 256, 0},
        {{130}, 2, 1, 256, 70},
        {{64, 31}, 2, 2, 256, 5},
        {{1, 63, 130}, 4, 2, 128, 0, 1.0},
        {{130, 32}, 4, 1, 128, 70, 1.0},
        {{33, 65, 1}, 2, 1, 256, 0, 1.0},
        {{64, 31}, 2, 2, 256, 5, 1.0},
    };
}

struct Inputs {
    std::vector<double> q, k, v, dout;
};

struct Expected {
    std::vector<double> out, lse, dq, dk, dv;
};

double rounded(double value) {
    return static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>(value))));
}

/// By the textbook: S = scale q k^T (capped: S' = cap tanh(S / cap)), P = softmax(S), dS = P (dP - sum(P dP)) (times dS'/dS). `plain`: as
/// bf16 tensor cores have it, with P, dS and the results rounded to bf16, and the sum taken as dout.out; the rest in double.
Expected reference(const Case& c, const Inputs& in, double scale, bool plain = false) {
    const int64_t NH = c.heads, NKV = c.kv_heads, HD = c.head_size;
    const auto round = [plain](double value) { return plain ? rounded(value) : value; };
    Expected e;
    e.out.assign(in.q.size(), 0);
    e.dq = e.out;
    e.dk.assign(in.k.size(), 0);
    e.dv = e.dk;
    e.lse.assign(in.q.size() / static_cast<size_t>(HD), 0);
    int64_t first = 0;
    for (int32_t length : c.lengths) {
        for (int64_t i = 0; i < length; ++i) {
            for (int64_t h = 0; h < NH; ++h) {
                const size_t q = static_cast<size_t>((first + i) * NH + h) * HD;
                const auto key = [&](int64_t j) { return static_cast<size_t>((first + j) * NKV + h / (NH / NKV)) * HD; };
                const int64_t low = c.window > 0 ? std::max<int64_t>(0, i - c.window + 1) : 0;
                std::vector<double> p(static_cast<size_t>(i + 1), 0), dp = p, slope(p.size(), 1);
                double sum = 0, delta = 0;
                for (int64_t j = low; j <= i; ++j) {
                    double score = 0;
                    for (int64_t d = 0; d < HD; ++d) {
                        score += in.q[q + d] * in.k[key(j) + d];
                        dp[j] += in.dout[q + d] * in.v[key(j) + d];
                    }
                    score *= scale;
                    if (c.cap != 0) {
                        const double t = std::tanh(score / c.cap);
                        score = c.cap * t;
                        slope[j] = 1 - t * t;
                    }
                    sum += p[j] = std::exp(score);
                }
                e.lse[q / HD] = std::log(sum);
                for (int64_t j = low; j <= i; ++j) {
                    p[j] /= sum;
                    for (int64_t d = 0; d < HD; ++d) {
                        e.out[q + d] += round(p[j]) * in.v[key(j) + d];
                        e.dv[key(j) + d] += round(p[j]) * in.dout[q + d];
                    }
                }
                for (int64_t d = 0; d < HD; ++d) delta += in.dout[q + d] * (e.out[q + d] = round(e.out[q + d]));
                for (int64_t j = low; j <= i; ++j) {
                    const double ds = scale * round(p[j] * (dp[j] - delta) * slope[j]);
                    for (int64_t d = 0; d < HD; ++d) {
                        e.dq[q + d] += ds * in.k[key(j) + d];
                        e.dk[key(j) + d] += ds * in.q[q + d];
                    }
                }
            }
        }
        first += length;
    }
    for (auto* gradient : {&e.dq, &e.dk, &e.dv})
        for (double& value : *gradient) value = round(value);
    return e;
}

/// Fails unless `got` is near `want`. In bf16 the errors of P, dS and of the results are relative to terms that a sum may cancel: what is
/// allowed, as FlashAttention's own tests do, is twice the largest error of the textbook with the same roundings. The rest is the fp32 of
/// the scores and sums: the table's row.
void compare(Buffer& got, const std::vector<double>& want, const std::vector<double>& plain, const std::string& what) {
    testing::Tolerance allowed = testing::tolerance(DType::F32);
    double error = 0;
    for (size_t i = 0; i < want.size(); ++i) error = std::max(error, std::abs(plain[i] - want[i]));
    allowed.absolute += 2 * error;
    testing::near_all(got, want, allowed, what);
}

struct Tensors {
    Buffer q, k, v, dout, out, lse, dq, dk, dv, delta, offsets;

    Tensors(Machine& machine, const Case& c, int64_t T, DType type)
        : q(machine, T, c.heads * c.head_size, type),
          k(machine, T, c.kv_heads * c.head_size, type),
          v(machine, T, c.kv_heads * c.head_size, type),
          dout(machine, T, c.heads * c.head_size, type),
          out(machine, T, c.heads * c.head_size, type),
          lse(machine, T, c.heads),
          dq(machine, T, c.heads * c.head_size, type),
          dk(machine, T, c.kv_heads * c.head_size, type),
          dv(machine, T, c.kv_heads * c.head_size, type),
          delta(machine, T, c.heads),
          offsets(machine, 1, static_cast<int64_t>(c.lengths.size()) + 1, starts(c.lengths)) {}

    static std::vector<int32_t> starts(const std::vector<int32_t>& lengths) {
        std::vector<int32_t> result{0};
        for (int32_t length : lengths) result.push_back(result.back() + length);
        return result;
    }
    void fill(testing::Random& random) {
        for (Buffer* buffer : {&q, &k, &v, &dout}) buffer->fill(random, 1);
    }
    Inputs inputs() { return {q.values(), k.values(), v.values(), dout.values()}; }
    void run(Machine& machine, int64_t longest, const ops::AttentionShape& shape) {
        ops::attention_forward(machine.stream(), q, k, v, offsets, longest, shape, out, lse);
        ops::attention_backward(machine.stream(), dout, q, k, v, out, lse, offsets, longest, shape, dq, dk, dv, delta);
    }
    Bytes collect() { return testing::collect({&q, &k, &v, &dout, &out, &lse, &dq, &dk, &dv, &delta, &offsets}); }
};

ops::AttentionShape shape_of(const Case& c) {
    // Larger than 1/sqrt(HD), so that the probabilities differ widely.
    return {c.heads, c.kv_heads, c.head_size, c.window, 2.0f / std::sqrt(static_cast<float>(c.head_size)), static_cast<float>(c.cap)};
}

void run(const Case& c, const std::vector<DType>& types) {
    const int64_t T = std::accumulate(c.lengths.begin(), c.lengths.end(), int64_t{0});
    const int64_t longest = c.lengths.empty() ? 0 : *std::max_element(c.lengths.begin(), c.lengths.end());
    const ops::AttentionShape shape = shape_of(c);
    for (DType type : types) {
        testing::on_every_machine([&](Machine& machine) {
            testing::Random random(5);
            Tensors t(machine, c, T, type);
            t.fill(random);
            const double scale = static_cast<double>(shape.scale);
            const Expected want = reference(c, t.inputs(), scale);
            const Expected plain = type == DType::BF16 ? reference(c, t.inputs(), scale, true) : want;
            t.run(machine, longest, shape);
            compare(t.out, want.out, plain.out, "out");
            compare(t.lse, want.lse, plain.lse, "lse");
            compare(t.dq, want.dq, plain.dq, "dq");
            compare(t.dk, want.dk, plain.dk, "dk");
            compare(t.dv, want.dv, plain.dv, "dv");
            return t.collect();
        });
    }
}

/// A sample's results do not depend on its neighbours, whatever these hold.
void independence() {
    Machine machine;
    const Case alone{{77}, 2, 1, 32, 0}, among{{5, 77, 200}, 2, 1, 32, 0};
    for (DType type : testing::activation_types()) {
        Tensors a(machine, alone, 77, type), b(machine, among, 282, type);
        testing::Random random(9);
        a.fill(random);
        const auto put = [](Buffer& from, Buffer& to) {
            std::vector<double> values(static_cast<size_t>(to.count()), std::nan(""));
            const std::vector<double> inserted = from.values();
            std::copy(inserted.begin(), inserted.end(), values.begin() + 5 * to.view().columns);
            to.set(values);
        };
        put(a.q, b.q);
        put(a.k, b.k);
        put(a.v, b.v);
        put(a.dout, b.dout);
        a.run(machine, 77, shape_of(alone));
        b.run(machine, 200, shape_of(among));
        const auto same = [](Buffer& one, Buffer& other, const char* what) {
            const std::vector<double> x = one.values(), y = other.values();
            testing::check(std::equal(x.begin(), x.end(), y.begin() + 5 * other.view().columns),
                           std::string(what) + " depends on the neighbours");
        };
        same(a.out, b.out, "out");
        same(a.dq, b.dq, "dq");
        same(a.dk, b.dk, "dk");
        same(a.dv, b.dv, "dv");
    }
}

/// The reference above differentiates by hand: hold one of its gradients against finite differences.
void reference_is_right(double cap) {
    const Case c{{6, 3}, 2, 1, 4, 4, cap};
    testing::Random random(3);
    const auto draw = [&](size_t n) {
        std::vector<double> values(n);
        for (double& value : values) value = random.value();
        return values;
    };
    const Inputs in{draw(72), draw(36), draw(36), draw(72)};
    const double scale = 0.7;
    const Expected e = reference(c, in, scale);
    const auto objective = [&](const Inputs& at) {
        const std::vector<double> out = reference(c, at, scale).out;
        return std::inner_product(out.begin(), out.end(), in.dout.begin(), 0.0);
    };
    const auto compare = [&](std::vector<double> Inputs::*member, const std::vector<double>& gradient, const char* what) {
        for (size_t i = 0; i < gradient.size(); i += 5) {
            const double numeric = testing::derivative(
                [&](const std::vector<double>& values) {
                    Inputs at = in;
                    at.*member = values;
                    return objective(at);
                },
                in.*member, i);
            testing::near(gradient[i], numeric, {1e-8, 1e-7}, what, 0, static_cast<int64_t>(i));
        }
    };
    compare(&Inputs::q, e.dq, "dq");
    compare(&Inputs::k, e.dk, "dk");
    compare(&Inputs::v, e.dv, "dv");
}

void refusals() {
    Machine machine;
    const Case c{{4}, 2, 1, 16, 0};
    Tensors t(machine, c, 4, DType::F32);
    Buffer narrow(machine, 4, 15);
    const auto forward = [&](View k, int64_t longest) {
        ops::attention_forward(machine.stream(), t.q, k, t.v, t.offsets, longest, shape_of(c), t.out, t.lse);
    };
    testing::expect_refused([&] { forward(narrow, 4); }, {"attention_forward", "k", "(4, 16)", "(4, 15)"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { forward(t.k, 3); }, {"attention_forward", "offsets"});
#endif
}

}  // namespace

int main() {
#ifdef VACCINE_TEST_CUDA
    const std::vector<DType> on_tensor_cores = {DType::BF16};
#else
    const std::vector<DType> on_tensor_cores = testing::activation_types();
#endif
    const auto with = [](const std::vector<DType>& types) { return [types](const Case& c) { run(c, types); }; };
    int failed = testing::run_all("attention", cases(), with(testing::activation_types()), name);
    failed |= testing::run_all("attention, tensor-core sizes", tensor_core_cases(), with(on_tensor_cores), name);
    return testing::run_all("attention rules", {{"independence", independence},
                                                {"reference", [] { reference_is_right(0); }},
                                                {"reference, capped", [] { reference_is_right(0.5); }},
                                                {"refusals", refusals}}) |
           failed;
}
