#pragma once
// What abi_limits_test walks: the numbers of the C ABI's structs, the values that each is given, and calls that must refuse or work.
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>
#if defined(__unix__)
#include <sys/resource.h>
#endif

#include "abi/fields.h"
#include "abi/guard.h"
#include "engine_model.h"

namespace vaccine::testing {

constexpr int64_t kMostBytes = int64_t{64} << 20;    // of a plan that is worth a session here
constexpr int32_t kMostLayers = 2048;                // that such a plan may have
constexpr int64_t kMostResident = int64_t{3} << 29;  // of this process, with what sanitizers add
constexpr int64_t kNothingHas = int64_t{1} << 50;    // bytes: a session of such a plan cannot be

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

inline std::vector<Field> fields_of(const std::string& owner) {
    std::vector<Field> all, own;
#define IGNORED(s)
#define FIELD(s, f) add_field<decltype(s::f)>(all, #s, #f, offsetof(s, f));
    VACCINE_FIELDS(IGNORED, FIELD)
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
inline std::vector<Bits> values_of(const Field& field) {
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

inline int64_t resident_bytes() {
#if defined(__unix__)
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return int64_t{usage.ru_maxrss} * 1024;
#else
    return 0;
#endif
}

/// Runs `call`, which may work or refuse: with a status for mistakes and its message, and without much memory.
template <class Call> vaccine_status answers(const std::string& what, Call call) {
    const vaccine_status status = call();
    check(resident_bytes() < kMostResident, what + ": took " + std::to_string(resident_bytes() >> 20) + " MiB");
    if (status == VACCINE_OK) return status;
    const std::string message = vaccine_last_error_message();
    check(status == VACCINE_INVALID_ARGUMENT || status == VACCINE_OUT_OF_MEMORY || status == VACCINE_UNSUPPORTED ||
              status == VACCINE_WRONG_STATE,
          what + ": status " + std::to_string(status) + ": " + message);
    check(message.rfind("vaccine_", 0) == 0 && message.size() > 20, what + ": no message: " + message);
    return status;
}

/// Of the model whose passes are swept.
inline Setup setup() {
    Setup s;
    s.teacher_rows = 24;
    s.varied = true;
    return s;
}

/// For a model of as many layers as there may be: windows and both ropes in turn.
inline std::vector<vaccine_layer_shape> all_layers() {
    std::vector<vaccine_layer_shape> layers(vaccine::kMostLayers);
    for (size_t l = 0; l < layers.size(); ++l) layers[l] = {sizeof(vaccine_layer_shape), static_cast<int32_t>(l % 6), l % 3 == 0};
    return layers;
}

/// One of each kind and number of norms at each point.
constexpr int32_t head_count(int32_t layers) {
    return (layers + 1) * VACCINE_LOSS_KINDS * VACCINE_LOSS_NORMS;
}

/// Everything that the sweeps change, with the memory that its pointers point to: as much as the largest batch and model need.
struct Inputs {
    vaccine_model_shape shape = Model::shape(setup());
    vaccine_plan_options options = Model::options(setup());
    std::vector<int32_t> ids, labels, offsets{0, 1, 8, 20, 24};
    std::vector<vaccine_loss_head> heads;  // as many as the engine may read
    std::vector<vaccine_layer_shape> layers = all_layers();
    std::vector<uint8_t> mask;
    vaccine_batch batch{};
    vaccine_forward_options forward = Model::forward_options();
    vaccine_backward_options backward = Model::backward_options();
    vaccine_adamw_options adamw{};
    vaccine_sampling sampling{};

    Inputs() : ids(24, 0), labels(24, 0), heads(static_cast<size_t>(head_count(kMostLayers))), mask(size_t{kMostLayers} * 16, 1) {
        for (size_t i = 0; i < heads.size(); ++i) {
            const int32_t kinds = VACCINE_LOSS_KINDS, point = static_cast<int32_t>(i) / (kinds * VACCINE_LOSS_NORMS);
            heads[i] = {
                sizeof(vaccine_loss_head), point, static_cast<int32_t>(i) % kinds, static_cast<int32_t>(i) / kinds % 2 + 1, 400, 0.5f};
        }
        shape.rope_scaling = VACCINE_ROPE_LLAMA3;
        shape.rope_low_frequency_factor = 1;
        shape.rope_high_frequency_factor = 4;
        shape.rope_original_positions = 16;
        shape.rope_factor = 8;
        shape.layer_shapes = layers.data();
        options.lora_dropout = 0.1f;
        batch = {sizeof batch, 20, 3, ids.data(), labels.data(), offsets.data()};
        forward.dropout = 1;
        forward.heads = heads.data();
        forward.head_count = head_count(Model::kLayers);
        forward.record_teacher = 1;
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k) forward.record_site[k] = backward.read_site[k] = 0;
        for (int k = 0; k < VACCINE_SITE_KINDS; ++k) backward.norm_scalar[k] = 100 * k;
        backward.tensors = mask.data();
        adamw.struct_size = sizeof adamw;
        adamw.gradient_vector = VACCINE_VECTOR_GRADIENTS;
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
inline bool passes(const std::string& what, vaccine_session* session, const Inputs& in) {
    bool good = true;
    const auto step = [&](const char* name, auto call) { good = answers(what + ", " + name, call) == VACCINE_OK && good; };
    int64_t labels = 0;
    vaccine_batch prompts = in.batch;
    prompts.labels = nullptr;
    int32_t next[4] = {};
    step("forward", [&] { return vaccine_session_forward(session, &in.batch, &in.forward, &labels); });
    step("backward", [&] { return vaccine_session_backward(session, &in.backward); });
    step("adamw", [&] { return vaccine_adamw_step(session, &in.adamw); });
    step("decode_begin", [&] { return vaccine_decode_begin(session, &prompts, &in.sampling, next); });
    const int32_t samples[] = {0, 2}, tokens[] = {0, 0};
    const int32_t places[] = {0, 1, 2, 3};
    step("decode_join", [&] { return vaccine_decode_join(session, &prompts, places, &in.sampling, next); });
    step("decode_next", [&] { return vaccine_decode_next(session, 2, samples, tokens, &in.sampling, next); });
    return good;
}

class Bench {
public:
    Bench() { ok(vaccine_device_create(0, 2, &device)); }
    ~Bench() { vaccine_device_destroy(device); }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// Makes the plan; and where it is a small one, a session, and runs it.
    void plan(const std::string& what, Inputs& in, bool run) {
        vaccine_plan* plan = nullptr;
        if (answers(what, [&] { return vaccine_plan_create(device, &in.shape, &in.options, &plan); }) != VACCINE_OK) {
            check(plan == nullptr, what + ": a plan was made all the same");
            return;
        }
        vaccine_plan_summary summary{};
        summary.struct_size = sizeof summary;
        ok(vaccine_plan_get_summary(plan, &summary));
        check(summary.total_bytes > 0 && summary.parameters > 0 && summary.trainable_parameters >= 0, what + ": the plan counts wrongly");
        vaccine_session* session = nullptr;
        if (summary.total_bytes > kNothingHas)
            check(answers(what, [&] { return vaccine_session_create(device, plan, &session); }) == VACCINE_OUT_OF_MEMORY,
                  what + ": has memory");
        if (run && summary.total_bytes <= kMostBytes) {
            check(in.shape.layers <= kMostLayers, what + ": more layers than this test has heads for");
            in.forward.head_count = head_count(in.shape.layers);
            if (answers(what, [&] { return vaccine_session_create(device, plan, &session); }) == VACCINE_OK) passes(what, session, in);
            vaccine_session_destroy(session);
        }
        vaccine_plan_destroy(plan);
    }

    vaccine_device* device = nullptr;
};

inline std::string text_of(const Field& field, const Bits& value) {
    std::string text = field.owner + "." + field.name + " =";
    for (size_t i = value.size(); i-- > 0;) {
        char digits[8];
        std::snprintf(digits, sizeof digits, " %02x", value[i]);
        text += digits;
    }
    return text;
}

#ifdef VACCINE_TEST_CUDA
constexpr bool kRuns = false;  // sessions on ptxmachine take long, and the passes' checks are the same code
#else
constexpr bool kRuns = true;
#endif

/// Whether a struct_size says that there are bytes behind a struct of ours, which there are not: abi_growth_test has them.
template <class Struct> bool claims_more(const Bits& value) {
    uint32_t size = 0;
    std::memcpy(&size, value.data(), sizeof size);
    return size > sizeof(Struct) && size <= abi::kMostStructBytes;
}

/// f(changed) for each field of a struct of Inputs at each value.
template <class Struct, class F> void sweep(const char* owner, Struct Inputs::*member, F f) {
    for (const Field& field : fields_of(owner))
        for (const Bits& value : values_of(field)) {
            if (field.name == "struct_size" && claims_more<Struct>(value)) continue;
            Inputs in;
            put(in.*member, field, value);
            f(text_of(field, value), in);
        }
}

}  // namespace vaccine::testing
