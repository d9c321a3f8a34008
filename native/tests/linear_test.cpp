// linear_forward and linear_backward against sums in double, with the masks of core/philox.h; the sums' gradients once against finite
// differences; and what ops.h promises of bits.
#include <algorithm>

#include "linear_cases.h"
#include "linear_reference.h"

using namespace vaccine;
using namespace vaccine::testing;
using namespace vaccine::testing::linear;

namespace {

/// Buffers of one call, filled.
struct Problem {
    Buffer x, w, bias, a, b, h, y, addend, dy, dx, dw, dbias, da, db, scratch;
    ops::Lora lora;

    Problem(Machine& m, const Case& k)
        : x(m, k.T, k.in, k.type),
          w(m, k.out, k.in, k.w_type),
          bias(m, 1, k.out),
          a(m, k.rank, k.in),
          b(m, k.out, k.rank),
          h(m, k.T, k.rank),
          y(m, k.T, k.out, k.y_type()),
          addend(m, k.T, k.out, k.y_type()),
          dy(m, k.T, k.out, k.y_type()),
          dx(m, k.T, k.in, k.type),
          dw(m, k.out, k.in),
          dbias(m, 1, k.out),
          da(m, k.rank, k.in),
          db(m, k.out, k.rank),
          scratch(m, k.T, k.rank) {
        Random random(23);
        for (Buffer* each : {&x, &w, &bias, &a, &b, &dy, &dw, &dbias, &da, &db}) each->fill(random);
        if (k.addend == Addend::Own) y.fill(random);
        if (k.addend == Addend::Other) addend.fill(random);
        if (k.addend != Addend::None) dx.fill(random);
        if (k.rank > 0) lora = {a, b, 0.75f, {k.dropout, {0x123456789ABCDEF0, 7, random_purpose(RandomUse::Dropout, 1, 2, 3)}}, h};
    }
    View addend_view(const Case& k) { return k.addend == Addend::None ? View{} : k.addend == Addend::Own ? y.view() : addend.view(); }
    Reference reference(const Case& k) {
        const auto seen = [&](Buffer& from) {
            Values values = from.values();
            if (k.type == DType::BF16) std::transform(values.begin(), values.end(), values.begin(), round_to_bf16);
            return values;
        };
        return {k.T,        k.in,       k.out,
                k.rank,     0.75,       k.type == DType::BF16,
                x.values(), seen(w),    k.bias ? bias.values() : Values{},
                a.values(), b.values(), dropout_mask(lora.dropout, x.count()),
                seen(dy)};
    }
    std::vector<Buffer*> all() { return {&x, &w, &bias, &a, &b, &h, &y, &addend, &dy, &dx, &dw, &dbias, &da, &db, &scratch}; }
};

/// All that a case should give.
struct Answers {
    Expected h, y, dx, dw, dbias, da, db;

