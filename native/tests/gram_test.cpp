// gram, add_combination.
#include <numeric>

#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    std::vector<int32_t> x, y;  // lengths of the samples
    int64_t columns;
};

std::vector<Case> cases() {
    return {{{1}, {1}, 1},
            {{31}, {33}, 32},
            {{3, 0, 5}, {4, 2}, 33},
            {{7, 1, 12, 4}, {7, 1, 12, 4}, 24},
            {{40, 64, 33}, {5, 64}, 516},              // several pieces of a product, of whole packs
            {{40, 61}, {61, 40, 1}, 1031},             // several slabs of a row
            {{2, 3}, std::vector<int32_t>(35, 2), 5},  // more pairs than pieces
            {{4}, {}, 8}};
}

std::vector<int32_t> offsets_of(const std::vector<int32_t>& lengths) {
    std::vector<int32_t> offsets(lengths.size() + 1, 0);
    std::partial_sum(lengths.begin(), lengths.end(), offsets.begin() + 1);
    return offsets;
}

int64_t longest_of(const Case& k) {
    int32_t longest = 0;
    for (const auto* lengths : {&k.x, &k.y})
        for (const int32_t length : *lengths) longest = std::max(longest, length);
    return longest;
}

/// Samples of one side, beside what a plain loop sees.
struct Side {
    std::vector<int32_t> at;
    Buffer rows, offsets;
    std::vector<double> values;
    int64_t columns;

    Side(Machine& machine, const std::vector<int32_t>& lengths, int64_t C)
        : at(offsets_of(lengths)), rows(machine, at.back(), C), offsets(machine, 1, static_cast<int64_t>(at.size()), at), columns(C) {}

    int64_t count() const { return static_cast<int64_t>(at.size()) - 1; }
    void set(const std::vector<double>& numbers) {
        rows.set(numbers);
        values = rows.values();
    }
    /// Elements of a sample, and one of them.
    int64_t size(int64_t s) const { return (at[static_cast<size_t>(s + 1)] - at[static_cast<size_t>(s)]) * columns; }
    double element(int64_t s, int64_t i) const { return values[static_cast<size_t>(at[static_cast<size_t>(s)] * columns + i)]; }
};

std::vector<double> random_numbers(int64_t count, uint64_t seed) {
    testing::Random random(seed);
    std::vector<double> numbers(static_cast<size_t>(count));
    for (double& number : numbers) number = random.value();
    return numbers;
}

void products(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        Side x(machine, k.x, k.columns), y(machine, k.y, k.columns);
        x.set(random_numbers(x.rows.count(), 1));
        y.set(random_numbers(y.rows.count(), 2));
        const int64_t A = x.count(), B = y.count();
        Buffer out(machine, A, B, DType::F64);
        ops::gram(machine.stream(), x.rows, x.offsets, y.rows, y.offsets, longest_of(k), out);
        std::vector<double> want;
        for (int64_t a = 0; a < A; ++a)
            for (int64_t b = 0; b < B; ++b) {
                double sum = 0;
                for (int64_t i = 0; i < std::min(x.size(a), y.size(b)); ++i) sum += x.element(a, i) * y.element(b, i);
                want.push_back(sum);
            }
        testing::near_all(out, want, {1e-10, 1e-12}, "gram");
        if (A > 1 && B > 0) {  // some of the rows alone: the same bits
            Buffer part(machine, A - 1, B, DType::F64);
            ops::gram(machine.stream(), x.rows, x.offsets.view().slice(1, A), y.rows, y.offsets, longest_of(k), part);
            const auto all = out.values(), some = part.values();
            testing::check(std::equal(some.begin(), some.end(), all.begin() + B), "a row depends on which others are asked for");
        }
        return testing::collect({&x.rows, &y.rows, &x.offsets, &y.offsets, &out});
    });
}

/// What a kernel's gradient adds: sums of rows that nearly cancel keep their digits.
void combinations(const Case& k) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        Side x(machine, k.x, k.columns), y(machine, k.y, k.columns);
        x.set(random_numbers(x.rows.count(), 3));
        y.set(random_numbers(y.rows.count(), 4));
        const int64_t A = y.count(), B = x.count();
        Buffer coefficients(machine, A, B, DType::F64);
        coefficients.set(random_numbers(A * B, 5));
        const auto c = coefficients.values();
        std::vector<double> want = y.values;
        for (int64_t a = 0; a < A; ++a)
            for (int64_t i = 0; i < y.size(a); ++i)
                for (int64_t b = 0; b < B; ++b)
                    if (i < x.size(b))
                        want[static_cast<size_t>(y.at[static_cast<size_t>(a)] * k.columns + i)] +=
                            c[static_cast<size_t>(a * B + b)] * x.element(b, i);
        ops::add_combination(machine.stream(), x.rows, x.offsets, coefficients, y.rows, y.offsets, longest_of(k));
        testing::near_all(y.rows, want, {1e-14, 6e-8}, "combination");  // half a unit in the last place of fp32
        return testing::collect({&x.rows, &y.rows, &x.offsets, &y.offsets, &coefficients});
    });
}

