// attention_decode against the definition in double.
#include <algorithm>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    std::vector<int32_t> lengths;
    int64_t capacity, heads, kv_heads, head_size, window;
    double cap = 0;
};

std::vector<Case> cases() {
    return {
        {{1}, 1, 1, 1, 16, 0},
        {{31, 32, 33}, 33, 4, 2, 16, 0},
        {{5, 100}, 128, 6, 1, 24, 0},
        {{7, 1, 300}, 300, 2, 2, 18, 0},
        {{40, 3}, 64, 2, 1, 64, 8},
        {{4}, 9, 1, 1, 256, 100},
        {{}, 8, 2, 1, 16, 0},
        {{257, 1}, 260, 8, 1, 128, 0},
        {{300}, 300, 3, 1, 96, 70},
        {{64, 65}, 65, 12, 1, 32, 0},
        {{33, 600}, 600, 4, 2, 256, 0},
        {{50}, 50, 2, 1, 300, 0},
        {{40}, 40, 4, 1, 22, 33},
        {{290}, 300, 2, 2, 128, 257},
        {{5, 100}, 128, 6, 1, 24, 0, 1},
        {{33, 600}, 600, 4, 2, 256, 0, 1},
    };
}

std::vector<double> reference(const Case& c, const std::vector<double>& q, const std::vector<double>& k, const std::vector<double>& v,
                              double scale) {
    std::vector<double> out(q.size(), 0);
    for (size_t s = 0; s < c.lengths.size(); ++s)
        for (int64_t h = 0; h < c.heads; ++h) {
            const int64_t length = c.lengths[s], low = c.window > 0 ? std::max<int64_t>(0, length - c.window) : 0;
            const size_t query = (s * c.heads + h) * c.head_size;
            const auto key = [&](int64_t j) { return ((s * c.capacity + j) * c.kv_heads + h / (c.heads / c.kv_heads)) * c.head_size; };
            double sum = 0;
            for (int64_t j = low; j < length; ++j) {
                double score = 0;
                for (int64_t d = 0; d < c.head_size; ++d) score += q[query + d] * k[key(j) + d];
                score *= scale;
                if (c.cap != 0) score = c.cap * std::tanh(score / c.cap);
                const double weight = std::exp(score);
                sum += weight;
                for (int64_t d = 0; d < c.head_size; ++d) out[query + d] += weight * v[key(j) + d];
            }
            for (int64_t d = 0; d < c.head_size; ++d) out[query + d] /= sum;
        }
    return out;
}

void run(const Case& c) {
    const int64_t B = static_cast<int64_t>(c.lengths.size());
    const ops::AttentionShape shape{
        c.heads, c.kv_heads, c.head_size, c.window, 2.0f / std::sqrt(static_cast<float>(c.head_size)), static_cast<float>(c.cap)};
    for (DType type : testing::activation_types())
        testing::on_every_machine([&](Machine& machine) {
            testing::Random random(13);
            Buffer q(machine, B, c.heads * c.head_size, type), out(machine, B, c.heads * c.head_size, type),
                lengths(machine, 1, B, c.lengths);
            Buffer k(machine, B * c.capacity, c.kv_heads * c.head_size, type), v(machine, B * c.capacity, c.kv_heads * c.head_size, type);
            for (Buffer* buffer : {&q, &k, &v}) buffer->fill(random);
            const auto want = reference(c, q.values(), k.values(), v.values(), static_cast<double>(shape.scale));
            // What lies behind a sample's positions is not read.
            auto stale = v.values();
            for (int64_t s = 0; s < B; ++s)
                std::fill(stale.begin() + (s * c.capacity + c.lengths[s]) * c.kv_heads * c.head_size,
                          stale.begin() + (s + 1) * c.capacity * c.kv_heads * c.head_size, std::nan(""));
            v.set(stale);
            ops::attention_decode(machine.stream(), q, k, v, lengths, c.capacity, shape, out);
            testing::near_all(out, want, testing::tolerance(type), "out");
            return testing::collect({&q, &k, &v, &out, &lengths});
        });
}

/// The bits of a sample depend on its own positions only: not on its neighbours, nor on the cache's size.
void independence() {
    Machine machine;
    const ops::AttentionShape shape{4, 2, 64, 0, 0.2f};
    const int64_t wide = 4 * 64, narrow = 2 * 64, length = 70;
    for (DType type : testing::activation_types()) {
        testing::Random random(21);
        Buffer q(machine, 1, wide, type), k(machine, length, narrow, type), v(machine, length, narrow, type), out(machine, 1, wide, type);
        for (Buffer* buffer : {&q, &k, &v}) buffer->fill(random);
        Buffer alone(machine, 1, 1, {70}), among(machine, 1, 3, {300, 70, 1});
        ops::attention_decode(machine.stream(), q, k, v, alone, length, shape, out);
        Buffer qs(machine, 3, wide, type), ks(machine, 3 * 300, narrow, type), vs(machine, 3 * 300, narrow, type),
            outs(machine, 3, wide, type);
        const auto put = [](Buffer& from, Buffer& to, int64_t at) {
            std::vector<double> values(static_cast<size_t>(to.count()), std::nan(""));
            const std::vector<double> inserted = from.values();
            std::copy(inserted.begin(), inserted.end(), values.begin() + at);
            to.set(values);
        };
        put(q, qs, wide);
        put(k, ks, 300 * narrow);
        put(v, vs, 300 * narrow);
        ops::attention_decode(machine.stream(), qs, ks, vs, among, 300, shape, outs);
        const std::vector<double> x = out.values(), y = outs.values();
        testing::check(std::equal(x.begin(), x.end(), y.begin() + wide), "out depends on the neighbours");
    }
}

void refusals() {
    Machine machine;
    Buffer q(machine, 1, 16), cache(machine, 4, 16), lengths(machine, 1, 1, {5});
    const ops::AttentionShape shape{1, 1, 16, 0, 1};
    testing::expect_refused([&] { ops::attention_decode(machine.stream(), q, cache, cache, lengths, 5, shape, q); },
                            {"attention_decode", "k_cache", "(5, 16)"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { ops::attention_decode(machine.stream(), q, cache, cache, lengths, 4, shape, q); },
                            {"attention_decode", "lengths"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("attention_decode", cases(), run, [](const Case& c) {
        return std::to_string(c.lengths.size()) + " samples, heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " x " +
               std::to_string(c.head_size) + ", window " + std::to_string(c.window) + (c.cap != 0 ? ", capped" : "");
    });
    return testing::run_all("attention_decode, rules", {{"independence", independence}, {"refusals", refusals}}) | failed;
}
