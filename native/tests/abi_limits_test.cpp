// Every field of every struct of the C ABI, and every number that its functions take, at -1, 0, 1, our limits and its type's limits, alone
// and (for plans) in pairs; broken batches; NULL for each pointer. A call must refuse with a message, or work within the plan's bytes.
// What this test cannot see (a read beyond a buffer, overflow) the sanitizers do.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#if defined(__unix__)
#include <sys/resource.h>
#endif

#include "abi/fields.h"
#include "engine_model.h"

using namespace nv::testing;

namespace {

constexpr int64_t kMostBytes = int64_t{64} << 20;    // of a plan that is worth a session here
constexpr size_t kMostLayers = 2048;                 // that such a plan may have
constexpr int64_t kMostResident = int64_t{3} << 29;  // of this process, with what sanitizers add
constexpr int64_t kNothingHas = int64_t{1} << 50;    // bytes: a session of such a plan cannot be
constexpr std::chrono::seconds kMostSeconds{20};     // of one call

enum class Kind { I32, U32, I64, U64, F32, F64, Pointer, Text };

template <class T> constexpr Kind kind_of() {
    if constexpr (std::is_pointer_v<T>) return Kind::Pointer;
    if constexpr (std::is_same_v<T, char>) return Kind::Text;
    if constexpr (std::is_same_v<T, int32_t>) return Kind::I32;
    if constexpr (std::is_same_v<T, uint32_t>) return Kind::U32;
    if constexpr (std::is_same_v<T, int64_t>) return Kind::I64;
    if constexpr (std::is_same_v<T, uint64_t>) return Kind::U64;
    return std::is_same_v<T, float> ? Kind::F32 : Kind::F64;
}

/// One number of a struct: an array is as many.
struct Field {
    std::string owner, name;
    size_t offset, size;
    Kind kind;
};

template <class T> void add_field(std::vector<Field>& to, const char* owner, const char* name, size_t offset) {
    using Element = std::remove_extent_t<T>;
    for (size_t i = 0; i < sizeof(T) / sizeof(Element); ++i)
        to.push_back({owner, name + (std::is_array_v<T> ? "[" + std::to_string(i) + "]" : std::string()), offset + i * sizeof(Element),
                      sizeof(Element), kind_of<Element>()});
}

std::vector<Field> fields_of(const std::string& owner) {
    std::vector<Field> all, own;
#define IGNORED(s)
#define FIELD(s, f) add_field<decltype(s::f)>(all, #s, #f, offsetof(s, f));
    NV_FIELDS(IGNORED, FIELD)
    std::copy_if(all.begin(), all.end(), std::back_inserter(own), [&](const Field& f) { return f.owner == owner; });
    check(!own.empty(), owner + " has no fields");
    return own;
}

using Bits = std::vector<unsigned char>;
template <class T> Bits bits_of(T value) {
    Bits bits(sizeof value);
    std::memcpy(bits.data(), &value, sizeof value);
    return bits;
}

template <class T> std::vector<T> integers() {
    std::vector<T> values;
    for (const int64_t v : {-1, 0, 1, 2, 7, 511, 512, 513, 1024, 1025, 4095, 4096, 0xFFFF, 0x10000, (1 << 24) - 1, 1 << 24, (1 << 24) + 1,
                            std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()})
        values.push_back(static_cast<T>(v));
    for (const T v : {std::numeric_limits<T>::max(), std::numeric_limits<T>::min()}) values.push_back(v);
    if (sizeof(T) == 8)
        for (const int bit : {32, 40, 53, 62}) values.push_back(static_cast<T>(uint64_t{1} << bit));
    return values;
}
template <class T> std::vector<T> reals() {
    using L = std::numeric_limits<T>;
    return {-1,
            static_cast<T>(-0.0),
            0,
            1,
            2,
            L::denorm_min(),
            L::min(),
            L::epsilon(),
            L::max(),
            L::lowest(),
            L::infinity(),
            -L::infinity(),
            L::quiet_NaN()};
}
template <class T> std::vector<Bits> all_bits(const std::vector<T>& values) {
    std::vector<Bits> bits;
    for (const T value : values) bits.push_back(bits_of(value));
    return bits;
}
std::vector<Bits> values_of(const Field& field) {
    switch (field.kind) {
        case Kind::I32:
            return all_bits(integers<int32_t>());
        case Kind::U32:
            return all_bits(integers<uint32_t>());
        case Kind::I64:
            return all_bits(integers<int64_t>());
        case Kind::U64:
            return all_bits(integers<uint64_t>());
        case Kind::F32:
            return all_bits(reals<float>());
        case Kind::F64:
            return all_bits(reals<double>());
        case Kind::Pointer:
            return {bits_of<const void*>(nullptr)};
        case Kind::Text:
            return {};
    }
    return {};
}

template <class Struct> void put(Struct& to, const Field& field, const Bits& value) {
    std::memcpy(reinterpret_cast<unsigned char*>(&to) + field.offset, value.data(), field.size);
}

int64_t resident_bytes() {
#if defined(__unix__)
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return int64_t{usage.ru_maxrss} * 1024;
#else
    return 0;
#endif
}

/// Runs `call`, which may work or refuse: with a status for mistakes and its message, soon, and without much memory.
template <class Call> nv_status answers(const std::string& what, Call call) {
    const auto start = std::chrono::steady_clock::now();
    const nv_status status = call();
    check(std::chrono::steady_clock::now() - start < kMostSeconds, what + ": took too long");
    check(resident_bytes() < kMostResident, what + ": took " + std::to_string(resident_bytes() >> 20) + " MiB");
    if (status == NV_OK) return status;
    const std::string message = nv_last_error_message();
    check(status == NV_INVALID_ARGUMENT || status == NV_OUT_OF_MEMORY || status == NV_UNSUPPORTED || status == NV_WRONG_STATE,
          what + ": status " + std::to_string(status) + ": " + message);
    check(message.rfind("nv_", 0) == 0 && message.size() > 20, what + ": no message: " + message);
    return status;
}

/// Everything that the sweeps change, with the memory that its pointers point to: as much as the largest batch and model need.
struct Inputs {
    nv_model_shape shape = Model::shape({});
    nv_plan_options options = Model::options({});
    std::vector<int32_t> ids, labels, offsets{0, 1, 8, 20, 24};
    std::vector<float> head_weights;
    std::vector<uint8_t> mask;
    nv_batch batch{};
    nv_forward_options forward = Model::forward_options();
    nv_backward_options backward = Model::backward_options();
    nv_adamw_options adamw{};
    nv_sampling sampling{};

