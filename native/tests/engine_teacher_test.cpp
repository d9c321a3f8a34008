// The teacher, passes without the adapter, their memory, and mistakes in lists of loss heads, through the C ABI.
#include "engine_heads.h"

using namespace vaccine;
using namespace vaccine::testing;

namespace {

/// A teacher of the same weights is met; one of the adapter's start is not, and passes between leave it as it is.
void the_teacher_stays(DType activations) {
    Model model(adapters(0, activations));
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
void adapter_off_is_the_base(DType activations) {
    Setup setup = adapters(0, activations);
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
    std::vector<NamedTest> list = {
        {"memory", memory_is_as_planned},
        {"wrong teachers", wrong_teachers_are_refused},
        {"mistakes", mistakes_are_named},
    };
    for (const DType type : activation_types()) {
        const bool bf16 = type == DType::BF16;
        list.push_back({bf16 ? "the teacher stays, bf16" : "the teacher stays", [=] { the_teacher_stays(type); }});
        list.push_back({bf16 ? "adapter off, bf16" : "adapter off", [=] { adapter_off_is_the_base(type); }});
    }
    return list;
}

}  // namespace

int main() {
    return run_all("engine teacher", cases());
}
