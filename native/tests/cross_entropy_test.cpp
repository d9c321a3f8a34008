// soft_cap, cross_entropy_forward and cross_entropy_backward.
#include <limits>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t N, V;
    float cap = 0;
};

std::vector<Case> cases() {
    return {{1, 1}, {31, 33}, {33, 31}, {7, 32}, {40, 800}, {3, 32003}, {0, 16}, {31, 33, 30}, {7, 32, 5}, {3, 32003, 30}};
}

constexpr float kScale = 0.125f;

void run(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        testing::Random random(11);
        std::vector<int32_t> target;
        for (int64_t n = 0; n < k.N; ++n) target.push_back(static_cast<int32_t>(n == 0 ? k.V - 1 : random.below(k.V)));
        Buffer logits(machine, k.N, k.V), targets(machine, 1, k.N, target), loss(machine, 1, k.N), lse(machine, 1, k.N);
        logits.fill(random, 20);
        std::vector<double> slope(static_cast<size_t>(k.N * k.V), 1);  // of the cap
        if (k.cap != 0) {
            std::vector<double> capped = logits.values();
            for (size_t i = 0; i < capped.size(); ++i) {
                const double t = std::tanh(capped[i] / double{k.cap});
                capped[i] = double{k.cap} * t;
                slope[i] = 1 - t * t;
            }
            ops::soft_cap(machine.stream(), logits, k.cap);
            testing::near_all(logits, capped, {1e-7, 3e-7}, "capped logits");
        }
        const auto logits0 = logits.values();
        std::vector<double> want_loss, want_lse, want_gradient(logits0.size());
        for (int64_t n = 0; n < k.N; ++n) {
            double sum = 0;
            for (int64_t v = 0; v < k.V; ++v) sum += std::exp(logits0[n * k.V + v]);
            want_lse.push_back(std::log(sum));
            want_loss.push_back(std::log(sum) - logits0[n * k.V + target[n]]);
            for (int64_t v = 0; v < k.V; ++v)
                want_gradient[n * k.V + v] =
                    slope[n * k.V + v] * static_cast<double>(kScale) * (std::exp(logits0[n * k.V + v]) / sum - (v == target[n]));
        }
        ops::cross_entropy_forward(machine.stream(), logits, targets, loss, lse);
        testing::near_all(lse, want_lse, {2e-6, 2e-7}, "lse");
        testing::near_all(loss, want_loss, {2e-6, 2e-7}, "loss");
        testing::near_all(logits, logits0, {0, 0}, "logits after forward");
        ops::cross_entropy_backward(machine.stream(), logits, targets, lse, kScale, k.cap);
        testing::near_all(logits, want_gradient, {1e-7, 1e-5}, "dlogits");
        return testing::collect({&logits, &targets, &loss, &lse});
    });
}

/// A masked logit (-inf) takes no part; a loss near 0 keeps its digits although the logits are large.
void extremes() {
    testing::on_every_machine([&](Machine& machine) {
        Buffer logits(machine, 2, 3), targets(machine, 1, 2, {0, 1}), loss(machine, 1, 2), lse(machine, 1, 2);
        logits.set({1, -std::numeric_limits<double>::infinity(), 1, 1000, 1010, 990});
        ops::cross_entropy_forward(machine.stream(), logits, targets, loss, lse);
        // The sum of exp, here 1 + 4.5e-5, is held in fp32: it is right to 2^-24.
        testing::near_all(loss, {std::log(2.0), std::log1p(std::exp(-10.0) + std::exp(-20.0))}, {6e-8, 3e-7}, "loss");
        ops::cross_entropy_backward(machine.stream(), logits, targets, lse, 1, 0);
        const auto gradient = logits.values();
        testing::near(gradient[0], -0.5, {1e-6, 0}, "dlogits");
        testing::near(gradient[1], 0, {0, 0}, "dlogits of the masked");
        testing::near(gradient[2], 0.5, {1e-6, 0}, "dlogits");
        return testing::collect({&logits, &targets, &loss, &lse});
    });
}

/// Far out the cap is reached, near 0 it is not felt, and nothing becomes NaN.
void extremes_of_the_cap() {
    testing::on_every_machine([&](Machine& machine) {
        const double infinite = std::numeric_limits<double>::infinity();
        Buffer x(machine, 1, 9);
        x.set({-infinite, -1e30, -1000, -1e-3, 0, 1e-6, 1e-3, 1000, infinite});
        ops::soft_cap(machine.stream(), x, 30);
        testing::near_all(x, {-30, -30, -30, -1e-3, 0, 1e-6, 1e-3, 30, 30}, {0, 3e-7}, "capped");
        return testing::collect({&x});
    });
}

void refusals() {
    Machine machine;
    Buffer logits(machine, 2, 3), good(machine, 1, 2, {0, 2}), bad(machine, 1, 2, {0, 3}), vector(machine, 1, 2), longer(machine, 1, 3);
    testing::expect_refused([&] { ops::cross_entropy_forward(machine.stream(), logits, good, longer, vector); },
                            {"cross_entropy_forward", "loss"});
    testing::expect_refused([&] { ops::cross_entropy_backward(machine.stream(), logits, vector, vector, 1, 0); },
                            {"cross_entropy_backward", "targets", "int32"});
    testing::expect_refused([&] { ops::cross_entropy_backward(machine.stream(), logits, good, vector, 1, -1); },
                            {"cross_entropy_backward", "cap"});
    testing::expect_refused([&] { ops::soft_cap(machine.stream(), logits, 0); }, {"soft_cap", "cap", "a positive number"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { ops::cross_entropy_forward(machine.stream(), logits, bad, vector, vector); },
                            {"cross_entropy_forward", "targets[1]", "got 3"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("cross_entropy", cases(), run, [](const Case& k) {
        return "N=" + std::to_string(k.N) + " V=" + std::to_string(k.V) + " cap=" + std::to_string(k.cap);
    });
    return testing::run_all("cross_entropy, rules",
                            {{"extremes", extremes}, {"extremes of the cap", extremes_of_the_cap}, {"refusals", refusals}}) |
           failed;
}
