// embedding_forward and embedding_backward.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t T, V, C;
    float scale = 1;
};

std::vector<Case> cases() {
    return {{1, 1, 1}, {33, 7, 31}, {31, 100, 32}, {300, 11, 133}, {270, 2, 1040}, {0, 5, 16}, {31, 100, 32, 2.7f}, {40, 11, 33, 2.7f}};
}

void run(const Case& k) {
    for (DType table_type : {DType::F32, DType::BF16})
        for (DType type : testing::activation_types())
            testing::on_every_machine_and_alignment([&](Machine& machine) {
                testing::Random random(7);
                std::vector<int32_t> token;
                for (int64_t t = 0; t < k.T; ++t) token.push_back(static_cast<int32_t>(random.below(k.V)));
                Buffer tokens(machine, 1, k.T, token), table(machine, k.V, k.C, table_type), x(machine, k.T, k.C, type);
                Buffer dx(machine, k.T, k.C, type), dtable(machine, k.V, k.C);
                for (Buffer* buffer : {&table, &dx, &dtable}) buffer->fill(random);
                const auto table0 = table.values(), dx0 = dx.values();
                auto want_x = x.values(), want_dtable = dtable.values();
                for (size_t t = 0; t < token.size(); ++t)
                    for (int64_t c = 0; c < k.C; ++c) {
                        const size_t row = t * static_cast<size_t>(k.C) + c, entry = static_cast<size_t>(token[t] * k.C + c);
                        want_x[row] = static_cast<float>(table0[entry]) * k.scale;
                        want_dtable[entry] = static_cast<float>(want_dtable[entry]) + k.scale * static_cast<float>(dx0[row]);
                    }
                ops::embedding_forward(machine.stream(), tokens, table, k.scale, x);
                ops::embedding_backward(machine.stream(), tokens, dx, k.scale, dtable);
                const testing::Tolerance moved = type == DType::F32 ? testing::Tolerance{0, 0} : testing::tolerance(type);
                testing::near_all(x, want_x, moved, "x");
                // A product and a sum may be rounded as one.
                const testing::Tolerance summed = k.scale == 1 ? testing::Tolerance{0, 0} : testing::Tolerance{1e-6, 1e-6};
                testing::near_all(dtable, want_dtable, summed, "dtable, summed in the order of t");
                return testing::collect({&tokens, &table, &x, &dx, &dtable});
            });
}

void refusals() {
    Machine machine;
    Buffer table(machine, 3, 4), x(machine, 2, 4), good(machine, 1, 2, {0, 2}), bad(machine, 1, 2, {1, -1});
    testing::expect_refused([&] { ops::embedding_forward(machine.stream(), good, table, 1, table); }, {"embedding_forward", "x", "(2, 4)"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { ops::embedding_forward(machine.stream(), bad, table, 1, x); },
                            {"embedding_forward", "tokens[1]", "got -1"});
    testing::expect_refused([&] { ops::embedding_backward(machine.stream(), bad, x, 1, table); }, {"embedding_backward", "tokens[1]"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("embedding", cases(), run, [](const Case& k) {
        return "T=" + std::to_string(k.T) + " V=" + std::to_string(k.V) + " C=" + std::to_string(k.C) + " scale=" + std::to_string(k.scale);
    });
    return testing::run_all("embedding, rules", {{"refusals", refusals}}) | failed;
}
