// glu_forward and glu_backward.
#include <limits>
#include <utility>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

using ops::Activation;

struct Case {
    int64_t T, F;
    Activation activation;
};

std::vector<Case> cases() {
    std::vector<Case> list;
    for (const Activation activation : {Activation::Silu, Activation::GeluTanh})
        for (const auto& [T, F] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {31, 33}, {33, 31}, {1, 32}, {200, 384}, {0, 16}})
            list.push_back({T, F, activation});
    return list;
}

double glu(Activation activation, double gate, double up) {
    if (activation == Activation::Silu) return gate / (1 + std::exp(-gate)) * up;
    const double root = std::sqrt(2 / std::acos(-1.0));
    return gate / 2 * (1 + std::tanh(root * (gate + 0.044715 * gate * gate * gate))) * up;
}

void run(const Case& k) {
    for (DType type : testing::activation_types())
        testing::on_every_machine_and_alignment([&](Machine& machine) {
            testing::Random random(10);
            Buffer gate(machine, k.T, k.F, type), up(machine, k.T, k.F, type), out(machine, k.T, k.F, type), dout(machine, k.T, k.F, type);
            Buffer in_place(machine, k.T, k.F, type);
            gate.fill(random, 6);
            up.fill(random);
            dout.fill(random);
            const auto gate0 = gate.values(), up0 = up.values(), dout0 = dout.values();
            std::vector<double> want(gate0.size()), want_gate = want, want_up = want;
            for (size_t i = 0; i < want.size(); ++i) {
                want[i] = glu(k.activation, gate0[i], up0[i]);
                want_gate[i] = dout0[i] * testing::derivative([&](auto& at) { return glu(k.activation, at[0], up0[i]); }, {gate0[i]}, 0);
                want_up[i] = dout0[i] * glu(k.activation, gate0[i], 1);
            }
            const testing::Tolerance allowed = testing::tolerance(type);
            ops::glu_forward(machine.stream(), k.activation, gate, up, out);
            testing::near_all(out, want, allowed, "out");
            ops::copy(machine.stream(), gate, in_place);
            ops::glu_forward(machine.stream(), k.activation, in_place, up, in_place);
            testing::check(in_place.bytes() == out.bytes(), "in place, the result is another");
            ops::glu_backward(machine.stream(), k.activation, dout, gate, up);
            testing::near_all(gate, want_gate, allowed, "dgate");
            testing::near_all(up, want_up, allowed, "dup");
            return testing::collect({&gate, &up, &out, &dout, &in_place});
        });
}

/// Far out the sigmoid is 0 or 1 and nothing becomes infinite or NaN.
void extremes(Activation activation) {
    testing::on_every_machine([&](Machine& machine) {
        Buffer gate(machine, 1, 4), up(machine, 1, 4), out(machine, 1, 4), dout(machine, 1, 4);
        gate.set({-1000, -90, 90, 1000});
        up.fill_with(2);
        dout.fill_with(1);
        ops::glu_forward(machine.stream(), activation, gate, up, out);
        testing::near_all(out, {0, 0, 180, 2000}, {1e-30, 1e-6}, "out");
        ops::glu_backward(machine.stream(), activation, dout, gate, up);
        testing::near_all(gate, {0, 0, 2, 2}, {1e-30, 1e-6}, "dgate");
        testing::near_all(up, {0, 0, 90, 1000}, {1e-30, 1e-6}, "dup");
        return testing::collect({&gate, &up, &out, &dout});
    });
}

void refusals() {
    Machine machine;
    Buffer a(machine, 2, 3), b(machine, 3, 2);
    testing::expect_refused([&] { ops::glu_forward(machine.stream(), Activation::Silu, a, b, a); },
                            {"glu_forward", "up", "(2, 3)", "(3, 2)"});
    testing::expect_refused([&] { ops::glu_backward(machine.stream(), Activation::Silu, b, a, a); }, {"glu_backward", "dout"});
}

}  // namespace

int main() {
    const int failed = testing::run_all("glu", cases(), run, [](const Case& k) {
        return "T=" + std::to_string(k.T) + " F=" + std::to_string(k.F) + (k.activation == Activation::Silu ? " silu" : " gelu");
    });
    return testing::run_all("glu, rules", {{"extremes of silu", [] { extremes(Activation::Silu); }},
                                           {"extremes of gelu", [] { extremes(Activation::GeluTanh); }},
                                           {"refusals", refusals}}) |
           failed;
}
