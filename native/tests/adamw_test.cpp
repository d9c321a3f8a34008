// adamw against the textbook in double, over several steps, with and without clipping.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t n;
    double weight_decay;
    float clip;  // 0: none
};

std::vector<Case> cases() {
    return {{0, 0.1, 0}, {1, 0, 0}, {31, 0.1, 0}, {32, 0.1, 1}, {33, 0, 1}, {20011, 0.1, 1}, {33, 0.1, 1e6f}};
}

struct Textbook {
    std::vector<double> p, m, v;

    void step(const std::vector<double>& g, const ops::AdamW& o, double factor) {
        const double bias1 = 1 - std::pow(o.beta1, o.step), bias2 = 1 - std::pow(o.beta2, o.step);
        for (size_t i = 0; i < p.size(); ++i) {
            const double gradient = g[i] * factor;
            p[i] -= o.learning_rate * o.weight_decay * p[i];
            m[i] = o.beta1 * m[i] + (1 - o.beta1) * gradient;
            v[i] = o.beta2 * v[i] + (1 - o.beta2) * gradient * gradient;
            p[i] -= o.learning_rate / bias1 * m[i] / (std::sqrt(v[i]) / std::sqrt(bias2) + o.epsilon);
        }
    }
};

void run(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        testing::Random random(12);
        Buffer p(machine, 1, k.n), g(machine, 1, k.n), m(machine, 1, k.n), v(machine, 1, k.n), square(machine, 1, 1, DType::F64);
        p.fill(random);
        m.fill_with(0);
        v.fill_with(0);
        Textbook book{p.values(), m.values(), v.values()};
        ops::AdamW options;
        options.learning_rate = 0.01;
        options.weight_decay = k.weight_decay;
        for (options.step = 1; options.step <= 5; ++options.step) {
            g.fill(random, 0.3);
            const auto gradient = g.values();
            double sum = 0;
            for (double value : gradient) sum += value * value;
            square.set({sum});
            ops::adamw(machine.stream(), p, g, m, v, options, k.clip > 0 ? square.view() : View{}, k.clip);
            book.step(gradient, options, k.clip > 0 ? std::min(1.0, static_cast<double>(k.clip) / (std::sqrt(sum) + 1e-6)) : 1);
            testing::near_all(g, gradient, {0, 0}, "g");
        }
        testing::near_all(p, book.p, {2e-7, 1e-6}, "p");
        testing::near_all(m, book.m, {1e-7, 1e-6}, "m");
        testing::near_all(v, book.v, {1e-9, 1e-6}, "v");
        return testing::collect({&p, &g, &m, &v, &square});
    });
}

void refusals() {
    Machine machine;
    Buffer p(machine, 1, 3), longer(machine, 1, 4), square(machine, 1, 1);
    const auto step = [&](View g, View sum, int64_t number) {
        ops::AdamW options;
        options.step = number;
        ops::adamw(machine.stream(), p, g, p, p, options, sum, 1);
    };
    testing::expect_refused([&] { step(longer, {}, 1); }, {"adamw", "g", "3 elements"});
    testing::expect_refused([&] { step(p, square, 1); }, {"adamw", "sum_of_squares", "fp64"});
    testing::expect_refused([&] { step(p, {}, 0); }, {"adamw", "step"});
}

}  // namespace

int main() {
    const int failed = testing::run_all("adamw", cases(), run, [](const Case& k) {
        return "n=" + std::to_string(k.n) + " decay " + std::to_string(k.weight_decay) + " clip " + std::to_string(k.clip);
    });
    return testing::run_all("adamw, rules", {{"refusals", refusals}}) | failed;
}
