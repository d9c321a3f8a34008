// cross_entropy_forward and cross_entropy_backward.
#include <limits>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t N, V;
};

std::vector<Case> cases() {
    return {{1, 1}, {31, 33}, {33, 31}, {7, 32}, {40, 800}, {3, 32003}, {0, 16}};
}

constexpr float kScale = 0.125f;

void run(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        testing::Random random(11);
        std::vector<int32_t> target;
        for (int64_t n = 0; n < k.N; ++n) target.push_back(static_cast<int32_t>(n == 0 ? k.V - 1 : random.below(k.V)));
        Buffer logits(machine, k.N, k.V), targets(machine, 1, k.N, target), loss(machine, 1, k.N), lse(machine, 1, k.N);
        logits.fill(random, 20);
        const auto logits0 = logits.values();
        std::vector<double> want_loss, want_lse, want_gradient(logits0.size());
        for (int64_t n = 0; n < k.N; ++n) {
            double sum = 0;
            for (int64_t v = 0; v < k.V; ++v) sum += std::exp(logits0[n * k.V + v]);
            want_lse.push_back(std::log(sum));
            want_loss.push_back(std::log(sum) - logits0[n * k.V + target[n]]);
            for (int64_t v = 0; v < k.V; ++v)
                want_gradient[n * k.V + v] = static_cast<double>(kScale) * (std::exp(logits0[n * k.V + v]) / sum - (v == target[n]));
        }
        ops::cross_entropy_forward(machine.stream(), logits, targets, loss, lse);
        testing::near_all(lse, want_lse, {2e-6, 2e-7}, "lse");
        testing::near_all(loss, want_loss, {2e-6, 2e-7}, "loss");
        testing::near_all(logits, logits0, {0, 0}, "logits after forward");
        ops::cross_entropy_backward(machine.stream(), logits, targets, lse, kScale);
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
        ops::cross_entropy_backward(machine.stream(), logits, targets, lse, 1);
        const auto gradient = logits.values();
        testing::near(gradient[0], -0.5, {1e-6, 0}, "dlogits");
        testing::near(gradient[1], 0, {0, 0}, "dlogits of the masked");
        testing::near(gradient[2], 0.5, {1e-6, 0}, "dlogits");
        return testing::collect({&logits, &targets, &loss, &lse});
    });
}

void refusals() {
    Machine machine;
    Buffer logits(machine, 2, 3), good(machine, 1, 2, {0, 2}), bad(machine, 1, 2, {0, 3}), vector(machine, 1, 2), longer(machine, 1, 3);
    testing::expect_refused([&] { ops::cross_entropy_forward(machine.stream(), logits, good, longer, vector); },
                            {"cross_entropy_forward", "loss"});
    testing::expect_refused([&] { ops::cross_entropy_backward(machine.stream(), logits, vector, vector, 1); },
                            {"cross_entropy_backward", "targets", "int32"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { ops::cross_entropy_forward(machine.stream(), logits, bad, vector, vector); },
                            {"cross_entropy_forward", "targets[1]", "got 3"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("cross_entropy", cases(), run,
                                        [](const Case& k) { return "N=" + std::to_string(k.N) + " V=" + std::to_string(k.V); });
    return testing::run_all("cross_entropy, rules", {{"extremes", extremes}, {"refusals", refusals}}) | failed;
}
