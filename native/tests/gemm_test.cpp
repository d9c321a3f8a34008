// Every instruction set of this machine against sums in double; bits that must not depend on threads, other rows, or workspace.
#include "ops/cpu/gemm.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/cpu_features.h"
#include "ops/cpu/pool.h"
#include "testing.h"

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace vaccine;
using namespace vaccine::testing;
using ops::gemm, ops::gemm_workspace_bytes, ops::GemmOperand;

namespace {

enum class Layout { Rows, Columns, Apart };  // rows contiguous, columns contiguous, neither

struct Case {
    Isa isa;
    int64_t M, N, K;
    Layout a, b;
    DType a_type = DType::F32, b_type = DType::F32;
    float alpha = 1;
    bool accumulate = false, bias = false;
};

const char* name_of_layout(Layout layout) {
    return layout == Layout::Rows ? "rows" : layout == Layout::Columns ? "columns" : "apart";
}

std::string name(const Case& k) {
    return std::string(vaccine::name_of(k.isa)) + " " + std::to_string(k.M) + "x" + std::to_string(k.N) + "x" + std::to_string(k.K) +
           " a " + name_of_layout(k.a) + " " + testing::name_of(k.a_type) + " b " + name_of_layout(k.b) + " " + testing::name_of(k.b_type) +
           (k.accumulate ? " accumulated" : "") + (k.bias ? " bias" : "");
}

/// One for each number of threads: threads and workspace are dear.
Machine& machine_with(int32_t threads) {
    static std::map<int32_t, Machine> machines;
    return machines.try_emplace(threads, threads).first->second;
}

/// ThreadSanitizer, which is slow, asks only what threads do with each other: one instruction set is enough.
std::vector<Isa> isas() {
#if defined(__SANITIZE_THREAD__)
    return {best_isa()};
#else
    return available_isas();
#endif
}

std::vector<Case> cases() {
    std::vector<Case> list;
    for (Isa isa : isas()) {
        for (int64_t M : {1, 2, 3, 4, 5, 13, 29, 31, 32, 33, 70})
            for (int64_t N : {1, 8, 15, 31, 32, 33, 63})
                for (int64_t K : {1, 16, 31, 33})
                    for (Layout b : {Layout::Rows, Layout::Columns}) list.push_back({isa, M, N, K, Layout::Rows, b});
        for (Layout a : {Layout::Rows, Layout::Columns, Layout::Apart})
            for (Layout b : {Layout::Rows, Layout::Columns, Layout::Apart})
                for (auto [M, N, K] : {std::array<int64_t, 3>{3, 70, 385}, {45, 40, 17}, {150, 65, 400}, {33, 1061, 21}, {45, 7, 17}})
                    for (DType a_type : {DType::F32, DType::BF16})
                        for (DType b_type : {DType::F32, DType::BF16})
                            list.push_back({isa, M, N, K, a, b, a_type, b_type, 0.5f, M == 45, M != 3});
        for (int64_t K : {0, 1, 768, 769})
            for (bool accumulate : {false, true})
                for (bool bias : {false, true})
                    for (int64_t M : {2, 64})
                        list.push_back({isa, M, 37, K, Layout::Rows, Layout::Columns, DType::F32, DType::BF16, -1.5f, accumulate, bias});
    }
    return list;
}

/// A matrix in a buffer of its own, with what an operand needs to know.
struct Matrix {
    Buffer buffer;
    GemmOperand operand;
    std::vector<double> values;

