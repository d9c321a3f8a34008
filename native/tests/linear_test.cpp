// linear_forward and linear_backward against sums in double, with the masks of core/philox.h, on every instruction set; and the
// gradients once more against finite differences.
#include <algorithm>

#include "core/cpu_features.h"
#include "ops/cpu/linear.h"
#include "testing.h"

using namespace nv;
using namespace nv::testing;

namespace {

struct Case {
    Isa isa;
    int64_t T, in, out, rank;  // rank 0: no adapter
    float dropout = 0;
    DType w_type = DType::F32;
    bool bias = false, accumulate = false;
    bool dx = true, weights = false;  // which gradients
};

std::string name(const Case& k) {
    return std::string(nv::name_of(k.isa)) + " T=" + std::to_string(k.T) + " in=" + std::to_string(k.in) + " out=" + std::to_string(k.out) +
           " r=" + std::to_string(k.rank) + " p=" + std::to_string(k.dropout) + " w " + testing::name_of(k.w_type) +
           (k.bias ? " bias" : "") + (k.accumulate ? " accumulated" : "") + (k.dx ? " dx" : "") + (k.weights ? " dw" : "");
}

std::vector<Case> cases() {
    std::vector<Case> list;
    for (Isa isa : available_isas()) {
        for (int64_t T : {0, 1, 4, 31, 32, 33, 130})
            for (auto [in, out] : {std::pair<int64_t, int64_t>{1, 1}, {31, 33}, {32, 32}, {33, 70}, {64, 31}})
                for (int64_t rank : {0, 1, 8, 33})
                    for (float dropout : {0.0f, 0.3f})
                        if (rank > 0 || dropout == 0)
                            list.push_back({isa, T, in, out, rank, dropout, (T + rank) % 2 ? DType::BF16 : DType::F32, rank % 2 == 0,
                                            T % 3 == 1, rank != 1, rank != 8 || T == 33});
        list.push_back({isa, 300, 4000, 5, 4, 0.1f});  // dropout(x) takes more than one piece
    }
    return list;
}

/// All inputs in double, and the formulas of ops.h as loops.
struct Reference {
    int64_t T, in, out, rank;
    double scale;
    std::vector<double> x, w, bias, a, b, mask, dy;  // mask: 0 or 1 / (1 - p)

    std::vector<double> h() const {
        std::vector<double> h(T * rank);
        for (int64_t t = 0; t < T; ++t)
            for (int64_t r = 0; r < rank; ++r)
                for (int64_t i = 0; i < in; ++i) h[t * rank + r] += x[t * in + i] * mask[t * in + i] * a[r * in + i];
        return h;
    }
    std::vector<double> y() const {
        const std::vector<double> hidden = h();
        std::vector<double> y(T * out);
        for (int64_t t = 0; t < T; ++t)
            for (int64_t o = 0; o < out; ++o) {
                double sum = bias.empty() ? 0 : bias[o];
                for (int64_t i = 0; i < in; ++i) sum += x[t * in + i] * w[o * in + i];
                for (int64_t r = 0; r < rank; ++r) sum += scale * hidden[t * rank + r] * b[o * rank + r];
                y[t * out + o] = sum;
            }
        return y;
    }
    /// What the gradients are the gradients of.
    double objective() const {
        const std::vector<double> values = y();
        double sum = 0;
        for (size_t i = 0; i < values.size(); ++i) sum += values[i] * dy[i];
        return sum;
    }
};

std::vector<double> dropout_mask(const ops::Dropout& dropout, int64_t count) {
    std::vector<double> mask(count);
    for (int64_t i = 0; i < count; ++i) {
        const float u = random_uniform(random_block(dropout.key, i / 4).word[i % 4]);
        mask[i] = u < dropout.probability ? 0 : 1 / (1 - double{dropout.probability});
    }
    return mask;
}

/// `samples` elements of got against before + d objective / d values.
void check_gradient(Buffer& got, const std::vector<double>& before, Reference& reference, std::vector<double> Reference::*values,
                    Random& random, const char* what) {
    const std::vector<double> result = got.values();
    const bool every = result.size() * reference.x.size() < 2000;
    const size_t samples = every ? result.size() : std::min<size_t>(result.size(), 4);
    for (size_t s = 0; s < samples; ++s) {
        const size_t i = every ? s : static_cast<size_t>(random.below(static_cast<int64_t>(result.size())));
        double& value = (reference.*values)[i];
        const double at = value, step = 1e-3;  // the objective is linear in each: a long step costs nothing
        value = at + step;
        const double above = reference.objective();
        value = at - step;
        const double want = before[i] + (above - reference.objective()) / (2 * step);
        value = at;
        near(result[i], want, {1e-4, 2e-5}, what, static_cast<int64_t>(i) / got.view().columns,
             static_cast<int64_t>(i) % got.view().columns);
    }
}

Machine& machine() {
    static Machine machine(3);
    return machine;
}

/// Buffers of one call, filled.
struct Problem {
    Buffer x, w, bias, a, b, h, y, dy, dx, dw, dbias, da, db, scratch;
    ops::Lora lora;

