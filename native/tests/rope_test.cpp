// rope_table, rope_forward, rope_backward.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t T, heads, head_size;
};

std::vector<Case> cases() {
    return {{1, 1, 2}, {31, 3, 16}, {33, 2, 22}, {32, 1, 64}, {400, 2, 128}, {3, 33, 128}, {0, 2, 16}};
}

constexpr int64_t kPositions = 100;

std::vector<double> frequencies(int64_t half) {
    std::vector<double> list;
    for (int64_t i = 0; i < half; ++i) {
        const double exact = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
        list.push_back(static_cast<double>(static_cast<float>(exact)));
    }
    return list;
}

void run(const Case& k) {
    const int64_t half = k.head_size / 2, columns = k.heads * k.head_size;
    for (DType type : testing::activation_types())
        testing::on_every_machine_and_alignment([&](Machine& machine) {
            testing::Random random(8);
            std::vector<int32_t> position;
            for (int64_t t = 0; t < k.T; ++t) position.push_back(static_cast<int32_t>(t * 7 % kPositions));
            Buffer frequency(machine, 1, half), cosine(machine, kPositions, half), sine(machine, kPositions, half);
            Buffer x(machine, k.T, columns, type), positions(machine, 1, k.T, position);
            frequency.set(frequencies(half));
            x.fill(random);
            const auto x0 = x.values();
            ops::rope_table(machine.stream(), frequency, cosine, sine);
            const auto c0 = cosine.values(), s0 = sine.values();
            for (int64_t p = 0; p < kPositions; ++p)
                for (int64_t i = 0; i < half; ++i) {
                    const float angle = static_cast<float>(p) * static_cast<float>(frequencies(half)[i]);
                    testing::near(c0[p * half + i], std::cos(static_cast<double>(angle)), {1.2e-7, 0}, "cosine", p, i);
                    testing::near(s0[p * half + i], std::sin(static_cast<double>(angle)), {1.2e-7, 0}, "sine", p, i);
                }

            std::vector<double> want(x0.size());
            for (int64_t t = 0; t < k.T; ++t)
                for (int64_t h = 0; h < k.heads; ++h)
                    for (int64_t i = 0; i < half; ++i) {
                        const size_t low = static_cast<size_t>(t * columns + h * k.head_size + i), angle = position[t] * half + i;
                        want[low] = x0[low] * c0[angle] - x0[low + half] * s0[angle];
                        want[low + half] = x0[low + half] * c0[angle] + x0[low] * s0[angle];
                    }
            ops::rope_forward(machine.stream(), x, positions, cosine, sine, k.head_size);
            testing::near_all(x, want, testing::tolerance(type), "x");
            auto bytes = testing::collect({&frequency, &cosine, &sine, &x, &positions});

            // A rotation's transpose is its inverse.
            ops::rope_backward(machine.stream(), x, positions, cosine, sine, k.head_size);
            testing::near_all(x, x0, testing::tolerance(type), "dx");
            const auto back = testing::collect({&x});
            bytes.insert(bytes.end(), back.begin(), back.end());
            return bytes;
        });
}

void refusals() {
    Machine machine;
    Buffer x(machine, 2, 12), table(machine, 5, 2), positions(machine, 1, 2, {0, 5});
    const auto forward = [&](int64_t head_size) { ops::rope_forward(machine.stream(), x, positions, table, table, head_size); };
    testing::expect_refused([&] { forward(3); }, {"rope_forward", "head_size"});
    testing::expect_refused([&] { forward(8); }, {"rope_forward", "whole heads"});
    testing::expect_refused([&] { forward(6); }, {"rope_forward", "cosine", "(5, 3)"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { forward(4); }, {"rope_forward", "positions[1]", "got 5"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("rope", cases(), run, [](const Case& k) {
        return "T=" + std::to_string(k.T) + " heads " + std::to_string(k.heads) + " x " + std::to_string(k.head_size);
    });
    return testing::run_all("rope, rules", {{"refusals", refusals}}) | failed;
}