/// |x_a - y_a|^2 from three products, where both are nearly the same: fp32 sums would leave one digit.
void distances() {
    const std::vector<int32_t> lengths{50, 64, 20};
    constexpr int64_t C = 200;
    testing::on_every_machine([&](Machine& machine) {
        Side x(machine, lengths, C), y(machine, lengths, C);
        const auto numbers = random_numbers(x.rows.count(), 6), change = random_numbers(x.rows.count(), 7);
        auto near_by = numbers;
        for (size_t i = 0; i < near_by.size(); ++i) near_by[i] += 1e-3 * change[i];
        x.set(numbers);
        y.set(near_by);
        Buffer xx(machine, 3, 3, DType::F64), xy(machine, 3, 3, DType::F64), yx(machine, 3, 3, DType::F64), yy(machine, 3, 3, DType::F64);
        Stream& stream = machine.stream();
        ops::gram(stream, x.rows, x.offsets, x.rows, x.offsets, 64, xx);
        ops::gram(stream, x.rows, x.offsets, y.rows, y.offsets, 64, xy);
        ops::gram(stream, y.rows, y.offsets, x.rows, x.offsets, 64, yx);
        ops::gram(stream, y.rows, y.offsets, y.rows, y.offsets, 64, yy);
        const auto gxx = xx.values(), gxy = xy.values(), gyx = yx.values(), gyy = yy.values();
        for (int64_t a = 0; a < 3; ++a) {
            const size_t diagonal = static_cast<size_t>(4 * a);
            double square = 0;
            for (int64_t i = 0; i < x.size(a); ++i) square += std::pow(x.element(a, i) - y.element(a, i), 2);
            testing::near(gxx[diagonal] + gyy[diagonal] - 2 * gxy[diagonal], square, {0, 1e-6}, "distance", a);
            for (size_t b = 0; b < 3; ++b)
                testing::check(gxy[static_cast<size_t>(3 * a) + b] == gyx[3 * b + static_cast<size_t>(a)],
                               "(a, b) is not summed as (b, a)");
        }
        return testing::collect({&xx, &xy, &yx, &yy});
    });
}

void refusals() {
    Machine machine;
    Stream& stream = machine.stream();
    Buffer x(machine, 5, 4), narrow(machine, 5, 3), offsets(machine, 1, 3, {0, 2, 5}), out(machine, 2, 2, DType::F64),
        wrong(machine, 2, 3, DType::F64), none(machine, 1, 0, DType::I32);
    testing::expect_refused([&] { ops::gram(stream, x, offsets, narrow, offsets, 3, out); }, {"gram", "y", "(5, 4)", "(5, 3)"});
    testing::expect_refused([&] { ops::gram(stream, x, offsets, x, offsets, 3, wrong); }, {"gram", "out", "(2, 2)"});
    testing::expect_refused([&] { ops::gram(stream, x, none, x, offsets, 3, out); }, {"gram", "x_offsets", "1 or more"});
    testing::expect_refused([&] { ops::gram(stream, x, offsets, x, offsets, -1, out); }, {"gram", "longest"});
    testing::expect_refused([&] { ops::add_combination(stream, x, offsets, wrong, x, offsets, 3); }, {"add_combination", "coefficients"});
#ifndef VACCINE_TEST_CUDA
    Buffer beyond(machine, 1, 3, {0, 2, 6}), descending(machine, 1, 3, {0, 4, 3});
    testing::expect_refused([&] { ops::gram(stream, x, beyond, x, offsets, 4, out); }, {"gram", "x_offsets", "got 6"});
    testing::expect_refused([&] { ops::gram(stream, x, offsets, x, descending, 4, out); }, {"gram", "y_offsets", "ascending"});
    testing::expect_refused([&] { ops::gram(stream, x, offsets, x, offsets, 2, out); }, {"gram", "x_offsets", "longest"});
#endif
}

}  // namespace

int main() {
    const auto name = [](const Case& k) {
        return std::to_string(k.x.size()) + " and " + std::to_string(k.y.size()) + " samples x " + std::to_string(k.columns);
    };
    int failed = testing::run_all("gram", cases(), products, name);
    failed |= testing::run_all("add_combination", cases(), combinations, name);
    return testing::run_all("gram, rules", {{"distances", distances}, {"refusals", refusals}}) | failed;
}
