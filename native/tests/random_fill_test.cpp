// fill_normal and fill_uniform: element by element from the words of the sequence, and their statistics.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

const std::vector<int64_t> kSizes{0, 1, 3, 4, 31, 32, 33, 10001};
constexpr RandomKey kKey{0x123456789ABCDEFull, 7, 0x20000105};

std::vector<uint32_t> words(int64_t n) {
    std::vector<uint32_t> list;
    for (int64_t i = 0; i < n; ++i) list.push_back(random_block(kKey, static_cast<uint64_t>(i / 4)).word[i % 4]);
    return list;
}

void elements(int64_t n) {
    testing::on_every_machine_and_alignment([&](Machine& machine) {
        Buffer normal(machine, 1, n), uniform(machine, 1, n);
        ops::fill_normal(machine.stream(), normal, 2, kKey);
        ops::fill_uniform(machine.stream(), uniform, -3, 5, kKey);
        const auto word = words((n + 1) / 2 * 2);
        std::vector<double> want_normal(static_cast<size_t>(n)), want_uniform(static_cast<size_t>(n));
        for (size_t i = 0; i < want_normal.size(); ++i) {
            const size_t pair = i / 2 * 2;
            const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(random_uniform(word[pair]))));
            const double angle = 2 * 3.14159265358979323846 * static_cast<double>(random_uniform(word[pair + 1]));
            want_normal[i] = 2 * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
            want_uniform[i] = static_cast<double>(-3.0f + 8.0f * random_uniform(word[i]));  // each step rounded: the same bits everywhere
        }
        testing::near_all(normal, want_normal, {4e-6, 1e-6}, "normal");
        testing::near_all(uniform, want_uniform, {0, 0}, "uniform");
        return testing::collect({&normal, &uniform});
    });
}

/// Of a million numbers, within five standard errors.
void statistics() {
    Machine machine;
    constexpr int64_t n = 1 << 20;
    Buffer x(machine, 1, n);
    ops::fill_normal(machine.stream(), x, 1, kKey);
    double sum = 0, square = 0, cube = 0, fourth = 0, neighbours = 0, within = 0;
    const auto value = x.values();
    for (size_t i = 0; i < value.size(); ++i) {
        const double v = value[i];
        sum += v, square += v * v, cube += v * v * v, fourth += v * v * v * v;
        within += std::abs(v) < 1;
        if (i > 0) neighbours += v * value[i - 1];
    }
    const double root = std::sqrt(static_cast<double>(n)), count = static_cast<double>(n);
    testing::near(sum / count, 0, {5 / root, 0}, "mean");
    testing::near(square / count, 1, {5 * std::sqrt(2.0) / root, 0}, "variance");
    testing::near(cube / count, 0, {5 * std::sqrt(15.0) / root, 0}, "third moment");
    testing::near(fourth / count, 3, {5 * std::sqrt(96.0) / root, 0}, "fourth moment");
    testing::near(neighbours / count, 0, {5 / root, 0}, "correlation of neighbours");
    testing::near(within / count, 0.682689492137, {5 * 0.4654 / root, 0}, "share within one deviation");
}

/// high itself never comes, even where low + (high - low) * u rounds to it.
void open_end() {
    Machine machine;
    Buffer x(machine, 1, 4096);
    const float low = 1, high = std::nextafter(1.0f, 2.0f);
    ops::fill_uniform(machine.stream(), x, low, high, kKey);
    for (double value : x.values()) testing::check(value == static_cast<double>(low), "a uniform number is not below the end");
}

void keys_matter() {
    Machine machine;
    Buffer x(machine, 1, 8), y(machine, 1, 8);
    ops::fill_uniform(machine.stream(), x, 0, 1, kKey);
    for (RandomKey other : {RandomKey{kKey.seed + 1, kKey.step, kKey.purpose}, RandomKey{kKey.seed, kKey.step + 1, kKey.purpose},
                            RandomKey{kKey.seed, kKey.step, kKey.purpose + 1}}) {
        ops::fill_uniform(machine.stream(), y, 0, 1, other);
        testing::check(x.bytes() != y.bytes(), "another key gives the same numbers");
    }
}

}  // namespace

int main() {
    const int failed = testing::run_all("random_fill", kSizes, elements, [](int64_t n) { return "n=" + std::to_string(n); });
    return testing::run_all("random_fill, rules", {{"statistics", statistics}, {"open end", open_end}, {"keys matter", keys_matter}}) |
           failed;
}
