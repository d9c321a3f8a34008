// Plans for a GPU that is not at hand: what the CUDA build plans on one, byte for byte, by either build.
#include "engine_model.h"

namespace vaccine::testing {
namespace {

struct Planned {
    vaccine_plan* plan = nullptr;
    vaccine_plan_summary summary{};
    std::vector<vaccine_plan_item> items;

    Planned() = default;
    Planned(Planned&& other) noexcept : plan(other.plan), summary(other.summary), items(std::move(other.items)) { other.plan = nullptr; }
    ~Planned() { vaccine_plan_destroy(plan); }

    void read() {
        summary.struct_size = sizeof summary;
        ok(vaccine_plan_get_summary(plan, &summary));
        for (int32_t i = 0; i < summary.items; ++i) {
            vaccine_plan_item item{};
            item.struct_size = sizeof item;
            ok(vaccine_plan_get_item(plan, i, &item));
            items.push_back(item);
        }
    }
    int64_t bytes(const std::string& name) const {
        for (const vaccine_plan_item& item : items)
            if (name == item.name) return item.bytes;
        return 0;
    }
};

struct Input {
    const char* name;
    vaccine_model_shape shape;
    vaccine_plan_options options;
    int64_t workspace, total;  // bytes that the CUDA engine planned on a GPU
    int32_t recomputed = 0;
};

Planned for_gpu(const Input& in) {
    Planned p;
    ok(vaccine_plan_create_for_gpu(&in.shape, &in.options, &p.plan));
    p.read();
    return p;
}

vaccine_plan_options tiny(void (*change)(vaccine_plan_options&)) {
    vaccine_plan_options options = Model::options({});
    options.weight_type = options.activation_type = VACCINE_BF16;
    change(options);
    return options;
}

vaccine_model_shape llama_2_7b() {
    vaccine_model_shape s = Model::shape({});
    s.vocabulary = 32000;
    s.hidden = 4096;
    s.intermediate = 11008;
    s.layers = s.heads = s.kv_heads = 32;
    s.head_size = 128;
    s.qkv_bias = s.sliding_window = 0;
    return s;
}

/// The paper's T-Vaccine over batches of 10 samples of 200 tokens.
vaccine_plan_options paper(void (*change)(vaccine_plan_options&)) {
    vaccine_plan_options options = Model::options({});
    options.weight_type = options.activation_type = VACCINE_BF16;
    options.max_tokens = 2000;
    options.max_samples = 10;
    options.longest_sample = 200;
    options.lora_rank = 8;
    options.lora_targets = 0x3;
    options.extra_vectors = options.decode_samples = options.decode_capacity = 0;
    options.recomputed_layers = -1;
    for (int k = 0; k < VACCINE_SITE_KINDS; ++k) options.site_tensors[k] = k == VACCINE_SITE_ATTENTION;
    change(options);
    return options;
}

std::vector<Input> inputs() {
    const vaccine_model_shape small = Model::shape({}), large = llama_2_7b();
    vaccine_model_shape many_heads = small;  // attention needs most
    many_heads.heads = many_heads.kv_heads = 4096;
    many_heads.head_size = 2;
    return {
        {"tiny", small, tiny([](vaccine_plan_options&) {}), 8192, 375296},
        {"tiny, fp32", small, tiny([](vaccine_plan_options& o) { o.weight_type = o.activation_type = VACCINE_F32; }), 8192, 492544},
        {"tiny, forward only", small, tiny([](vaccine_plan_options& o) { o.training = 0; }), 8192, 218880},
        {"tiny, all weights", small, tiny([](vaccine_plan_options& o) { o.full = 1, o.lora_rank = 0, o.lora_targets = 0; }), 8192, 750848},
        {"tiny, no decoding", small, tiny([](vaccine_plan_options& o) { o.decode_samples = o.decode_capacity = 0; }), 8192, 357120},
        {"tiny, a teacher", small, tiny([](vaccine_plan_options& o) { o.teacher_rows = 20; }), 8192, 379648},
        {"tiny, recomputed", small, tiny([](vaccine_plan_options& o) { o.recomputed_layers = 3; }), 8192, 347136, 3},
        {"one token", small, tiny([](vaccine_plan_options& o) { o.max_tokens = o.max_samples = o.longest_sample = o.decode_samples = 1; }),
         8192, 241920},
        {"many heads", many_heads, tiny([](vaccine_plan_options& o) { o.max_tokens = 4096; }), 67108864, 1788363776},
        {"llama-2-7b", large, paper([](vaccine_plan_options&) {}), 50331648, 21005019136},
        {"llama-2-7b within 16 GiB", large, paper([](vaccine_plan_options& o) { o.memory_limit = int64_t{16} << 30; }), 50331648,
         17086178304, 24},
        {"llama-2-7b, fp32", large, paper([](vaccine_plan_options& o) { o.weight_type = o.activation_type = VACCINE_F32; }), 50331648,
         40762533888},
        {"llama-2-7b, decoding", large,
         paper([](vaccine_plan_options& o) { o.training = 0, o.decode_samples = 16, o.decode_capacity = 512; }), 50331648, 19235468288},
    };
}

std::string text_of(int64_t workspace, int64_t total, int32_t recomputed) {
    return std::to_string(workspace) + " bytes of workspace, " + std::to_string(total) + " of all, " + std::to_string(recomputed) +
           " layers recomputed";
}

void is_as_the_cuda_engine_planned(const Input& in) {
    const Planned p = for_gpu(in);
    const std::string got = text_of(p.bytes("kernel workspace"), p.summary.total_bytes, p.summary.recomputed_layers);
    const std::string expected = text_of(in.workspace, in.total, in.recomputed);
    check(got == expected, got + "; expected " + expected);
}

#ifdef VACCINE_TEST_CUDA
void is_what_a_gpu_is_planned(const Input& in) {
    vaccine_device* device = nullptr;
    ok(vaccine_device_create(0, 0, &device));
    Planned own;
    const vaccine_status made = vaccine_plan_create(device, &in.shape, &in.options, &own.plan);
    vaccine_device_destroy(device);
    ok(made);
    own.read();
    const Planned other = for_gpu(in);
    check(own.summary.total_bytes == other.summary.total_bytes && own.summary.recomputed_layers == other.summary.recomputed_layers &&
              own.summary.head_rows == other.summary.head_rows && own.summary.parameters == other.summary.parameters &&
              own.summary.trainable_parameters == other.summary.trainable_parameters && own.items.size() == other.items.size(),
          "the plans differ");
    for (size_t i = 0; i < own.items.size(); ++i)
        check(own.items[i].bytes == other.items[i].bytes && std::string(own.items[i].name) == other.items[i].name,
              std::string(own.items[i].name) + ": " + std::to_string(own.items[i].bytes) + ", and without a GPU " +
                  std::to_string(other.items[i].bytes));
}

/// A GPU takes a plan that was made without one.
void a_session_runs_in_it() {
    vaccine_device* device = nullptr;
    ok(vaccine_device_create(0, 0, &device));
    const Planned p = for_gpu(inputs().front());
    vaccine_session* session = nullptr;
    const vaccine_status made = vaccine_session_create(device, p.plan, &session);
    vaccine_session_destroy(session);
    vaccine_device_destroy(device);
    ok(made);
}
#else
/// By a CPU of so many threads.
void refused(const vaccine_plan* plan, int32_t threads, const std::string& expected) {
    vaccine_device* device = nullptr;
    vaccine_session* session = nullptr;
    ok(vaccine_device_create(0, threads, &device));
    const vaccine_status made = vaccine_session_create(device, plan, &session);
    const std::string message = vaccine_last_error_message();
    vaccine_session_destroy(session);
    vaccine_device_destroy(device);
    check(made == VACCINE_INVALID_ARGUMENT && message.find(expected) != std::string::npos,
          "status " + std::to_string(made) + ": " + message);
}

void a_cpu_refuses_it() {
    refused(for_gpu(inputs().front()).plan, 1, "plan is for bf16 activations, and this device computes in fp32 only");
    vaccine_device* device = nullptr;
    const vaccine_model_shape shape = Model::shape({});
    const vaccine_plan_options options = Model::options({});
    Planned narrow;
    ok(vaccine_device_create(0, 1, &device));
    const vaccine_status made = vaccine_plan_create(device, &shape, &options, &narrow.plan);
    vaccine_device_destroy(device);
    ok(made);
    refused(narrow.plan, 8, "plan is for another device: it has ");
}
#endif

void mistakes_are_named() {
    Input in = inputs().front();
    vaccine_plan* plan = reinterpret_cast<vaccine_plan*>(1);
    in.shape.kv_heads = 3;
    check(vaccine_plan_create_for_gpu(&in.shape, &in.options, &plan) == VACCINE_INVALID_ARGUMENT && plan == nullptr,
          "kv_heads was accepted");
    const std::string message = vaccine_last_error_message();
    check(message.find("vaccine_plan_create_for_gpu") == 0 && message.find("multiple of kv_heads") != std::string::npos, message);
    in = inputs().front();
    in.options.memory_limit = 1000;
    check(vaccine_plan_create_for_gpu(&in.shape, &in.options, &plan) == VACCINE_OUT_OF_MEMORY && plan == nullptr,
          "an impossible limit was accepted");
}

std::vector<NamedTest> tests() {
    std::vector<NamedTest> all{{"mistakes", mistakes_are_named}};
    for (const Input& in : inputs()) {
        all.push_back({in.name, [=] { is_as_the_cuda_engine_planned(in); }});
#ifdef VACCINE_TEST_CUDA
        all.push_back({in.name, [=] { is_what_a_gpu_is_planned(in); }});
#endif
    }
#ifdef VACCINE_TEST_CUDA
    all.push_back({"session", a_session_runs_in_it});
#else
    all.push_back({"a CPU's session", a_cpu_refuses_it});
#endif
    return all;
}

}  // namespace
}  // namespace vaccine::testing

int main() {
    return vaccine::testing::run_all("plan", vaccine::testing::tests());
}