    Matrix(Machine& machine, Random& random, int64_t rows, int64_t columns, Layout layout, DType type)
        : buffer(machine, layout == Layout::Columns ? columns : rows,
                 layout == Layout::Columns ? rows : (layout == Layout::Apart ? 2 : 1) * columns, type) {
        buffer.fill(random);
        values = buffer.values();
        const int64_t width = buffer.view().columns;
        operand = {buffer.view().data, type, layout == Layout::Columns ? 1 : width,
                   layout == Layout::Columns ? width
                   : layout == Layout::Apart ? 2
                                             : 1};
    }
    double at(int64_t i, int64_t j) const { return values[i * operand.row_stride + j * operand.column_stride]; }
};

void run(const Case& k) {
    force_isa(k.isa);
    Machine& machine = machine_with(3);
    Random random(17);
    Matrix a(machine, random, k.M, k.K, k.a, k.a_type), b(machine, random, k.K, k.N, k.b, k.b_type);
    Buffer bias(machine, 1, k.N), c(machine, k.M, k.N + 3);  // three columns that are not c's
    bias.fill(random);
    c.fill(random);
    const std::vector<double> c0 = c.values(), bias0 = bias.values();
    if (!k.accumulate) {  // what is there must not matter
        std::vector<double> poisoned = c0;
        for (int64_t i = 0; i < k.M; ++i)
            for (int64_t j = 0; j < k.N; ++j) poisoned[i * (k.N + 3) + j] = NAN;
        c.set(poisoned);
    }

    gemm(machine.stream(), {k.M, k.N, k.K, k.alpha, a.operand, b.operand, c.view().as<float>(), k.N + 3, k.accumulate,
                            k.bias ? bias.view().as<float>() : nullptr});

    const Tolerance allowed{2e-5 + 1e-7 * k.K, 2e-5};  // the longer the sum, the more it rounds
    const std::vector<double> got = c.values();
    for (int64_t i = 0; i < k.M; ++i)
        for (int64_t j = 0; j < k.N + 3; ++j) {
            const double before = c0[i * (k.N + 3) + j];
            double sum = 0;
            for (int64_t s = 0; s < k.K && j < k.N; ++s) sum += a.at(i, s) * b.at(s, j);
            const double want = j < k.N ? k.alpha * sum + (k.bias ? bias0[j] : 0) + (k.accumulate ? before : 0) : before;
            near(got[i * (k.N + 3) + j], want, j < k.N ? allowed : Tolerance{0, 0}, "c", i, j);
        }
    for (Buffer* each : {&a.buffer, &b.buffer, &bias, &c}) each->check_guards();
    machine.check_guards();
}

/// The bits of c (M, N) for rows `first` to `first + rows` of one fixed problem.
std::vector<float> bits(int32_t threads, int64_t workspace_rows, int64_t M, int64_t N, int64_t K, int64_t first, int64_t rows,
                        Layout layout, DType b_type = DType::BF16) {
    Machine& machine = machine_with(threads);
    Stream stream = machine.stream();
    stream.workspace_bytes = std::min(stream.workspace_bytes, gemm_workspace_bytes(threads, workspace_rows));
    Random random(5);
    Matrix a(machine, random, M, K, layout, DType::F32), b(machine, random, K, N, Layout::Columns, b_type);
    Buffer c(machine, rows, N);
    GemmOperand part = a.operand;
    part.data = static_cast<const float*>(part.data) + first * part.row_stride;
    gemm(stream, {rows, N, K, 0.7f, part, b.operand, c.view().as<float>(), N, false, nullptr});
    c.check_guards();
    machine.check_guards();
    const float* values = c.view().as<float>();
    return {values, values + rows * N};
}

void same_bits(Isa isa, int64_t M, int64_t N, int64_t K) {
    force_isa(isa);
    for (Layout layout : {Layout::Rows, Layout::Columns}) {
        const std::vector<float> whole = bits(1, 4096, M, N, K, 0, M, layout);
        for (int32_t threads : {2, 3, 4})
            check(bits(threads, 4096, M, N, K, 0, M, layout) == whole, "the number of threads changes the result");
        check(bits(2, 1, M, N, K, 0, M, layout) == whole, "the size of the workspace changes the result");
        for (auto [first, rows] : {std::pair<int64_t, int64_t>{0, 1}, {M - 1, 1}, {1, 4}, {3, 30}, {5, M - 7}}) {
            const std::vector<float> part = bits(2, 4096, M, N, K, first, rows, layout);
            check(std::equal(part.begin(), part.end(), whole.begin() + first * N),
                  "rows " + std::to_string(first) + " to " + std::to_string(first + rows) + " differ without the others");
        }
    }
}

/// Whatever kernel serves so many rows (dot, swapped, few, blocks), a row's bits are those of the whole.
void same_bits_for_few_rows(Isa isa) {
    force_isa(isa);
    for (DType type : {DType::F32, DType::BF16})
        for (auto [N, K] : {std::pair<int64_t, int64_t>{50, 100}, {70, 1003}, {16, 385}, {2100, 420}}) {
            const std::vector<float> whole = bits(1, 4096, 150, N, K, 0, 150, Layout::Rows, type);
            for (int32_t threads : {1, 3})
                for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 25, 32, 40, 64, 65, 112, 113}) {
                    const std::vector<float> part = bits(threads, 4096, 150, N, K, 7, rows, Layout::Rows, type);
                    check(std::equal(part.begin(), part.end(), whole.begin() + 7 * N),
                          std::string(vaccine::name_of(isa)) + ": " + std::to_string(rows) + " rows of " + std::to_string(N) + "x" +
                              std::to_string(K) + " differ from the same rows among 150");
                }
        }
}

