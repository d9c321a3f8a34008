// Loss heads, the teacher and passes without the adapter, through the C ABI: losses against formulas in double, gradients against
// differences of the loss.
#include <algorithm>

#include "engine_model.h"

using namespace vaccine;
using namespace vaccine::testing;

namespace {

constexpr int32_t kTop = Model::kLayers;

using Heads = std::vector<vaccine_loss_head>;

vaccine_loss_head head(int32_t point, int32_t kind, float weight = 1, int32_t norms = 1, int32_t scalar = -1) {
    return {sizeof(vaccine_loss_head), point, kind, norms, scalar, weight};
}

vaccine_forward_options with(const Heads& heads) {
    vaccine_forward_options o = Model::forward_options();
    o.heads = heads.data();
    o.head_count = static_cast<int32_t>(heads.size());
    return o;
}

Setup adapters(int32_t head_rows = 0) {
    Setup setup;
    setup.head_rows = head_rows;
    setup.teacher_rows = 20;
    return setup;
}

/// Keeps the rows of the model without its adapter.
void record_base(Model& model, const TestBatch& batch = {}) {
    vaccine_forward_options o = Model::forward_options();
    o.for_backward = 0;
    o.record_teacher = o.adapter_off = 1;
    model.forward(batch, o);
}

using Rows = std::vector<std::vector<double>>;

std::vector<float> tensor(Model& model, int32_t kind) {
    int32_t tensors = 0, trainable = 0;
    ok(vaccine_session_get_tensor_count(model.session, &tensors, &trainable));
    for (int32_t i = 0; i < tensors; ++i) {
        vaccine_tensor_info t{};
        t.struct_size = sizeof t;
        ok(vaccine_session_get_tensor(model.session, i, &t));
        if (t.kind != kind) continue;
        std::vector<float> values(static_cast<size_t>(t.rows * t.columns));
        ok(vaccine_session_read_tensor(model.session, i, 0, static_cast<int64_t>(values.size()), values.data()));
        return values;
    }
    fail("no tensor of that kind");
}

/// ln softmax of the rows that predict a label, from the residual stream that was recorded in site tensor 0.
Rows log_probabilities(Model& model, const TestBatch& batch, int32_t point, int32_t norms) {
    const std::vector<float> stream = model.site(VACCINE_SITE_RESIDUAL, 0, point), gain = tensor(model, VACCINE_TENSOR_FINAL_NORM),
                             matrix = tensor(model, VACCINE_TENSOR_HEAD);
    constexpr size_t C = Model::kHidden, V = Model::kVocabulary;
    Rows rows;
    for (size_t i = 1; i < batch.ids.size(); ++i) {
        const bool first = std::find(batch.offsets.begin(), batch.offsets.end(), static_cast<int32_t>(i)) != batch.offsets.end();
        if (first || batch.labels[i] < 0) continue;
        std::vector<double> x(stream.begin() + static_cast<int64_t>((i - 1) * C), stream.begin() + static_cast<int64_t>(i * C)), row(V);
        for (int32_t norm = 0; norm < norms; ++norm) {
            double square = 0;
            for (const double value : x) square += value * value;
            for (size_t c = 0; c < C; ++c) x[c] *= double{gain[c]} / std::sqrt(square / C + 1e-5);
        }
        double sum = 0;
        for (size_t v = 0; v < V; ++v) {
            for (size_t c = 0; c < C; ++c) row[v] += x[c] * double{matrix[v * C + c]};
            sum += std::exp(row[v]);
        }
        for (double& value : row) value -= std::log(sum);
        rows.push_back(row);
    }
    return rows;
}

std::vector<int32_t> targets(const TestBatch& batch) {
    std::vector<int32_t> found;
    for (size_t i = 1; i < batch.ids.size(); ++i)
        if (batch.labels[i] >= 0 && std::find(batch.offsets.begin(), batch.offsets.end(), static_cast<int32_t>(i)) == batch.offsets.end())
            found.push_back(batch.labels[i]);
    return found;
}

double loss_of(int32_t kind, const std::vector<double>& p, const std::vector<double>& teacher, int32_t target) {
    if (kind == VACCINE_LOSS_LABELS) return -p[static_cast<size_t>(target)];
    double sum = 0;
    for (size_t v = 0; v < p.size(); ++v)
        sum += kind == VACCINE_LOSS_TEACHER ? std::exp(teacher[v]) * (teacher[v] - p[v]) : std::exp(p[v]) * p[v];
    return sum;
}

/// Every head's own sum, the weighted sum and the rows' losses are what the formulas give.
void losses_are_the_formulas(Setup setup, const Heads& heads) {
    Model model(setup);
    const TestBatch batch;
    Rows teacher(targets(batch).size());
    vaccine_forward_options recorded = Model::forward_options();
    recorded.record_site[VACCINE_SITE_RESIDUAL] = 0;
    if (setup.teacher_rows > 0) {
        recorded.for_backward = 0;
        recorded.record_teacher = recorded.adapter_off = 1;
        model.forward(batch, recorded);
        teacher = log_probabilities(model, batch, kTop, 1);
    }
    vaccine_forward_options forward = with(heads);
    forward.record_site[VACCINE_SITE_RESIDUAL] = 0;
    const double mean = model.forward(batch, forward);
    const std::vector<int32_t> labels = targets(batch);
    std::vector<double> rows(labels.size());
    for (const vaccine_loss_head& h : heads) {
        const Rows p = log_probabilities(model, batch, h.point, h.norms);
        double sum = 0;
        for (size_t n = 0; n < labels.size(); ++n) {
            const double loss = loss_of(h.kind, p[n], teacher[n], labels[n]);
            sum += loss;
            rows[n] += double{h.weight} * loss;
        }
        if (h.loss_scalar >= 0) near(model.scalar(h.loss_scalar), sum, {1e-5, 1e-5}, "a head's own sum");
    }
    near(mean * static_cast<double>(labels.size()), std::accumulate(rows.begin(), rows.end(), 0.0), {1e-5, 1e-5}, "weighted sum");
    std::vector<float> got(labels.size());
    ok(vaccine_session_read_losses(model.session, static_cast<int64_t>(got.size()), got.data()));
    for (size_t n = 0; n < got.size(); ++n) near(got[n], rows[n], {1e-5, 1e-5}, "a row's loss", 0, static_cast<int64_t>(n));
}

void gradient_is_slope(Setup setup, const Heads& heads) {
    Model model(setup);
    if (setup.teacher_rows > 0) record_base(model);
    gradient_is_slope(model, with(heads));
}

/// All that a head can be, at several points.
Heads all_kinds() {
    return {head(kTop, VACCINE_LOSS_LABELS, 1, 1, 300),
            head(kTop, VACCINE_LOSS_TEACHER, 0.75f, 1, 301),
            head(1, VACCINE_LOSS_TEACHER, -0.5f, 1, 302),
            head(kTop, VACCINE_LOSS_NEGATIVE_ENTROPY, 0.5f, 1, 303),
            head(kTop, VACCINE_LOSS_LABELS, 0.25f, 2, 304),
            head(2, VACCINE_LOSS_LABELS, 0.5f, 1, 305),
            head(2, VACCINE_LOSS_NEGATIVE_ENTROPY, -0.25f, 2, 306),
            head(3, VACCINE_LOSS_LABELS, 0, 1, 307)};
}

struct Seen {
    double loss;
    std::vector<float> gradient;
};

Seen step(Model& model, const Heads& heads, const vaccine_backward_options& backward = Model::backward_options()) {
    ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
    const double loss = model.forward({}, with(heads));
    model.backward(backward);
    return {loss, model.vector(VACCINE_VECTOR_GRADIENTS)};
}

/// Heads that share logits give what each gives alone.
void heads_add_up() {
    Model model(adapters());
    record_base(model);
    const Heads heads = all_kinds();
    const Seen whole = step(model, heads);
    double loss = 0;
    std::vector<double> gradient(whole.gradient.size());
    for (const vaccine_loss_head& one : heads) {
        const Seen part = step(model, {one});
        loss += part.loss;
        for (size_t i = 0; i < gradient.size(); ++i) gradient[i] += double{part.gradient[i]};
    }
    near(whole.loss, loss, {0, 1e-5}, "loss");
    for (size_t i = 0; i < gradient.size(); ++i) near(whole.gradient[i], gradient[i], {2e-6, 1e-5}, "gradient", 0, static_cast<int64_t>(i));
}

/// The size of a chunk of logits changes no bit where lm_head is frozen, and neither does recomputation.
void chunks_agree() {
    for (const Heads& heads : {all_kinds(), Heads{head(kTop, VACCINE_LOSS_LABELS), head(kTop, VACCINE_LOSS_TEACHER, 0.5f),
                                                  head(kTop, VACCINE_LOSS_NEGATIVE_ENTROPY, 0.5f)}}) {
        Seen seen[3];
        for (int i = 0; i < 3; ++i) {
            Setup setup = adapters(i == 1 ? 3 : 0);
            setup.recomputed = i == 2 ? 2 : 0;
            Model model(setup);
            record_base(model);
            seen[i] = step(model, heads);
        }
        for (const Seen& other : seen)
            check(other.loss == seen[0].loss && other.gradient == seen[0].gradient, "the plan changes bits of heads");
    }
}

/// A head of labels at the top is the pass without a list, bit by bit; heads of weight 0, and none, have no gradient.
void lists_without_effect() {
    Model model(adapters());
    const double plain = model.forward({});
    model.backward();
    const std::vector<float> gradient = model.vector(VACCINE_VECTOR_GRADIENTS);
    const Seen listed = step(model, {head(kTop, VACCINE_LOSS_LABELS)});
    check(listed.loss == plain && listed.gradient == gradient, "a list of the default differs from none");

    const Seen weightless = step(model, {head(kTop, VACCINE_LOSS_LABELS, 0, 1, 310)});
    check(weightless.loss == 0 && model.scalar(310) / static_cast<double>(targets({}).size()) == plain,
          "a head without weight has no loss");
    Heads none = {head(kTop, VACCINE_LOSS_LABELS)};
    vaccine_forward_options forward = with(none);
    forward.head_count = 0;
    ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
    check(model.forward({}, forward) == 0, "no head has a loss");
    model.backward();
    for (const std::vector<float>& zeros : {weightless.gradient, model.vector(VACCINE_VECTOR_GRADIENTS)})
        check(std::all_of(zeros.begin(), zeros.end(), [](float g) { return g == 0; }), "no weight has a gradient");
}

/// A teacher of the same weights is met; one of the adapter's start is not, and passes between leave it as it is.
void the_teacher_stays() {
    Model model(adapters());
    const Heads heads = {head(kTop, VACCINE_LOSS_TEACHER)};
    vaccine_forward_options record = Model::forward_options();
    record.record_teacher = 1;
    model.forward({}, record);
    const Seen met = step(model, heads);
    check(met.loss == 0, "the divergence from itself is not 0");
    for (const float g : met.gradient) near(g, 0, {1e-7, 0}, "gradient at the teacher");

    std::vector<float> moved = model.vector(VACCINE_VECTOR_PARAMETERS);
    for (size_t i = 0; i < moved.size(); ++i) moved[i] *= 1.1f;
    model.set_vector(VACCINE_VECTOR_PARAMETERS, moved);
    const double away = step(model, heads).loss;
    check(away > 1e-3, "another model is as near as the teacher");
    TestBatch other;
    std::rotate(other.ids.begin(), other.ids.begin() + 5, other.ids.end());
    model.forward(other);
    check(step(model, heads).loss == away, "a pass between changed the teacher");
}

/// Without the adapter a pass gives the bits of one whose adapter is zero, whatever dropout says.
void adapter_off_is_the_base() {
    Setup setup = adapters();
    setup.dropout = 0.3f;
    Model model(setup);
    vaccine_forward_options off = Model::forward_options();
    off.for_backward = 0;
    off.dropout = off.adapter_off = 1;
    off.record_site[VACCINE_SITE_RESIDUAL] = 0;
    vaccine_forward_options on = off;
    on.adapter_off = 0;
    const double base = model.forward({}, off);
    const std::vector<float> stream = model.site(VACCINE_SITE_RESIDUAL, 0, kTop);
    check(model.forward({}, on) != base, "the adapter does nothing");
    const std::vector<float> adapter = model.vector(VACCINE_VECTOR_PARAMETERS);
    model.set_vector(VACCINE_VECTOR_PARAMETERS, std::vector<float>(adapter.size()));
    check(model.forward({}, on) == base && model.site(VACCINE_SITE_RESIDUAL, 0, kTop) == stream, "the base is not a zero adapter's model");
    model.set_vector(VACCINE_VECTOR_PARAMETERS, adapter);
    off.from_layer = 2;
    vaccine_session* s = model.session;
    const TestBatch batch;
    const vaccine_batch view = batch.view();
    int64_t labels = 0;
    refused(vaccine_session_forward(s, &view, &off, &labels), VACCINE_INVALID_ARGUMENT, "from_layer needs adapter_off as in");
    off.from_layer = 0;
    off.for_backward = 1;
    refused(vaccine_session_forward(s, &view, &off, &labels), VACCINE_INVALID_ARGUMENT, "adapter_off is for evaluation");
}

void memory_is_as_planned() {
    int64_t bytes[3];
    const int32_t rows[] = {0, 20, 20}, chunk[] = {3, 3, 0};
    for (int i = 0; i < 3; ++i) {
        Setup setup = adapters(chunk[i]);
        setup.teacher_rows = rows[i];
        Model model(setup);
        vaccine_plan_summary summary{};
        summary.struct_size = sizeof summary;
        ok(vaccine_plan_get_summary(model.plan, &summary));
        int64_t taken = 0, used = 0;
        ok(vaccine_session_get_memory(model.session, &taken, &used));
        check(taken == summary.total_bytes && used == summary.total_bytes, "planned, taken and used bytes differ");
        bytes[i] = 0;
        for (int32_t k = 0; k < summary.items; ++k) {
            vaccine_plan_item item{};
            item.struct_size = sizeof item;
            ok(vaccine_plan_get_item(model.plan, k, &item));
            if (std::string(item.name) == "teacher's rows and logits") bytes[i] = item.bytes;
        }
    }
    const auto aligned = [](int64_t n) { return (n + 255) / 256 * 256; };
    const int64_t kept = aligned(20 * Model::kHidden * 4) + aligned(20 * 4);
    check(bytes[0] == 0, "a plan without a teacher has bytes for one");
    check(bytes[1] == kept + aligned(3 * Model::kVocabulary * 4), "the teacher has " + std::to_string(bytes[1]) + " bytes");
    check(bytes[2] == kept + aligned(20 * Model::kVocabulary * 4), "the teacher has " + std::to_string(bytes[2]) + " bytes in one chunk");
}

class Passes {
public:
    explicit Passes(const Setup& setup) : model(setup) {}
    vaccine_status forward(const vaccine_forward_options& options, const TestBatch& batch = {}) {
        const vaccine_batch view = batch.view();
        int64_t labels = 0;
        return vaccine_session_forward(model.session, &view, &options, &labels);
    }
    Model model;
};

void wrong_teachers_are_refused() {
    Setup small = adapters();
    const auto labels = static_cast<int32_t>(targets({}).size());
    small.teacher_rows = labels - 1;
    Passes passes(small);
    const Heads heads = {head(kTop, VACCINE_LOSS_TEACHER)};
    refused(passes.forward(with(heads)), VACCINE_WRONG_STATE, "no pass with record_teacher has ended before");
    vaccine_forward_options record = Model::forward_options();
    record.record_teacher = 1;
    refused(passes.forward(record), VACCINE_INVALID_ARGUMENT, "expected at most " + std::to_string(labels - 1) + " (the plan's");
    TestBatch fewer;
    std::fill(fewer.labels.begin() + 9, fewer.labels.end(), -100);
    ok(passes.forward(record, fewer));
    refused(passes.forward(with(heads)), VACCINE_WRONG_STATE, "labelled rows, and the batch has " + std::to_string(labels));
    ok(passes.forward(with(heads), fewer));
    ok(vaccine_session_interrupt(passes.model.session, 1));
    check(passes.forward(record, fewer) == VACCINE_INTERRUPTED, "the pass was not interrupted");
    ok(vaccine_session_interrupt(passes.model.session, 0));
    refused(passes.forward(with(heads), fewer), VACCINE_WRONG_STATE, "no pass with record_teacher has ended before");

    Setup full;
    full.full = true;
    const vaccine_model_shape shape = Model::shape(full);
    vaccine_plan_options options = Model::options(full);
    options.teacher_rows = 1;
    vaccine_plan* plan = nullptr;
    refused(vaccine_plan_create(passes.model.device, &shape, &options, &plan), VACCINE_UNSUPPORTED, "final norm and lm_head are frozen");
    options = Model::options(small);
    options.teacher_rows = options.max_tokens + 1;
    refused(vaccine_plan_create(passes.model.device, &shape, &options, &plan), VACCINE_INVALID_ARGUMENT,
            "teacher_rows is 25, expected 0 to 24");
}

void mistakes_are_named() {
    Passes passes(adapters());
    const auto refuse = [&](const Heads& heads, const std::string& word) {
        refused(passes.forward(with(heads)), VACCINE_INVALID_ARGUMENT, word);
    };
    refuse({head(kTop, 0), head(kTop + 1, 0)}, "heads[1].point is 5, expected 0 to 4");
    refuse({head(-1, 0)}, "heads[0].point is -1");
    refuse({head(kTop, 3)}, "heads[0].kind is 3, expected 0 to 2");
    refuse({head(kTop, 0, 1, 3)}, "heads[0].norms is 3, expected 1 or 2");
    refuse({head(kTop, 0, NAN)}, "heads[0].weight is not a finite number");
    refuse({head(kTop, 0, 1, 1, 4096)}, "scalars 4096");
    refuse({head(2, 0), head(kTop, 0), head(2, 0)}, "heads[2] has point, kind and norms of a head before it");
    Heads other = {head(kTop, 0)};
    other[0].struct_size = 8;
    refuse(other, "heads[0].struct_size is 8");
    vaccine_forward_options many = with({});
    other[0].struct_size = sizeof other[0];
    many.heads = other.data();
    for (const int32_t count : {-1, 31, 1 << 30}) {
        many.head_count = count;
        refused(passes.forward(many), VACCINE_INVALID_ARGUMENT, "head_count is " + std::to_string(count) + ", expected 0 to 30");
    }
    Setup untrained = adapters();
    untrained.training = false;
    Passes evaluation(untrained);
    vaccine_forward_options low = with(other);
    low.for_backward = 0;
    ok(evaluation.forward(low));
    other[0].point = 3;
    refused(evaluation.forward(low), VACCINE_INVALID_ARGUMENT, "heads[0].point is below layers, which needs a plan with training");
}

std::vector<NamedTest> cases() {
    Setup full, tied, full_chunks;
    full.full = tied.full = full_chunks.full = tied.tied = true;
    full_chunks.head_rows = 3;
    const Heads trained = {head(kTop, VACCINE_LOSS_LABELS, 1, 1, 300), head(kTop, VACCINE_LOSS_LABELS, 0.5f, 2, 301),
                           head(kTop, VACCINE_LOSS_NEGATIVE_ENTROPY, 0.5f, 2, 302), head(0, VACCINE_LOSS_LABELS, 0.25f, 1, 303),
                           head(3, VACCINE_LOSS_NEGATIVE_ENTROPY, -0.5f, 1, 304)};
    const auto slope = [](const char* name, Setup setup, Heads heads) { return NamedTest{name, [=] { gradient_is_slope(setup, heads); }}; };
    return {
        {"losses, all kinds", [] { losses_are_the_formulas(adapters(), all_kinds()); }},
        {"losses, in chunks", [] { losses_are_the_formulas(adapters(3), all_kinds()); }},
        {"losses, all weights", [=] { losses_are_the_formulas(full, trained); }},
        slope("gradient, teacher", adapters(), {head(kTop, VACCINE_LOSS_TEACHER)}),
        slope("gradient, negative entropy", adapters(), {head(kTop, VACCINE_LOSS_NEGATIVE_ENTROPY)}),
        slope("gradient, entropy raised", adapters(), {head(kTop, VACCINE_LOSS_NEGATIVE_ENTROPY, -1)}),
        slope("gradient, labels and teacher", adapters(), {head(kTop, VACCINE_LOSS_LABELS), head(kTop, VACCINE_LOSS_TEACHER, 0.5f)}),
        slope("gradient, two norms", adapters(), {head(kTop, VACCINE_LOSS_LABELS, 1, 2)}),
        slope("gradient, teacher below the top", adapters(), {head(2, VACCINE_LOSS_TEACHER)}),
        slope("gradient, all kinds", adapters(), all_kinds()),
        slope("gradient, all kinds in chunks", adapters(3), all_kinds()),
        slope("gradient, all weights", full, trained),
        slope("gradient, all weights in chunks", full_chunks, trained),
        slope("gradient, tied embeddings", tied, trained),
        {"heads add up", heads_add_up},
        {"chunks agree", chunks_agree},
        {"lists without effect", lists_without_effect},
        {"the teacher stays", the_teacher_stays},
        {"adapter off", adapter_off_is_the_base},
        {"memory", memory_is_as_planned},
        {"wrong teachers", wrong_teachers_are_refused},
        {"mistakes", mistakes_are_named},
    };
}

}  // namespace

int main() {
    return run_all("engine heads", cases());
}
