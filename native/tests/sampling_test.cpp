// argmax_rows and sample_rows.
#include <algorithm>
#include <limits>
#include <numeric>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

void argmax(int64_t V) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        testing::Random random(14);
        const int64_t N = 33;
        Buffer logits(machine, N, V), out(machine, 1, N, DType::I32);
        logits.fill(random);
        auto values = logits.values();
        std::vector<double> want;
        for (int64_t n = 0; n < N; ++n) {
            // The largest twice: the first counts.
            const int64_t first = random.below(V), second = std::min(V - 1, first + 1 + random.below(V));
            values[n * V + first] = values[n * V + second] = 2;
            want.push_back(static_cast<double>(first));
        }
        logits.set(values);
        ops::argmax_rows(machine.stream(), logits, out);
        testing::near_all(out, want, {0, 0}, "out");
        return testing::collect({&logits, &out});
    });
}

struct Case {
    const char* name;
    float temperature;
    int32_t top_k;
    float top_p;
    std::vector<double> probabilities;
};

// Of softmax(log of {0.1, 0.4, 0.2, 0, 0.3}), or of its square root's where the temperature is 2.
const std::vector<double> kProbabilities{0.1, 0.4, 0.2, 0, 0.3};

std::vector<double> normalised(std::vector<double> weights) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (double& weight : weights) weight /= sum;
    return weights;
}

std::vector<Case> cases() {
    return {
        {"all", 1, 0, 1, kProbabilities},
        {"temperature", 2, 0, 1, normalised({std::sqrt(0.1), std::sqrt(0.4), std::sqrt(0.2), 0, std::sqrt(0.3)})},
        {"top_k=1", 1, 1, 1, {0, 1, 0, 0, 0}},
        {"top_k=2", 1, 2, 1, normalised({0, 0.4, 0, 0, 0.3})},
        {"top_k larger than V", 1, 50, 1, kProbabilities},
        {"top_p=0.4 less a little", 1, 0, 0.399f, {0, 1, 0, 0, 0}},
        {"top_p=0.65", 1, 0, 0.65f, normalised({0, 0.4, 0, 0, 0.3})},
        {"top_p=0.75", 1, 0, 0.75f, normalised({0, 0.4, 0.2, 0, 0.3})},
        {"top_p after top_k", 1, 3, 0.75f, normalised({0, 0.4, 0, 0, 0.3})},
    };
}

/// Many equal rows, each with its own word: the word alone decides, so that the shares follow from the words exactly, and over many
/// rows they are the probabilities within five standard errors.
void distribution(const Case& k) {
#ifdef VACCINE_TEST_CUDA
    constexpr int64_t N = 1000;  // a warp for each: slow where there is no GPU
#else
    constexpr int64_t N = 20000;
#endif
    const RandomKey key{99, 3, random_purpose(RandomUse::Sampling, 0, 0, 0)};
    testing::on_every_machine([&](Machine& machine) {
        const int64_t V = 5;
        Buffer logits(machine, N, V), out(machine, 1, N, DType::I32);
        std::vector<double> values;
        for (int64_t n = 0; n < N; ++n)
            for (double p : kProbabilities) values.push_back(3 + std::log(p));
        logits.set(values);
        ops::sample_rows(machine.stream(), logits, k.temperature, k.top_k, k.top_p, key, out);
        const auto drawn = out.values();
        std::vector<double> count(static_cast<size_t>(V), 0);
        for (double index : drawn) {
            testing::check(index >= 0 && index < V, "an index out of range was drawn");
            ++count[static_cast<size_t>(index)];
        }
        for (size_t v = 0; v < count.size(); ++v) {
            const double p = k.probabilities[v], error = 5 * std::sqrt(p * (1 - p) / N);
            testing::near(count[v] / N, p, {error, 0}, "share", 0, static_cast<int64_t>(v));
        }
        // Each choice is an interval of the uniform number: no number of one lies between two of another.
        std::vector<double> least(static_cast<size_t>(V), 1), most(static_cast<size_t>(V), 0);
        for (int64_t n = 0; n < N; ++n) {
            const auto v = static_cast<size_t>(drawn[n]);
            const double u = static_cast<double>(random_uniform(random_block(key, static_cast<uint64_t>(n / 4)).word[n % 4]));
            least[v] = std::min(least[v], u);
            most[v] = std::max(most[v], u);
        }
        for (size_t v = 0; v < count.size(); ++v) {
            if (count[v] == 0) continue;
            const double width = most[v] - least[v], p = k.probabilities[v];
            testing::check(width <= p + 1e-6 && width >= p - 0.01, "the numbers that draw an index do not span its probability");
        }
        return testing::collect({&logits, &out});
    });
}

