// divergence_forward, negative_entropy_forward and weighted_losses_backward.
#include <limits>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t N, V;
    float labels, divergence, negative_entropy;  // factors
    float cap = 0;
};

constexpr int64_t kPeaked = 2048;  // columns of the case with peaks

std::vector<Case> cases() {
    return {{1, 1, 0.5f, 0.25f, 0.125f},        {31, 33, 1, 0.5f, -0.25f}, {33, 31, 0, 0.5f, 0},          {7, 32, 0, 0, 0.5f},
            {40, 800, 0.5f, 0, -0.75f},         {9, 36, 0, 0.5f, 0.25f},   {3, 32003, 0.5f, -0.25f, 0},   {5, 35, 1, 0, 0},
            {32, kPeaked, 0.5f, 0.25f, 0.125f}, {0, 16, 1, 1, 1},          {9, 36, 0.5f, 0.5f, 0.25f, 9}, {7, 33, 0.5f, -0.25f, 0, 9},
            {7, 33, 0.5f, 0, 0.25f, 9}};
}

/// A peak in every row, of the logits or of the teacher's, each where another of a block's warps finds it: sums that are not taken from the
/// largest overflow.
void add_peaks(std::vector<double>& logits, std::vector<double>& teacher) {
    for (size_t n = 0; n < 32; ++n) {
        const size_t warp = n % 16;
        (n < 16 ? logits : teacher)[n * kPeaked + warp * 128 + warp / 4 * 32 + 5] += 150;
    }
}

/// Of a row of logits.
std::vector<double> log_softmax(const std::vector<double>& logits, int64_t n, int64_t V, double& lse) {
    double sum = 0;
    for (int64_t v = 0; v < V; ++v) sum += std::exp(logits[n * V + v]);
    lse = std::log(sum);
    std::vector<double> row;
    for (int64_t v = 0; v < V; ++v) row.push_back(logits[n * V + v] - lse);
    return row;
}

struct Expected {
    std::vector<double> divergence, entropy, lse, teacher_lse, gradient;
};

Expected reference(const Case& k, const std::vector<double>& logits, const std::vector<double>& teacher,
                   const std::vector<int32_t>& targets) {
    Expected e;
    for (int64_t n = 0; n < k.N; ++n) {
        double lse, teacher_lse, divergence = 0, entropy = 0;
        const std::vector<double> p = log_softmax(logits, n, k.V, lse), t = log_softmax(teacher, n, k.V, teacher_lse);
        for (int64_t v = 0; v < k.V; ++v) {
            divergence += std::exp(t[v]) * (t[v] - p[v]);
            entropy += std::exp(p[v]) * p[v];
        }
        e.lse.push_back(lse);
        e.teacher_lse.push_back(teacher_lse);
        e.divergence.push_back(divergence);
        e.entropy.push_back(entropy);
        for (int64_t v = 0; v < k.V; ++v)
            e.gradient.push_back(double{k.labels} * (std::exp(p[v]) - (v == targets[n])) +
                                 double{k.divergence} * (std::exp(p[v]) - std::exp(t[v])) +
                                 double{k.negative_entropy} * std::exp(p[v]) * (p[v] - entropy));
        for (int64_t v = 0; v < k.V && k.cap != 0; ++v) {
            const double part = logits[n * k.V + v] / double{k.cap};
            e.gradient[n * k.V + v] *= 1 - part * part;
        }
    }
    return e;
}

void run(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        testing::Random random(17);
        std::vector<int32_t> target;
        for (int64_t n = 0; n < k.N; ++n) target.push_back(static_cast<int32_t>(n == 0 ? k.V - 1 : random.below(k.V)));
        Buffer logits(machine, k.N, k.V), teacher(machine, k.N, k.V), targets(machine, 1, k.N, target);
        Buffer divergence(machine, 1, k.N), entropy(machine, 1, k.N), lse(machine, 1, k.N), teacher_lse(machine, 1, k.N);
        logits.fill(random, 8);
        teacher.fill(random, 8);
        if (k.V == kPeaked) {
            auto peaked = logits.values(), other = teacher.values();
            add_peaks(peaked, other);
            logits.set(peaked);
            teacher.set(other);
        }
        const auto logits0 = logits.values(), teacher0 = teacher.values();
        const Expected want = reference(k, logits0, teacher0, target);

        ops::divergence_forward(machine.stream(), logits, teacher, divergence, lse, teacher_lse);
        testing::near_all(divergence, want.divergence, {2e-6, 1e-6}, "divergence");
        testing::near_all(lse, want.lse, {2e-6, 2e-7}, "lse beside the divergence");
        testing::near_all(teacher_lse, want.teacher_lse, {2e-6, 2e-7}, "the teacher's lse");
        ops::negative_entropy_forward(machine.stream(), logits, entropy, lse);
        testing::near_all(entropy, want.entropy, {2e-6, 1e-6}, "negative entropy");
        testing::near_all(lse, want.lse, {2e-6, 2e-7}, "lse beside the entropy");
        testing::near_all(logits, logits0, {0, 0}, "logits after forward");

        ops::WeightedLosses losses;
        losses.labels = k.labels;
        losses.divergence = k.divergence;
        losses.negative_entropy = k.negative_entropy;
        if (k.labels != 0) losses.targets = targets;
        if (k.divergence != 0) losses.teacher = teacher, losses.teacher_lse = teacher_lse;
        if (k.negative_entropy != 0) losses.negative_entropies = entropy;
        ops::weighted_losses_backward(machine.stream(), logits, lse, losses, k.cap);
        testing::near_all(logits, want.gradient, {3e-7, 1e-5}, "dlogits");
        testing::near_all(teacher, teacher0, {0, 0}, "the teacher's logits");
        return testing::collect({&logits, &teacher, &targets, &divergence, &entropy, &lse, &teacher_lse});
    });
}

