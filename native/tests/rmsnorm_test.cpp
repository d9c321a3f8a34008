// rmsnorm_forward against its formula, rmsnorm_backward against finite differences of it.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t T, C;
    bool weight_gradient;
    float offset;
};

std::vector<Case> cases() {
    std::vector<Case> list;
    for (auto [T, C] : {std::pair<int64_t, int64_t>{1, 1},
                        {31, 33},
                        {33, 31},
                        {3, 64},
                        {32, 136},
                        {5, 2048},
                        {2, 4112},
                        {2, 1003},
                        {2, 17008},
                        {700, 32},
                        {150, 48},
                        {0, 64}})
        for (bool weight_gradient : {false, true}) list.push_back({T, C, weight_gradient, weight_gradient ? 1.0f : 0.0f});
    list.push_back({33, 64, true, 0});
    list.push_back({33, 64, false, 1});
    return list;
}

constexpr float kEps = 1e-5f;

std::vector<double> forward(const std::vector<double>& x, const std::vector<double>& w, double offset, int64_t T, int64_t C) {
    std::vector<double> y(x.size());
    for (int64_t t = 0; t < T; ++t) {
        double square = 0;
        for (int64_t c = 0; c < C; ++c) square += x[t * C + c] * x[t * C + c];
        const double rstd = 1 / std::sqrt(square / static_cast<double>(C) + static_cast<double>(kEps));
        for (int64_t c = 0; c < C; ++c) y[t * C + c] = x[t * C + c] * rstd * (w[c] + offset);
    }
    return y;
}

/// sum(y * dy), whose derivatives are what the backward op must give.
double objective(const std::vector<double>& x, const std::vector<double>& w, double offset, const std::vector<double>& dy, int64_t T,
                 int64_t C) {
    const std::vector<double> y = forward(x, w, offset, T, C);
    double total = 0;
    for (size_t i = 0; i < y.size(); ++i) total += y[i] * dy[i];
    return total;
}

void run(const Case& k) {
    for (DType type : testing::activation_types())
        testing::on_every_machine_and_alignment([&](Machine& machine) {
            testing::Random random(17);
            Buffer x(machine, k.T, k.C, type), y(machine, k.T, k.C, type), dy(machine, k.T, k.C, type), dx(machine, k.T, k.C, type);
            Buffer w(machine, 1, k.C), dw(machine, 1, k.C), rstd(machine, 1, k.T);
            for (Buffer* buffer : {&x, &dy, &dx, &w, &dw}) buffer->fill(random);
            const auto x0 = x.values(), w0 = w.values(), dy0 = dy.values(), dx0 = dx.values(), dw0 = dw.values();

            const ops::NormWeight weight{w, k.offset};
            const double offset = static_cast<double>(k.offset);
            ops::rmsnorm_forward(machine.stream(), x, weight, kEps, y, rstd);
            ops::rmsnorm_backward(machine.stream(), dy, x, weight, rstd, dx, k.weight_gradient ? dw.view() : View{});

            const testing::Tolerance allowed = testing::tolerance(type);
            testing::near_all(y, forward(x0, w0, offset, k.T, k.C), allowed, "y");
            const auto dx1 = dx.values(), dw1 = dw.values();
            for (int n = 0; n < 16 && k.T > 0; ++n) {
                const size_t i = static_cast<size_t>(random.below(k.T * k.C)), c = static_cast<size_t>(random.below(k.C)),
                             row = i / k.C * k.C;
                // A row's output depends on that row only.
                const std::vector<double> one_dy(dy0.begin() + row, dy0.begin() + row + k.C);
                const double slope = testing::derivative([&](auto& v) { return objective(v, w0, offset, one_dy, 1, k.C); },
                                                         {x0.begin() + row, x0.begin() + row + k.C}, i - row);
                testing::near(dx1[i], dx0[i] + slope, allowed, "dx", static_cast<int64_t>(i) / k.C, static_cast<int64_t>(i) % k.C);
                const double weight_slope = testing::derivative([&](auto& v) { return objective(x0, v, offset, dy0, k.T, k.C); }, w0, c);
                testing::near(dw1[c], dw0[c] + (k.weight_gradient ? weight_slope : 0), allowed, "dw", 0, static_cast<int64_t>(c));
            }
            return testing::collect({&x, &y, &dy, &dx, &w, &dw, &rstd});
        });
}

void refusals() {
    Machine machine;
    Buffer x(machine, 3, 8), w(machine, 1, 8), short_w(machine, 1, 7), rstd(machine, 1, 3);
    testing::expect_refused(
        [&] {
            ops::rmsnorm_forward(machine.stream(), x, {short_w, 0}, kEps, x, rstd);
        },
        {"rmsnorm_forward", "w", "8 elements of fp32", "(1, 7)"});
    testing::expect_refused([&] { ops::rmsnorm_backward(machine.stream(), x, x, {w, 0}, w, x, {}); }, {"rmsnorm_backward", "rstd"});
}

}  // namespace

int main() {
    const int failed = testing::run_all("rmsnorm", cases(), run, [](const Case& k) {
        return "T=" + std::to_string(k.T) + " C=" + std::to_string(k.C) + (k.weight_gradient ? " with dw" : "") + " offset " +
               std::to_string(k.offset);
    });
    return testing::run_all("rmsnorm, rules", {{"refusals", refusals}}) | failed;
}
