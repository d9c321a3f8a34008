// Every field of every struct of the C ABI, and every number that its functions take, at -1, 0, 1, our limits and its type's limits, alone
// and (for plans) in pairs; broken batches. A call must refuse with a message, or work within the plan's bytes.
// What this test cannot see (a read beyond a buffer, overflow) the sanitizers do.
#include "abi_limits.h"

using namespace vaccine::testing;

namespace {

void plans() {
    Bench bench;
    const auto run = [&](const std::string& what, Inputs& in) { bench.plan(what, in, kRuns); };
    sweep("vaccine_model_shape", &Inputs::shape, run);
    sweep("vaccine_plan_options", &Inputs::options, run);
}

/// Each field of one layer among others.
void layers() {
    Bench bench;
    for (const Field& field : fields_of("vaccine_layer_shape"))
        for (const Bits& value : values_of(field)) {
            if (field.name == "struct_size" && claims_more<vaccine_layer_shape>(value)) continue;
            Inputs in;
            put(in.layers[1], field, value);
            bench.plan(text_of(field, value), in, kRuns);
        }
}

/// Any two integers of shape and options at once.
void pairs() {
    Bench bench;
    std::vector<std::pair<bool, Field>> fields;  // of the shape, or of the options
    for (const char* owner : {"vaccine_model_shape", "vaccine_plan_options"})
        for (const Field& field : fields_of(owner))
            if (field.kind == Kind::I32 && field.name != "struct_size") fields.push_back({field.owner == "vaccine_model_shape", field});
    const std::vector<int32_t> values{-1, 0, 1, 1024, 1 << 24, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()};
    const auto change = [](Inputs& in, const std::pair<bool, Field>& field, int32_t value) {
        field.first ? put(in.shape, field.second, bits_of(value)) : put(in.options, field.second, bits_of(value));
    };
    Inputs in;
    const vaccine_model_shape shape = in.shape;
    const vaccine_plan_options options = in.options;
    for (size_t i = 0; i < fields.size(); ++i)
        for (size_t j = i + 1; j < fields.size(); ++j)
            for (const int32_t a : values)
                for (const int32_t b : values) {
                    in.shape = shape;
                    in.options = options;
                    change(in, fields[i], a);
                    change(in, fields[j], b);
                    bench.plan(fields[i].second.name + " " + std::to_string(a) + ", " + fields[j].second.name + " " + std::to_string(b), in,
                               false);
                }
}

/// Sizes that are each allowed, and together more than 63 bits count.
void overflow_is_refused() {
    Bench bench;
    constexpr int32_t most = 1 << 24;
    const auto refuses = [&](const char* what, auto change) {
        Inputs in;
        change(in);
        vaccine_plan* plan = nullptr;
        check(answers(what, [&] { return vaccine_plan_create(bench.device, &in.shape, &in.options, &plan); }) == VACCINE_INVALID_ARGUMENT,
              std::string(what) + " was not refused");
        check(std::string(vaccine_last_error_message()).find("too large") != std::string::npos, vaccine_last_error_message());
    };
    refuses("all weights",
            [](Inputs& in) { in.shape.vocabulary = in.shape.hidden = in.shape.intermediate = most, in.shape.layers = 0xFFFF; });
    refuses("parameter vectors", [](Inputs& in) {
        in.shape.hidden = in.shape.intermediate = most;
        in.options.full = 1;
        in.options.lora_rank = in.options.teacher_rows = 0;
        in.options.extra_vectors = 1024;
        in.shape.layers = 1024;
    });
    refuses("site tensors", [](Inputs& in) {
        in.options.max_tokens = most;
        in.shape.hidden = most;
        in.shape.layers = 4095;
        for (int32_t& count : in.options.site_tensors) count = 1024;
    });
    refuses("activations", [](Inputs& in) {
        in.options.max_tokens = in.shape.intermediate = most;
        in.shape.layers = 0xFFFF;
        in.options.memory_limit = 1;
    });
}

/// The structs of passes on one session, which must still be what it was afterwards.
void pass_options() {
    Model model(setup());
    const auto run = [&](const std::string& what, const Inputs& in) {
        passes(what, model.session, in);
        Inputs plain;
        check(passes("after " + what, model.session, plain), "after " + what + ": " + vaccine_last_error_message());
    };
    sweep("vaccine_batch", &Inputs::batch, run);
    sweep("vaccine_forward_options", &Inputs::forward, run);
    sweep("vaccine_backward_options", &Inputs::backward, run);
    sweep("vaccine_adamw_options", &Inputs::adamw, run);
    sweep("vaccine_sampling", &Inputs::sampling, run);
}

/// Ids outside the vocabulary, labels out of range, offsets that descend or jump.
void contents_of_batches() {
    Model model(setup());
    for (const int32_t value : integers<int32_t>()) {
        const auto run = [&](const char* what, auto change) {
            Inputs in;
            change(in);
            passes(std::string(what) + " " + std::to_string(value), model.session, in);
        };
        run("input_ids", [&](Inputs& in) { in.ids[19] = value; });
        run("labels", [&](Inputs& in) { in.labels[19] = value; });
        for (size_t i = 0; i < 5; ++i) run("offsets", [&](Inputs& in) { in.offsets[i] = value; });
    }
}

/// Each field of one head among others, and of a head alone.
void loss_heads() {
    Model model(setup());
    for (const Field& field : fields_of("vaccine_loss_head"))
        for (const Bits& value : values_of(field))
            for (const int32_t count : {-1, 1}) {
                Inputs in;
                if (count > 0) in.forward.head_count = count;
                put(in.heads[0], field, value);
                passes(text_of(field, value), model.session, in);
                Inputs plain;
                check(passes("after " + text_of(field, value), model.session, plain), vaccine_last_error_message());
            }
}

using Call32 = std::function<vaccine_status(int32_t)>;
using Call64 = std::function<vaccine_status(int64_t)>;

/// Each number that a function takes outside a struct.
void arguments() {
    Model model(setup());
    vaccine_session* s = model.session;
    const TestBatch batch;
    model.forward(batch);
    std::vector<float> floats(1 << 16);
    std::vector<uint16_t> half_floats(1 << 16);
    std::vector<double> doubles(VACCINE_SCALARS);
    const std::vector<uint8_t> rows(24, 1);
    const int64_t pairs = Model::kLayers * 3 * 3;  // of the batch's samples
    for (const int32_t site : {0, 1}) ok(vaccine_site_fill_normal(s, 0, site, 20, 1, 1, 1));
    std::vector<int64_t> longs(4096);
    int32_t tensors = 0, trainable = 0;
    ok(vaccine_session_get_tensor_count(s, &tensors, &trainable));
    vaccine_plan_item item{};
    item.struct_size = sizeof item;
    vaccine_tensor_info tensor{};
    tensor.struct_size = sizeof tensor;
    float* f = floats.data();
    const uint16_t* halves = half_floats.data();
    const auto device = [](int32_t index, int32_t threads) {
        vaccine_device* made = nullptr;
        const vaccine_status status = vaccine_device_create(index, threads, &made);
        vaccine_device_destroy(made);
        return status;
    };
    const std::vector<std::pair<const char*, Call32>> calls{
        {"device_create index", [&](int32_t v) { return device(v, 1); }},
        {"device_create threads", [&](int32_t v) { return device(0, v); }},
        {"device_set_gemm", [&](int32_t v) { return vaccine_device_set_gemm(model.device, v); }},
        {"plan_get_item", [&](int32_t v) { return vaccine_plan_get_item(model.plan, v, &item); }},
        {"session_get_tensor", [&](int32_t v) { return vaccine_session_get_tensor(s, v, &tensor); }},
        {"write_tensor index", [&](int32_t v) { return vaccine_session_write_tensor(s, v, 0, 1, f); }},
        {"write_tensor_bf16 index", [&](int32_t v) { return vaccine_session_write_tensor_bf16(s, v, 0, 1, halves); }},
        {"read_tensor index", [&](int32_t v) { return vaccine_session_read_tensor(s, v, 0, 1, f); }},
        {"scalars_read first", [&](int32_t v) { return vaccine_scalars_read(s, v, 1, doubles.data()); }},
        {"scalars_read count", [&](int32_t v) { return vaccine_scalars_read(s, 0, v, doubles.data()); }},
        {"vector_read vector", [&](int32_t v) { return vaccine_vector_read(s, v, 0, 1, f); }},
        {"vector_write vector", [&](int32_t v) { return vaccine_vector_write(s, v, 0, 1, f); }},
        {"vector_zero", [&](int32_t v) { return vaccine_vector_zero(s, v, nullptr); }},
        {"vector_copy from", [&](int32_t v) { return vaccine_vector_copy(s, v, 4, nullptr); }},
        {"vector_copy to", [&](int32_t v) { return vaccine_vector_copy(s, 4, v, nullptr); }},
        {"vector_scale", [&](int32_t v) { return vaccine_vector_scale(s, v, 1, nullptr); }},
        {"vector_axpy x", [&](int32_t v) { return vaccine_vector_axpy(s, 1, v, 4, nullptr); }},
        {"vector_axpy y", [&](int32_t v) { return vaccine_vector_axpy(s, 1, 4, v, nullptr); }},
        {"vector_scale_to_norm vector", [&](int32_t v) { return vaccine_vector_scale_to_norm(s, v, 1, 1, 0, nullptr); }},
        {"vector_scale_to_norm scalar", [&](int32_t v) { return vaccine_vector_scale_to_norm(s, 4, 1, 1, v, nullptr); }},
        {"vector_axpy_to_norm x", [&](int32_t v) { return vaccine_vector_axpy_to_norm(s, 1, 1, 0, v, 4, nullptr); }},
        {"vector_axpy_to_norm y", [&](int32_t v) { return vaccine_vector_axpy_to_norm(s, 1, 1, 0, 4, v, nullptr); }},
        {"vector_axpy_to_norm scalar", [&](int32_t v) { return vaccine_vector_axpy_to_norm(s, 1, 1, v, 4, 5, nullptr); }},
        {"vector_multiply_add a", [&](int32_t v) { return vaccine_vector_multiply_add(s, 1, v, 4, 5, nullptr); }},
        {"vector_multiply_add b", [&](int32_t v) { return vaccine_vector_multiply_add(s, 1, 4, v, 5, nullptr); }},
        {"vector_multiply_add y", [&](int32_t v) { return vaccine_vector_multiply_add(s, 1, 4, 4, v, nullptr); }},
        {"vector_dot x", [&](int32_t v) { return vaccine_vector_dot(s, v, 4, nullptr, 0); }},
        {"vector_dot y", [&](int32_t v) { return vaccine_vector_dot(s, 4, v, nullptr, 0); }},
        {"vector_dot scalar", [&](int32_t v) { return vaccine_vector_dot(s, 4, 4, nullptr, v); }},
        {"site_select kind", [&](int32_t v) { return vaccine_site_select(s, v, 0, std::vector<uint8_t>(Model::kLayers + 1, 1).data()); }},
        {"site_select site", [&](int32_t v) { return vaccine_site_select(s, 0, v, std::vector<uint8_t>(Model::kLayers + 1, 1).data()); }},
        {"site_zero kind", [&](int32_t v) { return vaccine_site_zero(s, v, 0); }},
        {"site_zero site", [&](int32_t v) { return vaccine_site_zero(s, 0, v); }},
        {"site_fill_normal kind", [&](int32_t v) { return vaccine_site_fill_normal(s, v, 0, 20, 1, 1, 1); }},
        {"site_fill_normal tokens", [&](int32_t v) { return vaccine_site_fill_normal(s, 0, 0, v, 1, 1, 1); }},
        {"site_scale kind", [&](int32_t v) { return vaccine_site_scale(s, v, 0, 1); }},
        {"site_scale site", [&](int32_t v) { return vaccine_site_scale(s, 0, v, 1); }},
        {"site_axpy kind", [&](int32_t v) { return vaccine_site_axpy(s, v, 1, 0, 1); }},
        {"site_axpy x", [&](int32_t v) { return vaccine_site_axpy(s, 0, 1, v, 1); }},
        {"site_axpy y", [&](int32_t v) { return vaccine_site_axpy(s, 0, 1, 0, v); }},
        {"site_dot kind", [&](int32_t v) { return vaccine_site_dot(s, v, 0, 1, 0); }},
        {"site_dot x", [&](int32_t v) { return vaccine_site_dot(s, 0, v, 1, 0); }},
        {"site_dot scalar", [&](int32_t v) { return vaccine_site_dot(s, 0, 0, 1, v); }},
        {"site_norms kind", [&](int32_t v) { return vaccine_site_norms(s, v, 0, 0); }},
        {"site_norms first_scalar", [&](int32_t v) { return vaccine_site_norms(s, 0, 0, v); }},
        {"site_scale_to_norm kind", [&](int32_t v) { return vaccine_site_scale_to_norm(s, v, 0, 1, 1, 0); }},
        {"site_scale_to_norm scalar", [&](int32_t v) { return vaccine_site_scale_to_norm(s, 0, 0, 1, 1, v); }},
        {"site_mask_rows kind", [&](int32_t v) { return vaccine_site_mask_rows(s, v, 0, rows.data()); }},
        {"site_mask_rows site", [&](int32_t v) { return vaccine_site_mask_rows(s, 0, v, rows.data()); }},
        {"site_gram kind", [&](int32_t v) { return vaccine_site_gram(s, v, 0, 1, pairs, doubles.data()); }},
        {"site_gram x", [&](int32_t v) { return vaccine_site_gram(s, 0, v, 1, pairs, doubles.data()); }},
        {"site_gram y", [&](int32_t v) { return vaccine_site_gram(s, 0, 0, v, pairs, doubles.data()); }},
        {"site_add_combination kind", [&](int32_t v) { return vaccine_site_add_combination(s, v, 0, 1, pairs, doubles.data()); }},
        {"site_add_combination x", [&](int32_t v) { return vaccine_site_add_combination(s, 0, v, 1, pairs, doubles.data()); }},
        {"site_add_combination y", [&](int32_t v) { return vaccine_site_add_combination(s, 0, 0, v, pairs, doubles.data()); }},
        {"site_write kind", [&](int32_t v) { return vaccine_site_write(s, v, 0, 0, 20 * Model::kHidden, f); }},
        {"site_write layer", [&](int32_t v) { return vaccine_site_write(s, 0, 0, v, 20 * Model::kHidden, f); }},
        {"site_read site", [&](int32_t v) { return vaccine_site_read(s, 0, v, 0, 20 * Model::kHidden, f); }},
        {"site_read layer", [&](int32_t v) { return vaccine_site_read(s, 2, 0, v, 20 * Model::kHidden, f); }},
        {"read_logits first_row", [&](int32_t v) { return vaccine_session_read_logits(s, v, 1, f); }},
        {"read_logits rows", [&](int32_t v) { return vaccine_session_read_logits(s, 0, v, f); }},
        {"adamw_read_steps optimizer", [&](int32_t v) { return vaccine_adamw_read_steps(s, v, trainable, longs.data()); }},
        {"adamw_read_steps count", [&](int32_t v) { return vaccine_adamw_read_steps(s, 0, v, longs.data()); }},
        {"adamw_write_steps optimizer", [&](int32_t v) { return vaccine_adamw_write_steps(s, v, trainable, longs.data()); }},
        {"adamw_write_steps count", [&](int32_t v) { return vaccine_adamw_write_steps(s, 0, v, longs.data()); }},
        {"adamw_reset", [&](int32_t v) { return vaccine_adamw_reset(s, v); }},
    };
    for (const auto& [name, call] : calls)
        for (const int32_t value : integers<int32_t>())
            answers(std::string(name) + " " + std::to_string(value), [&] { return call(value); });

    const std::vector<std::pair<const char*, Call64>> long_calls{
        {"write_tensor first", [&](int64_t v) { return vaccine_session_write_tensor(s, 0, v, 1, f); }},
        {"write_tensor count", [&](int64_t v) { return vaccine_session_write_tensor(s, 0, 0, v, f); }},
        {"write_tensor_bf16 first", [&](int64_t v) { return vaccine_session_write_tensor_bf16(s, 0, v, 1, halves); }},
        {"write_tensor_bf16 count", [&](int64_t v) { return vaccine_session_write_tensor_bf16(s, 0, 0, v, halves); }},
        {"read_tensor first", [&](int64_t v) { return vaccine_session_read_tensor(s, 0, v, 1, f); }},
        {"read_tensor count", [&](int64_t v) { return vaccine_session_read_tensor(s, 0, 1, v, f); }},
        {"vector_read first", [&](int64_t v) { return vaccine_vector_read(s, 0, v, 1, f); }},
        {"vector_read count", [&](int64_t v) { return vaccine_vector_read(s, 0, 0, v, f); }},
        {"vector_write first", [&](int64_t v) { return vaccine_vector_write(s, 1, v, v, f); }},
        {"site_read count", [&](int64_t v) { return vaccine_site_read(s, 0, 0, 0, v, f); }},
        {"site_gram count", [&](int64_t v) { return vaccine_site_gram(s, 0, 0, 1, v, doubles.data()); }},
        {"site_add_combination count", [&](int64_t v) { return vaccine_site_add_combination(s, 0, 0, 1, v, doubles.data()); }},
        {"site_write count", [&](int64_t v) { return vaccine_site_write(s, 0, 0, 0, v, f); }},
        {"read_losses count", [&](int64_t v) { return vaccine_session_read_losses(s, v, f); }},
        {"steps",
         [&](int64_t v) {
             std::fill(longs.begin(), longs.end(), v);
             const vaccine_status status = vaccine_adamw_write_steps(s, 0, trainable, longs.data());
             Inputs in;
             passes("after steps " + std::to_string(v), s, in);
             return status;
         }},
    };
    for (const auto& [name, call] : long_calls)
        for (const int64_t value : integers<int64_t>())
            answers(std::string(name) + " " + std::to_string(value), [&] { return call(value); });
}

/// Numbers of samples and tokens to decode.
void decoding_arguments() {
    Model model(setup());
    Inputs in;
    vaccine_batch prompts = in.batch;
    prompts.labels = nullptr;
    int32_t next[4] = {};
    for (const int32_t value : integers<int32_t>()) {
        ok(vaccine_decode_begin(model.session, &prompts, &in.sampling, next));
        const auto run = [&](const char* what, int32_t count, std::array<int32_t, 3> samples, std::array<int32_t, 3> tokens) {
            answers(std::string(what) + " " + std::to_string(value),
                    [&] { return vaccine_decode_next(model.session, count, samples.data(), tokens.data(), &in.sampling, next); });
        };
        answers("joining sample " + std::to_string(value), [&] {
            const int32_t samples[] = {value, 1, 2};
            return vaccine_decode_join(model.session, &prompts, samples, &in.sampling, next);
        });
        run("count", value, {0, 1, 2}, {0, 0, 0});
        run("sample", 2, {value, 2, 0}, {0, 0, 0});
        run("second sample", 2, {0, value, 0}, {0, 0, 0});
        run("token", 1, {0, 0, 0}, {value, 0, 0});
    }
}

/// What a decoded step leaves is not a forward pass, nor what one had left before.
void decoding_ends_a_pass() {
    Model model(setup());
    Inputs in;
    in.forward = Model::forward_options();
    vaccine_batch prompts = in.batch;
    prompts.labels = nullptr;
    int64_t labels = 0;
    int32_t next[4] = {};
    const int32_t sample = 0, token = 0;
    std::vector<float> logits(Model::kVocabulary);
    ok(vaccine_decode_begin(model.session, &prompts, &in.sampling, next));
    check(vaccine_session_read_logits(model.session, 0, 1, logits.data()) == VACCINE_INVALID_ARGUMENT, "logits of prompts were read");
    ok(vaccine_session_forward(model.session, &in.batch, &in.forward, &labels));
    ok(vaccine_decode_next(model.session, 1, &sample, &token, &in.sampling, next));
    check(vaccine_session_backward(model.session, &in.backward) == VACCINE_WRONG_STATE, "a backward pass after a decoded step");
    check(vaccine_session_read_logits(model.session, 0, 1, logits.data()) == VACCINE_INVALID_ARGUMENT,
          "logits were read after a decoded step");
    check(vaccine_decode_begin(model.session, &in.batch, &in.sampling, next) == VACCINE_INVALID_ARGUMENT, "prompts with labels were taken");
}

/// A batch that is refused leaves a site tensor's size as it was: its verbs would else run beyond its memory.
void refused_batches_change_nothing() {
    Model model(setup());
    Inputs in;
    int64_t labels = 0;
    ok(vaccine_session_forward(model.session, &in.batch, &in.forward, &labels));
    for (const int32_t tokens : {21, 1 << 20, std::numeric_limits<int32_t>::max(), -5}) {
        vaccine_batch batch = in.batch;
        batch.tokens = tokens;
        check(vaccine_session_forward(model.session, &batch, &in.forward, &labels) == VACCINE_INVALID_ARGUMENT, "a wrong batch was taken");
        std::vector<float> values(20 * Model::kHidden);
        ok(vaccine_site_scale(model.session, VACCINE_SITE_MLP, 0, 2));
        ok(vaccine_site_read(model.session, VACCINE_SITE_MLP, 0, 3, static_cast<int64_t>(values.size()), values.data()));
    }
}

}  // namespace

int main() {
    std::vector<NamedTest> tests{{"plans", plans}, {"layers", layers}, {"pairs", pairs}, {"overflow", overflow_is_refused}};
    if (kRuns) {
        tests.push_back({"options of passes", pass_options});
        tests.push_back({"contents of batches", contents_of_batches});
        tests.push_back({"loss heads", loss_heads});
        tests.push_back({"arguments", arguments});
        tests.push_back({"arguments of decoding", decoding_arguments});
        tests.push_back({"decoding ends a pass", decoding_ends_a_pass});
        tests.push_back({"refused batches", refused_batches_change_nothing});
    }
    return run_all("abi limits", tests);
}