/// Masked logits (-inf) take no part. Near the teacher the divergence is second order and keeps its digits; at the teacher it is 0.
void extremes() {
    testing::on_every_machine([&](Machine& machine) {
        const double none = -std::numeric_limits<double>::infinity();
        Buffer logits(machine, 3, 4), teacher(machine, 3, 4), divergence(machine, 1, 3), entropy(machine, 1, 3), lse(machine, 1, 3),
            teacher_lse(machine, 1, 3);
        logits.set({1, none, 1, none, 100, 101.5, 99, 100.25, 40, 41, 42, 43.5});
        teacher.set({1, none, 1 + std::log(3.0), none, 100, 101.5, 99, 100.25, 40.0625, 41, 42, 43.5});
        const auto x = logits.values(), t = teacher.values();
        ops::divergence_forward(machine.stream(), logits, teacher, divergence, lse, teacher_lse);
        ops::negative_entropy_forward(machine.stream(), logits, entropy, lse);
        double own, its, near_teacher = 0;
        const std::vector<double> p = log_softmax(x, 2, 4, own), q = log_softmax(t, 2, 4, its);
        for (size_t v = 0; v < 4; ++v) near_teacher += std::exp(q[v]) * (q[v] - p[v]);
        const auto losses = divergence.values();
        testing::near(losses[0], 0.25 * std::log(0.25 / 0.5) + 0.75 * std::log(0.75 / 0.5), {1e-7, 1e-6}, "with masked logits");
        testing::near(losses[1], 0, {0, 0}, "of the teacher itself");
        // Each sum of exp is held in fp32: it is right to 2^-24. The rounded lse would be 2^-19 off.
        testing::near(losses[2], near_teacher, {1.3e-7, 0}, "near the teacher");
        testing::check(near_teacher < 1e-4, "the case is not near the teacher");
        testing::near(entropy.values()[0], -std::log(2.0), {1e-7, 1e-6}, "negative entropy with masked logits");

        ops::WeightedLosses both;
        both.divergence = 1;
        both.teacher = teacher;
        both.teacher_lse = teacher_lse;
        both.negative_entropy = 1;
        both.negative_entropies = entropy;
        ops::weighted_losses_backward(machine.stream(), logits, lse, both, 0);
        const auto gradient = logits.values();
        testing::near(gradient[0], 0.25, {1e-6, 0}, "dlogits");
        testing::near(gradient[1], 0, {0, 0}, "dlogits of the masked");
        testing::near(gradient[2], -0.25, {1e-6, 0}, "dlogits");
        return testing::collect({&logits, &teacher, &divergence, &entropy, &lse, &teacher_lse});
    });
}

void refusals() {
    Machine machine;
    Buffer logits(machine, 2, 3), other(machine, 3, 2), vector(machine, 1, 2), longer(machine, 1, 3), bad(machine, 1, 2, {0, 3});
    Stream& s = machine.stream();
    testing::expect_refused([&] { ops::divergence_forward(s, logits, other, vector, vector, vector); }, {"divergence_forward", "teacher"});
    testing::expect_refused([&] { ops::divergence_forward(s, logits, logits, vector, vector, longer); }, {"teacher_lse"});
    testing::expect_refused([&] { ops::negative_entropy_forward(s, logits, longer, vector); }, {"negative_entropy_forward", "loss"});
    ops::WeightedLosses losses;
    losses.labels = 1;
    losses.targets = vector;
    testing::expect_refused([&] { ops::weighted_losses_backward(s, logits, vector, losses, 0); }, {"weighted_losses_backward", "int32"});
    losses = {};
    losses.divergence = 1;
    testing::expect_refused([&] { ops::weighted_losses_backward(s, logits, vector, losses, 0); }, {"weighted_losses_backward", "teacher"});
    losses = {};
    losses.negative_entropy = 1;
    testing::expect_refused([&] { ops::weighted_losses_backward(s, logits, vector, losses, 0); }, {"negative_entropies"});
#ifndef VACCINE_TEST_CUDA
    losses = {};
    losses.labels = 1;
    losses.targets = bad;
    testing::expect_refused([&] { ops::weighted_losses_backward(s, logits, vector, losses, 0); }, {"targets[1]", "got 3"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("weighted_losses", cases(), run, [](const Case& k) {
        return "N=" + std::to_string(k.N) + " V=" + std::to_string(k.V) + " labels=" + std::to_string(k.labels) +
               " divergence=" + std::to_string(k.divergence) + " negative_entropy=" + std::to_string(k.negative_entropy) +
               " cap=" + std::to_string(k.cap);
    });
    return testing::run_all("weighted_losses, rules", {{"extremes", extremes}, {"refusals", refusals}}) | failed;
}
