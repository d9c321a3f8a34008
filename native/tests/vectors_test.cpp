// zero, copy, scale, axpy, multiply_add, scale_to_norm, axpy_to_norm, dot, sum_of_squares, sum.
#include <numeric>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

// The largest spans many pieces of a reduction.
const std::vector<int64_t> kSizes{0, 1, 31, 32, 33, 1003, 70001};
const std::vector<int64_t> kLengths{0, 1, 31, 32, 33, 1003, 70001, 1000003};  // the last: every warp of the last block has partial sums

constexpr double kAlpha = 0.75;  // exact in bf16

std::vector<double> combine(const std::vector<double>& a, const std::vector<double>& b, const std::function<double(double, double)>& f) {
    std::vector<double> result(a.size());
    for (size_t i = 0; i < a.size(); ++i) result[i] = f(a[i], b[i]);
    return result;
}

void elementwise(int64_t n) {
    testing::on_every_machine([&](Machine& machine) {
        testing::Random random(1);
        Buffer a(machine, 1, n), b(machine, 1, n), y(machine, 1, n), z(machine, 1, n);
        for (Buffer* buffer : {&a, &b, &y, &z}) buffer->fill(random);
        const auto a0 = a.values(), b0 = b.values(), y0 = y.values();
        Stream& stream = machine.stream();

        ops::multiply_add(stream, static_cast<float>(kAlpha), a, b, y);
        std::vector<double> want(y0.size());
        for (size_t i = 0; i < want.size(); ++i) want[i] = y0[i] + kAlpha * a0[i] * b0[i];
        testing::near_all(y, want, testing::tolerance(DType::F32), "multiply_add");

        ops::scale(stream, a, 0.5f);
        testing::near_all(a, combine(a0, a0, [](double x, double) { return x / 2; }), {0, 0}, "scale");

        ops::fill_zero(stream, z);
        testing::near_all(z, std::vector<double>(static_cast<size_t>(n), 0), {0, 0}, "fill_zero");
        return testing::collect({&a, &b, &y, &z});
    });
}

void types(int64_t n) {
    for (DType from : {DType::F32, DType::BF16})
        for (DType to : {DType::F32, DType::BF16})
            testing::on_every_machine([&](Machine& machine) {
                testing::Random random(2);
                Buffer x(machine, 1, n, from), y(machine, 1, n, to), copied(machine, 1, n, to);
                x.fill(random);
                y.fill(random);
                const auto x0 = x.values(), y0 = y.values();
                const auto round = [&](double value) {
                    const float exact = static_cast<float>(value);
                    return static_cast<double>(to == DType::BF16 ? bf16_to_float(bf16_from_float(exact)) : exact);
                };
                ops::copy(machine.stream(), x, copied);
                testing::near_all(copied, combine(x0, x0, [&](double value, double) { return round(value); }), {0, 0}, "copy");
                ops::axpy(machine.stream(), static_cast<float>(kAlpha), x, y);
                const auto sum = combine(x0, y0, [&](double xi, double yi) { return yi + kAlpha * xi; });
                testing::near_all(y, sum, testing::tolerance(to), "axpy");
                return testing::collect({&x, &y, &copied});
            });
}

void zero_of_any_type() {
    Machine machine;
    for (DType type : {DType::F32, DType::BF16, DType::I32, DType::F64}) {
        Buffer x(machine, 3, 7, type);
        ops::fill_zero(machine.stream(), x);
        testing::near_all(x, std::vector<double>(21, 0), {0, 0}, "fill_zero");
        x.check_guards();
    }
}

void reductions(int64_t n) {
    testing::on_every_machine([&](Machine& machine) {
        testing::Random random(3);
        Buffer x(machine, 1, n), y(machine, 1, n), half(machine, 1, n, DType::BF16), out(machine, 1, 4, DType::F64);
        for (Buffer* buffer : {&x, &y, &half}) buffer->fill(random);
        const auto x0 = x.values(), y0 = y.values(), half0 = half.values();
        Stream& stream = machine.stream();
        ops::dot(stream, x, y, out.view().slice(0, 1));
        ops::sum_of_squares(stream, x, out.view().slice(1, 1));
        ops::sum_of_squares(stream, half, out.view().slice(2, 1));
        ops::sum(stream, x, out.view().slice(3, 1));
        const auto inner = [](const std::vector<double>& a, const std::vector<double>& b) {
            return static_cast<double>(std::inner_product(a.begin(), a.end(), b.begin(), 0.0L));
        };
        const std::vector<double> want{inner(x0, y0), inner(x0, x0), inner(half0, half0),
                                       static_cast<double>(std::accumulate(x0.begin(), x0.end(), 0.0L))};
        testing::near_all(out, want, {1e-10, 1e-12}, "reduction");
        return testing::collect({&x, &y, &half, &out});
    });
}

void norm(int64_t n) {
    testing::on_every_machine([&](Machine& machine) {
        testing::Random random(4);
        Buffer x(machine, 1, n), y(machine, 1, n), square(machine, 1, 1, DType::F64);
        for (Buffer* buffer : {&x, &y}) buffer->fill(random);
        square.set({6.25});
        const auto x0 = x.values(), y0 = y.values();
        ops::axpy_to_norm(machine.stream(), -1.5f, square, 0.5f, x, y);
        testing::near_all(x, x0, {0, 0}, "x of axpy_to_norm");
        testing::near_all(y, combine(x0, y0, [](double xi, double yi) { return yi - 0.5 * xi; }), {1e-7, 1e-6}, "axpy_to_norm");
        ops::scale_to_norm(machine.stream(), x, 2, square, 0.5f);
        testing::near_all(x, combine(x0, x0, [](double value, double) { return value * 2 / (2.5 + 0.5); }), {1e-7, 1e-6}, "scale_to_norm");
        return testing::collect({&x, &y, &square});
    });
}

void refusals() {
    Machine machine;
    Buffer x(machine, 1, 5), longer(machine, 1, 6), integers(machine, 1, 5, DType::I32), out(machine, 1, 1, DType::F64);
    Stream& stream = machine.stream();
    testing::expect_refused([&] { ops::axpy(stream, 1, x, longer); }, {"axpy", "y", "5 elements", "(1, 6)"});
    testing::expect_refused([&] { ops::copy(stream, integers, x); }, {"copy", "from", "fp32 or bf16", "int32"});
    testing::expect_refused([&] { ops::dot(stream, x, x, x); }, {"dot", "out", "fp64"});
    testing::expect_refused([&] { ops::dot(stream, x, longer, out); }, {"dot", "y"});
    testing::expect_refused([&] { ops::axpy_to_norm(stream, 1, out, 1, x, longer); }, {"axpy_to_norm", "y"});
    testing::expect_refused([&] { ops::scale_to_norm(stream, integers, 1, out, 1); }, {"scale_to_norm", "x"});
    testing::expect_refused([&] { ops::sum(stream, View{nullptr, DType::F32, 1, 5}, out); }, {"sum", "x", "data", "none"});
}

}  // namespace

int main() {
    int failed = 0;
    const auto name = [](int64_t n) { return "n=" + std::to_string(n); };
    failed |= testing::run_all("vectors, elementwise", kSizes, elementwise, name);
    failed |= testing::run_all("vectors, types", kSizes, types, name);
    failed |= testing::run_all("vectors, reductions", kLengths, reductions, name);
    failed |= testing::run_all("vectors, norms", kSizes, norm, name);
    failed |= testing::run_all("vectors, rules", {{"zero", zero_of_any_type}, {"refusals", refusals}});
    return failed;
}