    Problem(Machine& m, const Case& k)
        : x(m, k.T, k.in),
          w(m, k.out, k.in, k.w_type),
          bias(m, 1, k.out),
          a(m, k.rank, k.in),
          b(m, k.out, k.rank),
          h(m, k.T, k.rank),
          y(m, k.T, k.out),
          dy(m, k.T, k.out),
          dx(m, k.T, k.in),
          dw(m, k.out, k.in),
          dbias(m, 1, k.out),
          da(m, k.rank, k.in),
          db(m, k.out, k.rank),
          scratch(m, k.T, k.in + k.rank) {
        Random random(23);
        for (Buffer* each : {&x, &w, &bias, &a, &b, &dy, &dw, &dbias, &da, &db}) each->fill(random);
        if (k.accumulate) {
            y.fill(random);
            dx.fill(random);
        }
        if (k.rank > 0) lora = {a, b, 0.75f, {k.dropout, {0x123456789ABCDEF0, 7, random_purpose(RandomUse::Dropout, 1, 2, 3)}}, h};
    }
    std::vector<Buffer*> all() { return {&x, &w, &bias, &a, &b, &h, &y, &dy, &dx, &dw, &dbias, &da, &db, &scratch}; }
};

void run(const Case& k) {
    force_isa(k.isa);
    Problem p(machine(), k);
    const std::vector<double> none(p.x.count());
    Reference reference{k.T,
                        k.in,
                        k.out,
                        k.rank,
                        0.75,
                        p.x.values(),
                        p.w.values(),
                        k.bias ? p.bias.values() : std::vector<double>{},
                        p.a.values(),
                        p.b.values(),
                        dropout_mask(p.lora.dropout, p.x.count()),
                        p.dy.values()};
    std::vector<double> y = k.accumulate ? p.y.values() : std::vector<double>(p.y.count());
    const std::vector<double> dx0 = k.accumulate ? p.dx.values() : std::vector<double>(p.dx.count());
    const std::vector<double> dw0 = p.dw.values(), dbias0 = p.dbias.values(), da0 = p.da.values(), db0 = p.db.values();

    ops::linear_forward(machine().stream(), p.x, p.w, k.bias ? p.bias.view() : View{}, p.lora, p.y, k.accumulate);
    const std::vector<double> sum = reference.y();
    for (size_t i = 0; i < y.size(); ++i) y[i] += sum[i];
    const Tolerance allowed{2e-5 + 1e-7 * static_cast<double>(k.in), 2e-5};
    if (k.rank > 0) near_all(p.h, reference.h(), allowed, "h");
    near_all(p.y, y, {allowed.absolute * std::max<double>(1, static_cast<double>(k.rank) / 8), 2e-5}, "y");

    ops::LinearGradients gradients;
    if (k.dx) gradients.dx = p.dx;
    gradients.accumulate_dx = k.accumulate;
    if (k.weights) {
        gradients.dw = p.dw;
        gradients.dbias = p.dbias;
    }
    if (k.rank > 0) {
        gradients.da = p.da;
        gradients.db = p.db;
    }
    ops::linear_backward(machine().stream(), p.dy, p.x, p.w, p.lora, gradients, k.rank > 0 ? p.scratch.view() : View{});
    Random random(29);
    if (reference.bias.empty()) reference.bias = std::vector<double>(k.out);
    if (k.dx) check_gradient(p.dx, dx0, reference, &Reference::x, random, "dx");
    if (k.weights)
        check_gradient(p.dw, dw0, reference, &Reference::w, random, "dw");
    else
        near_all(p.dw, dw0, {0, 0}, "dw that nobody wanted");
    if (k.weights)
        check_gradient(p.dbias, dbias0, reference, &Reference::bias, random, "dbias");
    else
        near_all(p.dbias, dbias0, {0, 0}, "dbias that nobody wanted");
    if (k.rank > 0) {
        check_gradient(p.da, da0, reference, &Reference::a, random, "da");
        check_gradient(p.db, db0, reference, &Reference::b, random, "db");
    }
    for (Buffer* each : p.all()) each->check_guards();
    machine().check_guards();
}

/// All outputs of one call, bit by bit.
std::vector<std::vector<unsigned char>> outputs(int32_t threads) {
    Machine m(threads);
    Problem p(m, {active_isa(), 300, 200, 100, 8, 0.1f, DType::F32, true, true});
    ops::linear_forward(m.stream(), p.x, p.w, p.bias, p.lora, p.y, true);
    ops::linear_backward(m.stream(), p.dy, p.x, p.w, p.lora, {p.dx, true, p.dw, p.dbias, p.da, p.db}, p.scratch);
    return {p.h.bytes(), p.y.bytes(), p.dx.bytes(), p.dw.bytes(), p.dbias.bytes(), p.da.bytes(), p.db.bytes()};
}

void same_bits(Isa isa) {
    force_isa(isa);
    const auto expected = outputs(1);
    for (int32_t threads : {2, 4}) check(outputs(threads) == expected, "the number of threads changes the result");
}

/// Only what is asked for is computed: nothing else has a place to go.
void gradients_are_optional() {
    const Case k{best_isa(), 20, 33, 17, 4, 0.2f};
    Problem p(machine(), k), q(machine(), k);
    for (Problem* each : {&p, &q}) ops::linear_forward(machine().stream(), each->x, each->w, {}, each->lora, each->y, false);
    ops::linear_backward(machine().stream(), p.dy, p.x, p.w, p.lora, {p.dx, false, {}, {}, p.da, p.db}, p.scratch);
    ops::linear_backward(machine().stream(), q.dy, q.x, q.w, q.lora, {{}, false, {}, {}, {}, q.db}, q.scratch);
    ops::linear_backward(machine().stream(), q.dy, q.x, q.w, q.lora, {{}, false, {}, {}, q.da, {}}, q.scratch);
    ops::linear_backward(machine().stream(), q.dy, q.x, q.w, q.lora, {q.dx, false, {}, {}, {}, {}}, q.scratch);
    check(p.dx.bytes() == q.dx.bytes() && p.da.bytes() == q.da.bytes() && p.db.bytes() == q.db.bytes(),
          "one at a time gives another result");
}

void planned_workspace_is_enough() {
    const Case k{best_isa(), 300, 64, 33, 8, 0.1f};
    Problem p(machine(), k);
    ops::WorkspaceNeed need;
    need.tokens = k.T;
    need.largest_width = k.in;
    Stream stream = machine().stream();
    stream.workspace_bytes = ops::linear_workspace_bytes(3, need);
    ops::linear_forward(stream, p.x, p.w, {}, p.lora, p.y, false);
    ops::linear_backward(stream, p.dy, p.x, p.w, p.lora, {p.dx, false, p.dw, {}, p.da, p.db}, p.scratch);
}

void bad_arguments() {
    const Case k{best_isa(), 3, 5, 4, 2};
    Problem p(machine(), k);
    Stream& stream = machine().stream();
    Buffer wrong(machine(), 4, 6), integers(machine(), 3, 4, DType::I32);
    expect_refused([&] { ops::linear_forward(stream, p.x, wrong, {}, {}, p.y, false); }, {"linear_forward", "w", "(4, 6)", "(4, 5)"});
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, {}, {}, integers, false); }, {"linear_forward", "y", "fp32", "int32"});
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, wrong, {}, p.y, false); }, {"linear_forward", "bias"});
    p.lora.dropout.probability = 1;
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, {}, p.lora, p.y, false); }, {"linear_forward", "dropout"});
    p.lora.dropout.probability = 0;
    expect_refused(
        [&] {
            ops::linear_backward(stream, p.dy, p.x, p.w, p.lora, {p.dx, false, {}, {}, {}, {}}, {});
        },
        {"linear_backward", "scratch", "(3, 7)"});
    expect_refused(
        [&] {
            ops::linear_backward(stream, p.dy, p.x, p.w, {}, {wrong, false, {}, {}, {}, {}}, {});
        },
        {"linear_backward", "dx"});
}

}  // namespace

int main() {
    const int values = run_all("linear", cases(), run, name);
    std::vector<NamedTest> rules = {{"gradients are optional", gradients_are_optional},
                                    {"planned workspace is enough", planned_workspace_is_enough},
                                    {"bad arguments", bad_arguments}};
    for (Isa isa : available_isas()) rules.push_back({"same bits", [isa] { same_bits(isa); }});
    return values | run_all("linear rules", rules);
}