    Inputs() : ids(24, 0), labels(24, 0), head_weights(kMostLayers + 1, 0), mask(kMostLayers * 16, 1) {
        std::fill_n(head_weights.begin(), Model::kLayers + 1, 0.5f);
        shape.rope_scaling = NV_ROPE_LLAMA3;
        shape.rope_low_frequency_factor = 1;
        shape.rope_high_frequency_factor = 4;
        shape.rope_original_positions = 16;
        shape.rope_factor = 8;
        options.lora_dropout = 0.1f;
        batch = {sizeof batch, 20, 3, ids.data(), labels.data(), offsets.data()};
        forward.dropout = 1;
        forward.head_weights = head_weights.data();
        for (int k = 0; k < NV_SITE_KINDS; ++k) forward.record_site[k] = backward.read_site[k] = 0;
        for (int k = 0; k < NV_SITE_KINDS; ++k) backward.norm_scalar[k] = 100 * k;
        backward.tensors = mask.data();
        adamw.struct_size = sizeof adamw;
        adamw.gradient_vector = NV_VECTOR_GRADIENTS;
        adamw.learning_rate = 1e-3;
        adamw.beta1 = 0.9;
        adamw.beta2 = 0.999;
        adamw.epsilon = 1e-8;
        adamw.clip = 1;
        adamw.norm_scalar = 0;
        adamw.tensors = mask.data();
        sampling.struct_size = sizeof sampling;
        sampling.temperature = 0.5f;
        sampling.top_k = 3;
        sampling.top_p = 0.9f;
        sampling.repetition_penalty = 1.2f;
    }
    Inputs(const Inputs&) = delete;
    Inputs& operator=(const Inputs&) = delete;
};

/// A step of training and two tokens, as far as each call works; true where all do.
bool passes(const std::string& what, nv_session* session, const Inputs& in) {
    bool good = true;
    const auto step = [&](const char* name, auto call) { good = answers(what + ", " + name, call) == NV_OK && good; };
    int64_t labels = 0;
    nv_batch prompts = in.batch;
    prompts.labels = nullptr;
    int32_t next[4] = {};
    step("forward", [&] { return nv_session_forward(session, &in.batch, &in.forward, &labels); });
    step("backward", [&] { return nv_session_backward(session, &in.backward); });
    step("adamw", [&] { return nv_adamw_step(session, &in.adamw); });
    step("decode_begin", [&] { return nv_decode_begin(session, &prompts, &in.sampling, next); });
    const int32_t samples[] = {0, 2}, tokens[] = {0, 0};
    step("decode_next", [&] { return nv_decode_next(session, 2, samples, tokens, &in.sampling, next); });
    return good;
}

class Bench {
public:
    Bench() { ok(nv_device_create(0, 2, &device)); }
    ~Bench() { nv_device_destroy(device); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// Makes the plan; and where it is a small one, a session, and runs it.
    void plan(const std::string& what, const Inputs& in, bool run) {
        nv_plan* plan = nullptr;
        if (answers(what, [&] { return nv_plan_create(device, &in.shape, &in.options, &plan); }) != NV_OK) {
            check(plan == nullptr, what + ": a plan was made all the same");
            return;
        }
        nv_plan_summary summary{};
        summary.struct_size = sizeof summary;
        ok(nv_plan_get_summary(plan, &summary));
        check(summary.total_bytes > 0 && summary.parameters > 0 && summary.trainable_parameters >= 0, what + ": the plan counts wrongly");
        nv_session* session = nullptr;
        if (summary.total_bytes > kNothingHas)
            check(answers(what, [&] { return nv_session_create(device, plan, &session); }) == NV_OUT_OF_MEMORY, what + ": has memory");
        if (run && summary.total_bytes <= kMostBytes) {
            check(in.shape.layers <= static_cast<int32_t>(kMostLayers), what + ": more layers than this test has weights of heads for");
            if (answers(what, [&] { return nv_session_create(device, plan, &session); }) == NV_OK) passes(what, session, in);
            nv_session_destroy(session);
        }
        nv_plan_destroy(plan);
    }

    nv_device* device = nullptr;
};

std::string text_of(const Field& field, const Bits& value) {
    std::string text = field.owner + "." + field.name + " =";
    for (size_t i = value.size(); i-- > 0;) {
        char digits[8];
        std::snprintf(digits, sizeof digits, " %02x", value[i]);
        text += digits;
    }
    return text;
}

#ifdef NV_TEST_CUDA
constexpr bool kRuns = false;  // sessions on ptxmachine take long, and the passes' checks are the same code
#else
constexpr bool kRuns = true;
#endif

/// f(changed) for each field of a struct of Inputs at each value.
template <class Struct, class F> void sweep(const char* owner, Struct Inputs::*member, F f) {
    for (const Field& field : fields_of(owner))
        for (const Bits& value : values_of(field)) {
            Inputs in;
            put(in.*member, field, value);
            f(text_of(field, value), in);
        }
}

void plans() {
    Bench bench;
    const auto run = [&](const std::string& what, const Inputs& in) { bench.plan(what, in, kRuns); };
    sweep("nv_model_shape", &Inputs::shape, run);
    sweep("nv_plan_options", &Inputs::options, run);
}

/// Any two integers of shape and options at once.
void pairs() {
    Bench bench;
    std::vector<std::pair<bool, Field>> fields;  // of the shape, or of the options
    for (const char* owner : {"nv_model_shape", "nv_plan_options"})
        for (const Field& field : fields_of(owner))
            if (field.kind == Kind::I32 && field.name != "struct_size") fields.push_back({field.owner == "nv_model_shape", field});
    const std::vector<int32_t> values{-1, 0, 1, 1024, 1 << 24, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()};
    const auto change = [](Inputs& in, const std::pair<bool, Field>& field, int32_t value) {
        field.first ? put(in.shape, field.second, bits_of(value)) : put(in.options, field.second, bits_of(value));
    };
    Inputs in;
    const nv_model_shape shape = in.shape;
    const nv_plan_options options = in.options;
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
        nv_plan* plan = nullptr;
        check(answers(what, [&] { return nv_plan_create(bench.device, &in.shape, &in.options, &plan); }) == NV_INVALID_ARGUMENT,
              std::string(what) + " was not refused");
        check(std::string(nv_last_error_message()).find("too large") != std::string::npos, nv_last_error_message());
    };
    refuses("all weights",
            [](Inputs& in) { in.shape.vocabulary = in.shape.hidden = in.shape.intermediate = most, in.shape.layers = 0xFFFF; });
    refuses("parameter vectors", [](Inputs& in) {
        in.shape.hidden = in.shape.intermediate = most;
        in.options.full = 1;
        in.options.lora_rank = 0;
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
    Model model({});
    const auto run = [&](const std::string& what, const Inputs& in) {
        passes(what, model.session, in);
        Inputs plain;
        check(passes("after " + what, model.session, plain), "after " + what + ": " + nv_last_error_message());
    };
    sweep("nv_batch", &Inputs::batch, run);
    sweep("nv_forward_options", &Inputs::forward, run);
    sweep("nv_backward_options", &Inputs::backward, run);
    sweep("nv_adamw_options", &Inputs::adamw, run);
    sweep("nv_sampling", &Inputs::sampling, run);
}

/// Ids outside the vocabulary, labels out of range, offsets that descend or jump, weights of heads that are no numbers.
void contents_of_batches() {
    Model model({});
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
    for (const float value : reals<float>()) {
        Inputs in;
        in.head_weights[1] = value;
        passes("head_weights " + std::to_string(value), model.session, in);
    }
}

using Call32 = std::function<nv_status(int32_t)>;
using Call64 = std::function<nv_status(int64_t)>;

/// Each number that a function takes outside a struct.
void arguments() {
    Model model({});
    nv_session* s = model.session;
    const TestBatch batch;
    model.forward(batch);
    std::vector<float> floats(1 << 16);
    std::vector<double> doubles(NV_SCALARS);
    std::vector<int64_t> longs(4096);
    nv_plan_item item{};
    item.struct_size = sizeof item;
    nv_tensor_info tensor{};
    tensor.struct_size = sizeof tensor;
    float* f = floats.data();
    const auto device = [](int32_t index, int32_t threads) {
        nv_device* made = nullptr;
        const nv_status status = nv_device_create(index, threads, &made);
        nv_device_destroy(made);
        return status;
    };
    const std::vector<std::pair<const char*, Call32>> calls{
        {"device_create index", [&](int32_t v) { return device(v, 1); }},
        {"device_create threads", [&](int32_t v) { return device(0, v); }},
        {"device_set_gemm", [&](int32_t v) { return nv_device_set_gemm(model.device, v); }},
        {"plan_get_item", [&](int32_t v) { return nv_plan_get_item(model.plan, v, &item); }},
        {"session_get_tensor", [&](int32_t v) { return nv_session_get_tensor(s, v, &tensor); }},
        {"write_tensor index", [&](int32_t v) { return nv_session_write_tensor(s, v, 0, 1, f); }},
        {"read_tensor index", [&](int32_t v) { return nv_session_read_tensor(s, v, 0, 1, f); }},
        {"scalars_read first", [&](int32_t v) { return nv_scalars_read(s, v, 1, doubles.data()); }},
        {"scalars_read count", [&](int32_t v) { return nv_scalars_read(s, 0, v, doubles.data()); }},
        {"vector_read vector", [&](int32_t v) { return nv_vector_read(s, v, 0, 1, f); }},
        {"vector_write vector", [&](int32_t v) { return nv_vector_write(s, v, 0, 1, f); }},
        {"vector_zero", [&](int32_t v) { return nv_vector_zero(s, v, nullptr); }},
        {"vector_copy from", [&](int32_t v) { return nv_vector_copy(s, v, 4, nullptr); }},
        {"vector_copy to", [&](int32_t v) { return nv_vector_copy(s, 4, v, nullptr); }},
        {"vector_scale", [&](int32_t v) { return nv_vector_scale(s, v, 1, nullptr); }},
        {"vector_axpy x", [&](int32_t v) { return nv_vector_axpy(s, 1, v, 4, nullptr); }},
        {"vector_axpy y", [&](int32_t v) { return nv_vector_axpy(s, 1, 4, v, nullptr); }},
        {"vector_multiply_add a", [&](int32_t v) { return nv_vector_multiply_add(s, 1, v, 4, 5, nullptr); }},
        {"vector_multiply_add b", [&](int32_t v) { return nv_vector_multiply_add(s, 1, 4, v, 5, nullptr); }},
        {"vector_multiply_add y", [&](int32_t v) { return nv_vector_multiply_add(s, 1, 4, 4, v, nullptr); }},
        {"vector_dot x", [&](int32_t v) { return nv_vector_dot(s, v, 4, nullptr, 0); }},
        {"vector_dot y", [&](int32_t v) { return nv_vector_dot(s, 4, v, nullptr, 0); }},
        {"vector_dot scalar", [&](int32_t v) { return nv_vector_dot(s, 4, 4, nullptr, v); }},
        {"site_select kind", [&](int32_t v) { return nv_site_select(s, v, 0, std::vector<uint8_t>(Model::kLayers + 1, 1).data()); }},
        {"site_select site", [&](int32_t v) { return nv_site_select(s, 0, v, std::vector<uint8_t>(Model::kLayers + 1, 1).data()); }},
        {"site_zero kind", [&](int32_t v) { return nv_site_zero(s, v, 0); }},
        {"site_zero site", [&](int32_t v) { return nv_site_zero(s, 0, v); }},
        {"site_fill_normal kind", [&](int32_t v) { return nv_site_fill_normal(s, v, 0, 20, 1, 1, 1); }},
        {"site_fill_normal tokens", [&](int32_t v) { return nv_site_fill_normal(s, 0, 0, v, 1, 1, 1); }},
        {"site_scale kind", [&](int32_t v) { return nv_site_scale(s, v, 0, 1); }},
        {"site_scale site", [&](int32_t v) { return nv_site_scale(s, 0, v, 1); }},
        {"site_axpy kind", [&](int32_t v) { return nv_site_axpy(s, v, 1, 0, 1); }},
        {"site_axpy x", [&](int32_t v) { return nv_site_axpy(s, 0, 1, v, 1); }},
        {"site_axpy y", [&](int32_t v) { return nv_site_axpy(s, 0, 1, 0, v); }},
        {"site_dot kind", [&](int32_t v) { return nv_site_dot(s, v, 0, 1, 0); }},
        {"site_dot x", [&](int32_t v) { return nv_site_dot(s, 0, v, 1, 0); }},
        {"site_dot scalar", [&](int32_t v) { return nv_site_dot(s, 0, 0, 1, v); }},
        {"site_norms kind", [&](int32_t v) { return nv_site_norms(s, v, 0, 0); }},
        {"site_norms first_scalar", [&](int32_t v) { return nv_site_norms(s, 0, 0, v); }},
        {"site_scale_to_norm kind", [&](int32_t v) { return nv_site_scale_to_norm(s, v, 0, 1, 1, 0); }},
        {"site_scale_to_norm scalar", [&](int32_t v) { return nv_site_scale_to_norm(s, 0, 0, 1, 1, v); }},
        {"site_write kind", [&](int32_t v) { return nv_site_write(s, v, 0, 0, 20 * Model::kHidden, f); }},
        {"site_write layer", [&](int32_t v) { return nv_site_write(s, 0, 0, v, 20 * Model::kHidden, f); }},
        {"site_read site", [&](int32_t v) { return nv_site_read(s, 0, v, 0, 20 * Model::kHidden, f); }},
        {"site_read layer", [&](int32_t v) { return nv_site_read(s, 2, 0, v, 20 * Model::kHidden, f); }},
        {"read_logits first_row", [&](int32_t v) { return nv_session_read_logits(s, v, 1, f); }},
        {"read_logits rows", [&](int32_t v) { return nv_session_read_logits(s, 0, v, f); }},
        {"adamw_read_steps", [&](int32_t v) { return nv_adamw_read_steps(s, v, longs.data()); }},
        {"adamw_write_steps", [&](int32_t v) { return nv_adamw_write_steps(s, v, longs.data()); }},
    };
    for (const auto& [name, call] : calls)
        for (const int32_t value : integers<int32_t>())
            answers(std::string(name) + " " + std::to_string(value), [&] { return call(value); });

    const std::vector<std::pair<const char*, Call64>> long_calls{
        {"write_tensor first", [&](int64_t v) { return nv_session_write_tensor(s, 0, v, 1, f); }},
        {"write_tensor count", [&](int64_t v) { return nv_session_write_tensor(s, 0, 0, v, f); }},
        {"read_tensor first", [&](int64_t v) { return nv_session_read_tensor(s, 0, v, 1, f); }},
        {"read_tensor count", [&](int64_t v) { return nv_session_read_tensor(s, 0, 1, v, f); }},
        {"vector_read first", [&](int64_t v) { return nv_vector_read(s, 0, v, 1, f); }},
        {"vector_read count", [&](int64_t v) { return nv_vector_read(s, 0, 0, v, f); }},
        {"vector_write first", [&](int64_t v) { return nv_vector_write(s, 1, v, v, f); }},
        {"site_read count", [&](int64_t v) { return nv_site_read(s, 0, 0, 0, v, f); }},
        {"site_write count", [&](int64_t v) { return nv_site_write(s, 0, 0, 0, v, f); }},
        {"read_losses count", [&](int64_t v) { return nv_session_read_losses(s, v, f); }},
        {"steps",
         [&](int64_t v) {
             std::fill(longs.begin(), longs.end(), v);
             int32_t tensors = 0, trainable = 0;
             ok(nv_session_get_tensor_count(s, &tensors, &trainable));
             const nv_status status = nv_adamw_write_steps(s, trainable, longs.data());
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
    Model model({});
    Inputs in;
    nv_batch prompts = in.batch;
    prompts.labels = nullptr;
    int32_t next[4] = {};
    for (const int32_t value : integers<int32_t>()) {
        ok(nv_decode_begin(model.session, &prompts, &in.sampling, next));
        const auto run = [&](const char* what, int32_t count, std::array<int32_t, 3> samples, std::array<int32_t, 3> tokens) {
            answers(std::string(what) + " " + std::to_string(value),
                    [&] { return nv_decode_next(model.session, count, samples.data(), tokens.data(), &in.sampling, next); });
        };
        run("count", value, {0, 1, 2}, {0, 0, 0});
        run("sample", 2, {value, 2, 0}, {0, 0, 0});
        run("second sample", 2, {0, value, 0}, {0, 0, 0});
        run("token", 1, {0, 0, 0}, {value, 0, 0});
    }
}

/// Every pointer of every function that takes a handle, NULL one by one.
void null_pointers() {
    Model model({});
    nv_session* s = model.session;
    Inputs in;
    nv_plan* plan = nullptr;
    nv_session* session = nullptr;
    int32_t small = 0;
    int64_t large = 0;
    float number = 0;
    double wide = 0;
    const std::vector<std::function<nv_status()>> calls{
        [] { return nv_device_count(nullptr); },
        [] { return nv_device_create(0, 1, nullptr); },
        [&] { return nv_device_get_info(model.device, nullptr); },
        [] { return nv_device_get_info(nullptr, nullptr); },
        [] { return nv_device_set_gemm(nullptr, 0); },
        [&] { return nv_plan_create(nullptr, &in.shape, &in.options, &plan); },
        [&] { return nv_plan_create(model.device, nullptr, &in.options, &plan); },
        [&] { return nv_plan_create(model.device, &in.shape, nullptr, &plan); },
        [&] { return nv_plan_create(model.device, &in.shape, &in.options, nullptr); },
        [&] { return nv_plan_get_summary(model.plan, nullptr); },
        [] { return nv_plan_get_summary(nullptr, nullptr); },
        [&] { return nv_plan_get_item(model.plan, 0, nullptr); },
        [] { return nv_plan_get_item(nullptr, 0, nullptr); },
        [&] { return nv_session_create(nullptr, model.plan, &session); },
        [&] { return nv_session_create(model.device, nullptr, &session); },
        [&] { return nv_session_create(model.device, model.plan, nullptr); },
        [&] { return nv_session_get_memory(s, nullptr, &large); },
        [&] { return nv_session_get_memory(s, &large, nullptr); },
        [&] { return nv_session_get_tensor_count(s, nullptr, &small); },
        [&] { return nv_session_get_tensor_count(s, &small, nullptr); },
        [&] { return nv_session_get_tensor(s, 0, nullptr); },
        [&] { return nv_session_write_tensor(s, 0, 0, 1, nullptr); },
        [&] { return nv_session_read_tensor(s, 0, 0, 1, nullptr); },
        [&] { return nv_session_read_tensor(nullptr, 0, 0, 1, &number); },
        [&] { return nv_scalars_read(s, 0, 1, nullptr); },
        [&] { return nv_scalars_read(nullptr, 0, 1, &wide); },
        [&] { return nv_vector_write(s, 0, 0, 1, nullptr); },
        [&] { return nv_vector_read(s, 0, 0, 1, nullptr); },
        [] { return nv_session_interrupt(nullptr, 1); },
        [] { return nv_vector_zero(nullptr, 0, nullptr); },
        [&] { return nv_site_select(s, 0, 0, nullptr); },
        [&] { return nv_site_write(s, 0, 0, 0, 0, nullptr); },
        [&] { return nv_site_read(s, 0, 0, 0, 0, nullptr); },
        [&] { return nv_session_forward(s, nullptr, &in.forward, &large); },
        [&] { return nv_session_forward(s, &in.batch, nullptr, &large); },
        [&] { return nv_session_forward(s, &in.batch, &in.forward, nullptr); },
        [&] { return nv_session_backward(s, nullptr); },
        [&] { return nv_session_read_losses(s, 0, nullptr); },
        [&] { return nv_session_read_logits(s, 0, 0, nullptr); },
        [&] { return nv_adamw_step(s, nullptr); },
        [&] { return nv_adamw_read_steps(s, 0, nullptr); },
        [&] { return nv_adamw_write_steps(s, 0, nullptr); },
        [&] { return nv_decode_begin(s, nullptr, &in.sampling, &small); },
        [&] { return nv_decode_begin(s, &in.batch, nullptr, &small); },
        [&] { return nv_decode_begin(s, &in.batch, &in.sampling, nullptr); },
        [&] { return nv_decode_next(s, 1, nullptr, &small, &in.sampling, &small); },
        [&] { return nv_decode_next(s, 1, &small, nullptr, &in.sampling, &small); },
        [&] { return nv_decode_next(s, 1, &small, &small, nullptr, &small); },
        [&] { return nv_decode_next(s, 1, &small, &small, &in.sampling, nullptr); },
    };
    for (size_t i = 0; i < calls.size(); ++i)
        check(answers("call " + std::to_string(i), calls[i]) == NV_INVALID_ARGUMENT, "NULL was taken by call " + std::to_string(i));
    nv_session_destroy(nullptr);
    nv_plan_destroy(nullptr);
    nv_device_destroy(nullptr);
}

/// What a decoded step leaves is not a forward pass, nor what one had left before.
void decoding_ends_a_pass() {
    Model model({});
    Inputs in;
    in.forward = Model::forward_options();
    nv_batch prompts = in.batch;
    prompts.labels = nullptr;
    int64_t labels = 0;
    int32_t next[4] = {};
    const int32_t sample = 0, token = 0;
    std::vector<float> logits(Model::kVocabulary);
    ok(nv_decode_begin(model.session, &prompts, &in.sampling, next));
    check(nv_session_read_logits(model.session, 0, 1, logits.data()) == NV_INVALID_ARGUMENT, "logits of prompts were read");
    ok(nv_session_forward(model.session, &in.batch, &in.forward, &labels));
    ok(nv_decode_next(model.session, 1, &sample, &token, &in.sampling, next));
    check(nv_session_backward(model.session, &in.backward) == NV_WRONG_STATE, "a backward pass after a decoded step");
    check(nv_session_read_logits(model.session, 0, 1, logits.data()) == NV_INVALID_ARGUMENT, "logits were read after a decoded step");
    check(nv_decode_begin(model.session, &in.batch, &in.sampling, next) == NV_INVALID_ARGUMENT, "prompts with labels were taken");
}

/// A batch that is refused leaves a site tensor's size as it was: its verbs would else run beyond its memory.
void refused_batches_change_nothing() {
    Model model({});
    Inputs in;
    int64_t labels = 0;
    ok(nv_session_forward(model.session, &in.batch, &in.forward, &labels));
    for (const int32_t tokens : {21, 1 << 20, std::numeric_limits<int32_t>::max(), -5}) {
        nv_batch batch = in.batch;
        batch.tokens = tokens;
        check(nv_session_forward(model.session, &batch, &in.forward, &labels) == NV_INVALID_ARGUMENT, "a wrong batch was taken");
        std::vector<float> values(20 * Model::kHidden);
        ok(nv_site_scale(model.session, NV_SITE_MLP, 0, 2));
        ok(nv_site_read(model.session, NV_SITE_MLP, 0, 3, static_cast<int64_t>(values.size()), values.data()));
    }
}

}  // namespace

int main() {
    std::vector<NamedTest> tests{{"plans", plans}, {"pairs", pairs}, {"overflow", overflow_is_refused}, {"null pointers", null_pointers}};
    if (kRuns) {
        tests.push_back({"options of passes", pass_options});
        tests.push_back({"contents of batches", contents_of_batches});
        tests.push_back({"arguments", arguments});
        tests.push_back({"arguments of decoding", decoding_arguments});
        tests.push_back({"decoding ends a pass", decoding_ends_a_pass});
        tests.push_back({"refused batches", refused_batches_change_nothing});
    }
    return run_all("abi limits", tests);
}
