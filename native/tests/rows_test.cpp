// gather_rows, scatter_rows, scatter_add_rows.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Case {
    int64_t many, few, columns;
};

std::vector<Case> cases() {
    return {{1, 1, 1}, {40, 33, 31}, {33, 32, 32}, {50, 7, 33}, {9, 0, 16}, {5000, 2001, 17}, {5, 3, 2064}, {5, 3, 2061}};
}

/// `few` distinct rows in an order that is not theirs.
std::vector<int32_t> pick(const Case& k) {
    std::vector<int32_t> rows;
    for (int64_t i = 0; i < k.few; ++i) rows.push_back(static_cast<int32_t>(k.many - 1 - i * k.many / std::max<int64_t>(1, k.few)));
    return rows;
}

void run(const Case& k) {
    for (DType from : {DType::F32, DType::BF16})
        for (DType to : {DType::F32, DType::BF16})
            testing::on_every_machine_and_alignment([&](Machine& machine) {
                testing::Random random(6);
                const std::vector<int32_t> row = pick(k);
                Buffer rows(machine, 1, k.few, row), many(machine, k.many, k.columns, from), few(machine, k.few, k.columns, from);
                Buffer gathered(machine, k.few, k.columns, to), scattered(machine, k.many, k.columns, to),
                    added(machine, k.many, k.columns, to);
                for (Buffer* buffer : {&many, &few, &scattered, &added}) buffer->fill(random);
                const auto many0 = many.values(), few0 = few.values();
                auto want_gathered = gathered.values(), want_scattered = scattered.values(), want_added = added.values();
                for (size_t i = 0; i < row.size(); ++i)
                    for (int64_t c = 0; c < k.columns; ++c) {
                        const size_t compact = i * static_cast<size_t>(k.columns) + c, wide = static_cast<size_t>(row[i] * k.columns + c);
                        want_gathered[compact] = many0[wide];
                        want_scattered[wide] = few0[compact];
                        want_added[wide] += few0[compact];
                    }
                ops::gather_rows(machine.stream(), many, rows, gathered);
                ops::scatter_rows(machine.stream(), few, rows, scattered);
                ops::scatter_add_rows(machine.stream(), few, rows, added);
                const testing::Tolerance moved =
                    from == DType::F32 && to == DType::BF16 ? testing::tolerance(to) : testing::Tolerance{0, 0};
                testing::near_all(gathered, want_gathered, moved, "gathered");
                testing::near_all(scattered, want_scattered, moved, "scattered");
                testing::near_all(added, want_added, testing::tolerance(to), "added");
                return testing::collect({&rows, &many, &few, &gathered, &scattered, &added});
            });
}

void refusals() {
    Machine machine;
    Buffer x(machine, 3, 4), y(machine, 2, 4), rows(machine, 1, 2, {0, 3}), three(machine, 1, 3, {0, 1, 2});
    testing::expect_refused([&] { ops::gather_rows(machine.stream(), x, three, y); }, {"gather_rows", "rows"});
    testing::expect_refused([&] { ops::scatter_rows(machine.stream(), Buffer(machine, 2, 5), rows, x); }, {"scatter_rows", "y", "(3, 5)"});
#ifndef VACCINE_TEST_CUDA
    testing::expect_refused([&] { ops::gather_rows(machine.stream(), x, rows, y); }, {"gather_rows", "rows[1]", "0 to 2", "got 3"});
#endif
}

}  // namespace

int main() {
    const int failed = testing::run_all("rows", cases(), run, [](const Case& k) {
        return std::to_string(k.few) + " of " + std::to_string(k.many) + " x " + std::to_string(k.columns);
    });
    return testing::run_all("rows, rules", {{"refusals", refusals}}) | failed;
}