/// What sample_rows is to draw from a row, by sorting.
int64_t by_sorting(const std::vector<double>& logits, const Case& k, float uniform) {
    const double most = *std::max_element(logits.begin(), logits.end());
    std::vector<size_t> order(logits.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const bool by_rank = k.top_k > 0 && k.top_k < static_cast<int32_t>(logits.size()), by_mass = k.top_p < 1;
    if (by_rank || by_mass) std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    if (by_rank) order.resize(static_cast<size_t>(k.top_k));
    std::vector<double> reached;  // the sum of weights, up to and with each candidate
    for (size_t v : order)
        reached.push_back((reached.empty() ? 0 : reached.back()) + std::exp((logits[v] - most) / static_cast<double>(k.temperature)));
    if (by_mass) {
        const double enough = static_cast<double>(k.top_p) * reached.back();
        reached.resize(static_cast<size_t>(std::lower_bound(reached.begin(), reached.end(), enough) - reached.begin()) + 1);
    }
    const double wanted = static_cast<double>(uniform) * reached.back();
    return static_cast<int64_t>(order[static_cast<size_t>(std::upper_bound(reached.begin(), reached.end(), wanted) - reached.begin())]);
}

/// Row by row what sorting gives: many columns, few different logits (so that many are equal) or many.
void agrees_with_sorting(const Case& k) {
    const RandomKey key{5, 6, 7};
    for (int64_t V : {1, 33, 90, 150, 1024, 1500})
        for (int64_t different : {int64_t{7}, int64_t{1} << 20})
            testing::on_every_machine_and_alignment([&](Machine& machine) {
                const int64_t N = V > 1000 ? 3 : 20;
                testing::Random random(16);
                std::vector<double> values;
                for (int64_t i = 0; i < N * V; ++i)
                    values.push_back(6 * static_cast<double>(random.below(different)) / static_cast<double>(different) - 3);
                Buffer logits(machine, N, V), out(machine, 1, N, DType::I32);
                logits.set(values);
                const auto rounded = logits.values();
                std::vector<double> want;
                for (int64_t n = 0; n < N; ++n) {
                    const float uniform = random_uniform(random_block(key, static_cast<uint64_t>(n / 4)).word[n % 4]);
                    want.push_back(static_cast<double>(by_sorting({rounded.begin() + n * V, rounded.begin() + (n + 1) * V}, k, uniform)));
                }
                ops::sample_rows(machine.stream(), logits, k.temperature, k.top_k, k.top_p, key, out);
                testing::near_all(out, want, {0, 0}, "out, V=" + std::to_string(V));
                return testing::collect({&logits, &out});
            });
}

/// The two that top_k leaves are found wherever they lie, each once: one twice would draw the rare second far too often.
void every_place() {
    constexpr int64_t V = 150;
    const Case two{"top_k=2", 1, 2, 1, {}};
    for (uint64_t seed : {1, 2, 3, 4})
        testing::on_every_machine([&](Machine& machine) {
            const RandomKey key{seed, 0, 0};
            std::vector<double> values(V * V, -40.0), want;
            for (int64_t n = 0; n < V; ++n) {
                values[static_cast<size_t>(n * V + (7 * n + 3) % V)] = -5;
                values[static_cast<size_t>(n * V + n)] = 0;
                const float uniform = random_uniform(random_block(key, static_cast<uint64_t>(n / 4)).word[n % 4]);
                want.push_back(static_cast<double>(by_sorting({values.begin() + n * V, values.begin() + (n + 1) * V}, two, uniform)));
            }
            Buffer logits(machine, V, V), out(machine, 1, V, DType::I32);
            logits.set(values);
            ops::sample_rows(machine.stream(), logits, two.temperature, two.top_k, two.top_p, key, out);
            testing::near_all(out, want, {0, 0}, "out");
            return testing::collect({&logits, &out});
        });
}

/// The rows' lists lie one behind another and may be empty; what they do not name keeps its bits.
void penalty() {
    for (int64_t V : {1, 31, 33, 1500})
        for (float by : {1.3f, 0.5f})
            testing::on_every_machine_and_alignment([&](Machine& machine) {
                testing::Random random(17);
                const int64_t N = 5;
                Buffer logits(machine, N, V);
                logits.fill(random, 4);
                std::vector<double> want = logits.values();
                std::vector<int32_t> tokens, offsets{0};
                for (int64_t n = 0; n < N; ++n) {
                    for (int64_t v = 0; v < V && n != 2; ++v) {
                        if (random.below(n + 1) != 0) continue;
                        tokens.push_back(static_cast<int32_t>(v));
                        const auto logit = static_cast<float>(want[static_cast<size_t>(n * V + v)]);
                        want[static_cast<size_t>(n * V + v)] = static_cast<double>(logit < 0 ? logit * by : logit / by);
                    }
                    std::reverse(tokens.begin() + offsets.back(), tokens.end());  // any order
                    offsets.push_back(static_cast<int32_t>(tokens.size()));
                }
                Buffer list(machine, 1, static_cast<int64_t>(tokens.size()), tokens), place(machine, 1, N + 1, offsets);
                ops::penalize_repetition(machine.stream(), logits, list, place, by);
                testing::near_all(logits, want, {0, 0}, "logits, V=" + std::to_string(V));
                return testing::collect({&logits, &list, &place});
            });
}

/// A row's draw depends on its own logits and its place in the sequence only.
void rows_are_independent() {
    Machine machine;
    testing::Random random(15);
    const RandomKey key{1, 2, 3};
    Buffer logits(machine, 9, 100), together(machine, 1, 9, DType::I32), alone(machine, 1, 9, DType::I32);
    logits.fill(random);
    ops::sample_rows(machine.stream(), logits, 1, 20, 0.9f, key, together);
    for (int64_t n = 0; n < 9; ++n)
        ops::sample_rows(machine.stream(), logits.view().rows_from(0, n + 1), 1, 20, 0.9f, key, alone.view().slice(0, n + 1));
    testing::check(together.bytes() == alone.bytes(), "a draw depends on later rows");
}

/// A number that falls exactly between two candidates draws the one after it.
void boundary() {
    constexpr int64_t V = 1024;
    RandomKey key;
    uint32_t word = 0;
    do {  // until the uniform number is a multiple of 1 / V
        ++key.seed;
        word = random_block(key, 0).word[0] >> 8;
    } while (word == 0 || word % ((1 << 24) / V) != 0);
    testing::on_every_machine([&](Machine& machine) {
        Buffer logits(machine, 1, V), out(machine, 1, 1, DType::I32);
        logits.fill_with(1.5);
        ops::sample_rows(machine.stream(), logits, 1, 0, 1, key, out);
        testing::near(out.values()[0], word / ((1 << 24) / V), {0, 0}, "out");
        return testing::collect({&logits, &out});
    });
}

/// Zeros of both signs are equal: the first counts.
void zeros() {
    testing::on_every_machine([](Machine& machine) {
        Buffer logits(machine, 2, 2), out(machine, 1, 2, DType::I32);
        logits.set({-0.0, 0.0, 0.0, -0.0});
        ops::argmax_rows(machine.stream(), logits, out);
        testing::near_all(out, {0, 0}, {0, 0}, "argmax");
        ops::sample_rows(machine.stream(), logits, 1, 1, 1, {1, 2, 3}, out);
        testing::near_all(out, {0, 0}, {0, 0}, "sampled");
        return testing::collect({&logits, &out});
    });
}

/// Whatever a broken model gives, an index of a row comes out, and never that of a NaN or of what is masked.
void not_numbers() {
    testing::on_every_machine([](Machine& machine) {
        const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
        Buffer logits(machine, 3, 40), out(machine, 1, 3, DType::I32);
        std::vector<double> values(120, nan);
        values[40 + 7] = 1;
        for (size_t i = 80; i < 120; ++i) values[i] = i == 99 ? infinity : i % 2 == 0 ? -infinity : nan;
        logits.set(values);
        ops::sample_rows(machine.stream(), logits, 1, 20, 0.9f, {1, 2, 3}, out);
        const auto drawn = out.values();
        testing::check(drawn[0] >= 0 && drawn[0] < 40, "a row of NaN gives no index");
        testing::check(drawn[1] == 7, "the only number is not drawn");
        testing::check(drawn[2] == 19, "the infinite logit is not drawn");
        return testing::collect({&logits, &out});
    });
}

void refusals() {
    Machine machine;
    Buffer logits(machine, 2, 3), out(machine, 1, 2, DType::I32), numbers(machine, 1, 2);
    const auto sample = [&](float temperature, int32_t top_k, float top_p) {
        ops::sample_rows(machine.stream(), logits, temperature, top_k, top_p, {}, out);
    };
    testing::expect_refused([&] { sample(0, 0, 1); }, {"sample_rows", "temperature"});
    testing::expect_refused([&] { sample(1, -1, 1); }, {"sample_rows", "top_k"});
    testing::expect_refused([&] { sample(1, 0, 0); }, {"sample_rows", "top_p"});
    Buffer tokens(machine, 1, 2, {0, 2}), offsets(machine, 1, 3, {0, 1, 2});
    testing::expect_refused([&] { ops::penalize_repetition(machine.stream(), logits, tokens, offsets, 0); },
                            {"penalize_repetition", "penalty"});
    testing::expect_refused([&] { ops::penalize_repetition(machine.stream(), logits, tokens, out, 2); },
                            {"penalize_repetition", "offsets"});
    testing::expect_refused([&] { ops::argmax_rows(machine.stream(), logits, numbers); }, {"argmax_rows", "out", "int32"});
}

}  // namespace

int main() {
    int failed = testing::run_all("argmax_rows", std::vector<int64_t>{1, 31, 32, 33, 2001}, argmax,
                                  [](int64_t V) { return "V=" + std::to_string(V); });
    failed |= testing::run_all("sample_rows", cases(), distribution, [](const Case& k) { return std::string(k.name); });
    const std::vector<Case> sorted{{"all", 1, 0, 1, {}},          {"temperature", 0.25f, 0, 1, {}},  {"top_k=20", 1, 20, 1, {}},
                                   {"top_p=0.5", 1, 0, 0.5f, {}}, {"top_p=0.999", 2, 0, 0.999f, {}}, {"both", 1, 12, 0.6f, {}}};
    failed |=
        testing::run_all("sample_rows against sorting", sorted, agrees_with_sorting, [](const Case& k) { return std::string(k.name); });
    failed |= testing::run_all("sampling, rules", {{"every place", every_place},
                                                   {"repetition penalty", penalty},
                                                   {"rows are independent", rows_are_independent},
                                                   {"boundary", boundary},
                                                   {"zeros", zeros},
                                                   {"not numbers", not_numbers},
                                                   {"refusals", refusals}});
    return failed;
}