#if defined(__unix__)
/// Floats that end where a page begins that must not be touched.
class LastPage {
public:
    explicit LastPage(int64_t bytes) : page_(sysconf(_SC_PAGESIZE)), whole_((bytes + page_ - 1) / page_ * page_) {
        void* memory = mmap(nullptr, whole_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        check(memory != MAP_FAILED, "mmap failed");
        base_ = static_cast<char*>(memory);
        check(mprotect(base_ + whole_, page_, PROT_NONE) == 0, "mprotect failed");
        data_ = base_ + whole_ - bytes;
    }
    ~LastPage() { munmap(base_, whole_ + page_); }
    LastPage(const LastPage&) = delete;
    LastPage& operator=(const LastPage&) = delete;

    void* data() const { return data_; }

private:
    int64_t page_, whole_;
    char* base_;
    void* data_;
};

/// Reading past an operand's end would end the program.
void stays_inside(Isa isa) {
    force_isa(isa);
    for (auto [M, N, K] : {std::array<int64_t, 3>{3, 5, 7},
                           {29, 33, 17},
                           {45, 7, 33},
                           {60, 31, 15},
                           {8, 128, 40},
                           {4, 37, 65},
                           {2, 16, 32},
                           {33, 16, 16},
                           {50, 47, 9},
                           {13, 21, 70},
                           {64, 16, 100}})
        for (DType type : {DType::F32, DType::BF16})
            for (bool a_turned : {false, true})
                for (bool b_turned : {false, true}) {
                    LastPage a(M * K * size_of(type)), b(K * N * size_of(type)), c(M * N * 4), bias(N * 4);
                    gemm(machine_with(2).stream(), {M,
                                                    N,
                                                    K,
                                                    1,
                                                    {a.data(), type, a_turned ? 1 : K, a_turned ? M : 1},
                                                    {b.data(), type, b_turned ? 1 : N, b_turned ? K : 1},
                                                    static_cast<float*>(c.data()),
                                                    N,
                                                    true,
                                                    static_cast<float*>(bias.data())});
                }
}
#endif

void vector_sets_agree() {
    if (best_isa() < Isa::Avx512) return;
    force_isa(Isa::Avx2);
    std::vector<std::vector<float>> narrow;
    for (int64_t rows : {3, 8, 61}) narrow.push_back(bits(2, 4096, 61, 77, 500, 0, rows, Layout::Rows));
    force_isa(Isa::Avx512);
    for (const std::vector<float>& each : narrow)
        check(bits(2, 4096, 61, 77, 500, 0, static_cast<int64_t>(each.size()) / 77, Layout::Rows) == each, "AVX2 and AVX-512 differ");
}

void too_little_workspace() {
    Machine& machine = machine_with(2);
    Stream stream = machine.stream();
    stream.workspace_bytes = gemm_workspace_bytes(2, 1) - 256;
    Buffer c(machine, 1, 1);
    try {
        gemm(stream,
             {1, 1, 1, 1, {c.view().data, DType::F32, 1, 1}, {c.view().data, DType::F32, 1, 1}, c.view().as<float>(), 1, false, nullptr});
    } catch (const Error& error) {
        check(error.status() == Status::Internal, "wrong status");
        return;
    }
    fail("ran without workspace");
}

}  // namespace

int main() {
    const int values = run_all("gemm", cases(), run, name);
    std::vector<NamedTest> rules = {{"AVX2 and AVX-512 agree", vector_sets_agree}, {"too little workspace", too_little_workspace}};
    for (Isa isa : isas()) {
#if defined(__unix__)
        rules.push_back({"stays inside", [isa] { stays_inside(isa); }});
#endif
        rules.push_back({"same bits for few rows", [isa] { same_bits_for_few_rows(isa); }});
        rules.push_back({"same bits, narrow", [isa] { same_bits(isa, 200, 8, 420); }});
        rules.push_back({"same bits, small", [isa] { same_bits(isa, 40, 50, 100); }});
        rules.push_back({"same bits, large", [isa] { same_bits(isa, 300, 1100, 420); }});
    }
    return values | run_all("gemm rules", rules);
}