    Answers(Problem& p, const Case& k) {
        const Reference reference = p.reference(k);
        const auto before = [&](Buffer& from, bool adds) { return adds ? from.values() : Values(from.count()); };
        h = reference.h();
        y = reference.y(k.addend == Addend::Other ? p.addend.values() : before(p.y, k.addend == Addend::Own));
        if (k.dx) dx = reference.dx(before(p.dx, k.addend != Addend::None));
        if (k.weights) {
            dw = reference.dw(p.dw.values());
            Reference exact = reference;
            exact.dy = p.dy.values();  // a plain sum rounds nothing
            dbias = exact.dbias(p.dbias.values());
        }
        if (k.rank == 0) return;
        da = reference.da(p.da.values());
        db = reference.db(p.db.values());
    }
};

/// Runs one case; the answers are found once for all machines. Returns all outputs.
Bytes run_on(Machine& m, const Case& k, std::unique_ptr<Answers>& answers) {
    Problem p(m, k);
    if (!answers) answers = std::make_unique<Answers>(p, k);
    ops::linear_forward(m.stream(), p.x, p.w, k.bias ? p.bias.view() : View{}, p.lora, p.y, p.addend_view(k));
    if (k.rank > 0) compare(p.h, answers->h, "h");
    compare(p.y, answers->y, "y");

    ops::LinearGradients gradients;
    if (k.dx) gradients.dx = p.dx;
    gradients.accumulate_dx = k.addend != Addend::None;
    if (k.weights) {
        gradients.dw = p.dw;
        gradients.dbias = p.dbias;
    }
    if (k.rank > 0) {
        gradients.da = p.da;
        gradients.db = p.db;
    }
    const Values dw = p.dw.values(), dbias = p.dbias.values();
    ops::linear_backward(m.stream(), p.dy, p.x, p.w, p.lora, gradients, k.rank > 0 ? p.scratch.view() : View{});
    if (k.dx) compare(p.dx, answers->dx, "dx");
    if (k.weights) {
        compare(p.dw, answers->dw, "dw");
        compare(p.dbias, answers->dbias, "dbias");
    } else {
        near_all(p.dw, dw, {0, 0}, "dw that nobody wanted");
        near_all(p.dbias, dbias, {0, 0}, "dbias that nobody wanted");
    }
    if (k.rank > 0) {
        compare(p.da, answers->da, "da");
        compare(p.db, answers->db, "db");
    }
    for (Buffer* each : p.all()) each->check_guards();
    return collect({&p.h, &p.y, &p.dx, &p.dw, &p.dbias, &p.da, &p.db});
}

void run(const Case& k) {
    std::unique_ptr<Answers> answers;
    on_every_machine([&](Machine& m) { return run_on(m, k, answers); });
}

Machine& machine() {
    static Machine machine(3);
    return machine;
}

/// The reference's formulas for gradients are those of its objective.
void reference_is_right() {
    const Case k{3, 5, 4, 2, 0.3f, DType::F32, DType::F32, true};
    Problem p(machine(), k);
    Reference r = p.reference(k);
    const auto compare_with = [&](const Expected& got, Values Reference::*values, const char* what) {
        for (size_t i = 0; i < got.value.size(); ++i) {
            double& value = (r.*values)[i];
            const double at = value, step = 1e-3;  // the objective is linear in each: a long step costs nothing
            value = at + step;
            const double above = r.objective();
            value = at - step;
            const double want = (above - r.objective()) / (2 * step);
            value = at;
            near(got.value[i], want, {1e-10, 1e-10}, what, static_cast<int64_t>(i));
        }
    };
    compare_with(r.dx(Values(r.x.size())), &Reference::x, "dx");
    compare_with(r.dw(Values(r.w.size())), &Reference::w, "dw");
    compare_with(r.dbias(Values(r.bias.size())), &Reference::bias, "dbias");
    compare_with(r.da(Values(r.a.size())), &Reference::a, "da");
    compare_with(r.db(Values(r.b.size())), &Reference::b, "db");
}

/// A row's bits are the same in any company: 648 rows of these sizes fill large tiles, fewer rows smaller ones.
void rows_stand_alone() {
    for (DType type : activation_types()) {
        Case k{type == DType::BF16 ? 648 : 130, 72, 104, 9, 0.3f, type, type, true, Addend::Other};
        if (type == DType::BF16) k.out = 1040;
        k.logits = true;  // rounding y would hide the order of its sums
        Problem p(machine(), k);
        const ops::Lora& lora = p.lora;
        ops::linear_forward(machine().stream(), p.x, p.w, p.bias, lora, p.y, p.addend);
        ops::linear_backward(machine().stream(), p.dy, p.x, p.w, lora, {p.dx, true, {}, {}, {}, {}}, p.scratch);
        const Bytes y = p.y.bytes(), h = p.h.bytes(), dx = p.dx.bytes();
        for (int64_t rows : {1, 31, 33, 100, 400}) {
            if (rows > k.T) continue;
            Problem few(machine(), k);
            ops::Lora less = few.lora;
            less.h = few.h.view().rows_from(0, rows);
            const auto part = [&](Buffer& from) { return from.view().rows_from(0, rows); };
            const View scratch{few.scratch.view().data, DType::F32, rows, k.rank};
            ops::linear_forward(machine().stream(), part(few.x), few.w, few.bias, less, part(few.y), part(few.addend));
            ops::linear_backward(machine().stream(), part(few.dy), part(few.x), few.w, less, {part(few.dx), true, {}, {}, {}, {}}, scratch);
            const auto same = [&](Buffer& got, const Bytes& want) {
                const Bytes bytes = got.bytes();
                const auto end = static_cast<std::ptrdiff_t>(part(got).bytes());
                return std::equal(bytes.begin(), bytes.begin() + end, want.begin());
            };
            const std::string of = " of " + std::to_string(rows) + " rows differs in " + name_of(type);
            check(same(few.y, y), "y" + of);
            check(same(few.h, h), "h" + of);
            check(same(few.dx, dx), "dx" + of);
        }
    }
}

/// Only what is asked for is computed: nothing else has a place to go.
void gradients_are_optional() {
    for (DType type : activation_types()) {
        const Case k{20, 40, 24, 4, 0.2f, type, type};
        Problem p(machine(), k), q(machine(), k);
        for (Problem* each : {&p, &q}) ops::linear_forward(machine().stream(), each->x, each->w, {}, each->lora, each->y, {});
        ops::linear_backward(machine().stream(), p.dy, p.x, p.w, p.lora, {p.dx, false, {}, {}, p.da, p.db}, p.scratch);
        const auto only = [&](const ops::LinearGradients& gradients) {
            q.scratch.fill_with(NAN);  // nothing may be left from another call
            ops::linear_backward(machine().stream(), q.dy, q.x, q.w, q.lora, gradients, q.scratch);
        };
        only({{}, false, {}, {}, {}, q.db});
        only({{}, false, {}, {}, q.da, {}});
        only({q.dx, false, {}, {}, {}, {}});
        check(p.dx.bytes() == q.dx.bytes() && p.da.bytes() == q.da.bytes() && p.db.bytes() == q.db.bytes(),
              "one at a time gives another result");
    }
}

void planned_workspace_is_enough() {
    for (DType type : activation_types()) {
        const Case k{300, 64, 40, 8, 0.1f, type, DType::F32, false, Addend::None, true, true, true};
        ops::WorkspaceNeed need;
        need.tokens = k.T;
        need.largest_width = k.in;
        Machine tight(3, need);
        Problem p(tight, k);
        ops::linear_forward(tight.stream(), p.x, p.w, {}, p.lora, p.y, {});
        ops::linear_backward(tight.stream(), p.dy, p.x, p.w, p.lora, {p.dx, false, p.dw, {}, p.da, p.db}, p.scratch);
        tight.check_guards();
    }
}

/// A w of fp32 that a bf16 engine rounds a panel at a time gives what its rounded copy gives, in both directions.
void weights_in_panels() {
    if (activation_types().size() < 2) return;
    Machine& m = machine();
    const int64_t T = 3, in = 4096, out = 2056;  // 16 MiB in bf16, and a little
    Buffer x(m, T, in, DType::BF16), w(m, out, in), rounded(m, out, in, DType::BF16), bias(m, 1, out), addend(m, T, out, DType::BF16);
    Buffer y(m, T, out, DType::BF16), dx(m, T, in, DType::BF16);
    Random random(37);
    for (Buffer* each : {&x, &w, &bias, &addend}) each->fill(random);
    ops::copy(m.stream(), w, rounded);
    Bytes got[2];
    for (Buffer* each : {&w, &rounded}) {
        ops::linear_forward(m.stream(), x, *each, bias, {}, y, addend);
        ops::linear_backward(m.stream(), y, x, *each, {}, {dx, false, {}, {}, {}, {}}, {});
        got[each == &w] = collect({&y, &dx});
    }
    check(got[0] == got[1], "the results differ");
}

/// An fp32 gradient of logits so wide that a bf16 engine rounds it in two pieces.
void logits_in_pieces() {
    if (activation_types().size() < 2) return;
    const int64_t T = 260, in = 8, out = 65536, piece = 256;  // a piece is 32 MiB in bf16
    ops::WorkspaceNeed need;
    need.tokens = T;
    need.largest_width = out;
    Machine wide(3, need);
    Buffer x(wide, T, in, DType::BF16), w(wide, out, in, DType::BF16), dy(wide, T, out), dx(wide, T, in, DType::BF16), dw(wide, out, in);
    Random random(31);
    for (Buffer* each : {&x, &w, &dy}) each->fill(random);
    dw.fill_with(0);
    ops::linear_backward(wide.stream(), dy, x, w, {}, {dx, false, dw, {}, {}, {}}, {});
    const Bytes whole = collect({&dx});
    const Values sums = dw.values(), inputs = x.values(), gradients = dy.values();
    for (int64_t o : {int64_t{0}, int64_t{77}, out - 1})
        for (int64_t i = 0; i < in; ++i) {
            double want = 0;
            for (int64_t t = 0; t < T; ++t) want += round_to_bf16(gradients[t * out + o]) * inputs[t * in + i];
            near(sums[o * in + i], want, {1e-4, 1e-5}, "dw", o, i);
        }
    const View rest = dx.view().rows_from(piece, T - piece);
    ops::linear_backward(wide.stream(), dy.view().rows_from(piece, T - piece), x.view().rows_from(piece, T - piece), w, {},
                         {rest, false, {}, {}, {}, {}}, {});
    check(collect({&dx}) == whole, "rows of the second piece differ");
    wide.check_guards();
}

/// Views that begin anywhere: one of them at an odd element of its buffer.
void unaligned_views() {
    for (DType type : activation_types()) {
        Machine& m = machine();
        const int64_t T = 33, in = 64, out = 72;
        Random random(5);
        Buffer x_values(m, T, in, type), w_values(m, out, in, type), dy_values(m, T, out, type);
        for (Buffer* each : {&x_values, &w_values, &dy_values}) each->fill(random);
        const auto results = [&](int odd) {
            Buffer x(m, 1, T * in + 1, type), w(m, 1, out * in + 1, type), y(m, 1, T * out + 1, type), dx(m, 1, T * in + 1, type);
            const auto view = [&](Buffer& buffer, int number, int64_t rows, int64_t columns) {
                const int64_t first = number == odd ? 1 : 0;
                return View{static_cast<char*>(buffer.view().data) + first * size_of(type), type, rows, columns};
            };
            const View x_view = view(x, 0, T, in), w_view = view(w, 1, out, in), y_view = view(y, 2, T, out), dx_view = view(dx, 3, T, in);
            ops::copy(m.stream(), x_values, x_view);
            ops::copy(m.stream(), w_values, w_view);
            ops::linear_forward(m.stream(), x_view, w_view, {}, {}, y_view, {});
            Values values = y.values();
            values.erase(odd == 2 ? values.begin() : values.end() - 1);
            ops::copy(m.stream(), dy_values, y_view);
            ops::linear_backward(m.stream(), y_view, x_view, w_view, {}, {dx_view, false, {}, {}, {}, {}}, {});
            Values gradient = dx.values();
            gradient.erase(odd == 3 ? gradient.begin() : gradient.end() - 1);
            values.insert(values.end(), gradient.begin(), gradient.end());
            for (Buffer* each : {&x, &w, &y, &dx}) each->check_guards();
            return values;
        };
        const Values expected = results(-1);
        for (int odd = 0; odd < 4; ++odd) {
            const Values got = results(odd);
            // Another order of the sum, and for bf16 a rounding of each.
            for (size_t i = 0; i < got.size(); ++i)
                near(got[i], expected[i], {1e-5, type == DType::BF16 ? 2.02 / 256 : 1e-5}, "view " + std::to_string(odd),
                     static_cast<int64_t>(i));
        }
    }
}

void bad_arguments() {
    const Case k{3, 5, 4, 2};
    Problem p(machine(), k);
    Stream& stream = machine().stream();
    Buffer wrong(machine(), 4, 6), integers(machine(), 3, 4, DType::I32);
    expect_refused([&] { ops::linear_forward(stream, p.x, wrong, {}, {}, p.y, {}); }, {"linear_forward", "w", "(4, 6)", "(4, 5)"});
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, {}, {}, integers, {}); }, {"linear_forward", "y", "fp32", "int32"});
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, wrong, {}, p.y, {}); }, {"linear_forward", "bias"});
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, {}, {}, p.y, wrong); }, {"linear_forward", "addend", "(3, 4)", "(4, 6)"});
    p.lora.dropout.probability = 1;
    expect_refused([&] { ops::linear_forward(stream, p.x, p.w, {}, p.lora, p.y, {}); }, {"linear_forward", "dropout"});
    p.lora.dropout.probability = 0;
    expect_refused(
        [&] {
            ops::linear_backward(stream, p.dy, p.x, p.w, p.lora, {p.dx, false, {}, {}, {}, {}}, {});
        },
        {"linear_backward", "scratch", "(3, 2)"});
    expect_refused(
        [&] {
            ops::linear_backward(stream, p.dy, p.x, p.w, {}, {wrong, false, {}, {}, {}, {}}, {});
        },
        {"linear_backward", "dx"});
}

}  // namespace

int main() {
    const int values = run_all("linear", cases(), run, name);
    return values | run_all("linear rules", {{"the reference is right", reference_is_right},
                                             {"rows stand alone", rows_stand_alone},
                                             {"gradients are optional", gradients_are_optional},
                                             {"planned workspace is enough", planned_workspace_is_enough},
                                             {"weights in panels", weights_in_panels},
                                             {"logits in pieces", logits_in_pieces},
                                             {"unaligned views", unaligned_views},
                                             {"bad arguments", bad_arguments}});
}
