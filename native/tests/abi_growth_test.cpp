// Callers compiled with an earlier or a later header than the library: structs that are smaller or larger than those it knows.
#include "abi/guard.h"
#include "engine_model.h"

namespace {

/// A struct that has got a field since its first version.
struct Grown {
    uint32_t struct_size;
    int32_t first;
    int64_t added;
};

}  // namespace

template <> inline constexpr uint32_t vaccine::abi::kFirstSize<Grown> = 8;

using namespace vaccine;
using namespace vaccine::testing;

namespace {

/// A caller's memory, with a struct at its beginning and bytes of 0x77 behind it.
template <class Struct> struct Memory {
    alignas(8) unsigned char bytes[sizeof(Struct) + 64];

    explicit Memory(const Struct& value) {
        std::memset(bytes, 0x77, sizeof bytes);
        std::memcpy(bytes, &value, sizeof value);
    }
    Struct* get() { return reinterpret_cast<Struct*>(bytes); }
    /// As a caller would have it whose struct has so many bytes more, all zero.
    Memory& later(uint32_t more) {
        get()->struct_size = sizeof(Struct) + more;
        std::memset(bytes + sizeof(Struct), 0, more);
        return *this;
    }
};

void earlier_options() {
    Memory<Grown> caller({8, 5, 99});  // 99 is not the struct's: the caller has 8 bytes
    const abi::Known<Grown> known(caller.get(), "options");
    check(known->first == 5 && known->added == 0, "a field that the caller does not have is not 0");
    for (const uint32_t size : {0u, 4u, 7u, 1u << 17, ~0u}) {
        caller.get()->struct_size = size;
        expect_refused([&] { abi::Known<Grown>(caller.get(), "options"); }, {"options.struct_size is", "expected 16, or at least the 8"});
    }
}

void later_options() {
    Memory<Grown> caller({16, 5, 6});
    const abi::Known<Grown> known(caller.later(24).get(), "options");
    check(known->first == 5 && known->added == 6, "the fields that both know were not taken");
    caller.bytes[39] = 1;
    expect_refused([&] { abi::Known<Grown>(caller.get(), "options"); }, {"options has 40 bytes", "knows 16", "byte 39"});
    caller.get()->struct_size = 39;
    abi::Known<Grown>(caller.get(), "options");  // byte 39 is not the struct's now
}

void replies() {
    const Grown value{0, 5, 6};
    Memory<Grown> earlier({8, 1, 99}), later({16, 1, 2});
    abi::give(value, earlier.get(), "out");
    check(earlier.get()->first == 5 && earlier.get()->added == 99 && earlier.get()->struct_size == 8,
          "more than the caller has was filled");
    later.get()->struct_size = 24;
    abi::give(value, later.get(), "out");
    check(later.get()->first == 5 && later.get()->added == 6, "not all was filled");
    for (size_t i = 16; i < 32; ++i) check(later.bytes[i] == (i < 24 ? 0 : 0x77), "the rest of a larger struct is not 0, or more was");
    earlier.get()->struct_size = 4;
    expect_refused([&] { abi::give(value, earlier.get(), "out"); }, {"out.struct_size"});
}

template <class Struct> Struct sized() {
    Struct value{};
    value.struct_size = sizeof value;
    return value;
}

/// Each struct through a function that takes it.
template <class Struct, class Call> void takes(const char* name, const Struct& value, Call call) {
    Memory<Struct> caller(value);
    check(call(caller.get()) == VACCINE_OK, std::string(name) + ": " + vaccine_last_error_message());
    check(call(caller.later(8).get()) == VACCINE_OK, std::string(name) + ", larger: " + vaccine_last_error_message());
    for (size_t i = 0; i < 8; ++i) check(caller.bytes[sizeof(Struct) + i] == 0, std::string(name) + ": the rest is not 0 any more");
    caller.get()->struct_size = abi::kFirstSize<Struct> - 1;
    check(call(caller.get()) == VACCINE_INVALID_ARGUMENT, std::string(name) + ": less than in the first version was taken");
}
template <class Struct, class Call> void takes_options(const char* name, const Struct& value, Call call) {
    takes(name, value, call);
    Memory<Struct> caller(value);
    caller.later(8).bytes[sizeof(Struct) + 5] = 1;
    check(call(caller.get()) == VACCINE_INVALID_ARGUMENT, std::string(name) + ": a field of a later version was ignored");
}

/// An array of structs is the caller's, of structs as it knows them.
void later_layers() {
    struct Later {
        vaccine_layer_shape known;
        int32_t added;
    };
    Setup varied;
    varied.varied = true;
    const Model model(varied);
    vaccine_model_shape shape = Model::shape(varied);
    const auto options = Model::options(varied);
    std::vector<Later> layers;
    for (int l = 0; l < Model::kLayers; ++l) layers.push_back({shape.layer_shapes[l], 0});
    for (Later& layer : layers) layer.known.struct_size = sizeof(Later);
    shape.layer_shapes = &layers[0].known;
    const auto plan = [&] {
        vaccine_plan* made = nullptr;
        const vaccine_status status = vaccine_plan_create(model.device, &shape, &options, &made);
        vaccine_plan_destroy(made);
        return status;
    };
    ok(plan());
    layers[3].known.window = -5;
    refused(plan(), VACCINE_INVALID_ARGUMENT, "window of layer 3 is -5");
    layers[2].added = 1;
    refused(plan(), VACCINE_INVALID_ARGUMENT, "shape.layer_shapes[2] has 16 bytes");
}

void functions() {
    Model model({});
    vaccine_session* s = model.session;
    const auto shape = Model::shape({});
    const auto options = Model::options({});
    const auto plan = [&](const vaccine_model_shape* of, const vaccine_plan_options* with) {
        vaccine_plan* made = nullptr;
        const vaccine_status status = vaccine_plan_create(model.device, of, with, &made);
        vaccine_plan_destroy(made);
        return status;
    };
    takes_options("shape", shape, [&](auto* given) { return plan(given, &options); });
    takes_options("plan options", options, [&](auto* given) { return plan(&shape, given); });
    takes("device info", sized<vaccine_device_info>(), [&](auto* out) { return vaccine_device_get_info(model.device, out); });
    takes("plan item", sized<vaccine_plan_item>(), [&](auto* out) { return vaccine_plan_get_item(model.plan, 0, out); });
    takes("plan summary", sized<vaccine_plan_summary>(), [&](auto* out) { return vaccine_plan_get_summary(model.plan, out); });
    takes("tensor info", sized<vaccine_tensor_info>(), [&](auto* out) { return vaccine_session_get_tensor(s, 0, out); });

    const TestBatch batch;
    const vaccine_batch view = batch.view();
    const auto forward = [&](const vaccine_batch* of, const vaccine_forward_options* with) {
        int64_t labels = 0;
        return vaccine_session_forward(s, of, with, &labels);
    };
    const auto forward_options = Model::forward_options();
    takes_options("batch", view, [&](auto* given) { return forward(given, &forward_options); });
    takes_options("forward options", forward_options, [&](auto* given) { return forward(&view, given); });
    takes_options("backward options", Model::backward_options(), [&](auto* given) {
        ok(forward(&view, &forward_options));
        return vaccine_session_backward(s, given);
    });
    auto adamw = sized<vaccine_adamw_options>();
    adamw.gradient_vector = VACCINE_VECTOR_GRADIENTS;
    takes_options("adamw options", adamw, [&](auto* given) { return vaccine_adamw_step(s, given); });
    vaccine_batch prompts = view;
    prompts.labels = nullptr;
    auto sampling = sized<vaccine_sampling>();
    sampling.top_p = sampling.repetition_penalty = 1;
    takes_options("sampling", sampling, [&](auto* given) {
        int32_t next[3];
        return vaccine_decode_begin(s, &prompts, given, next);
    });
}

}  // namespace

int main() {
    return run_all("abi growth", {{"options of an earlier caller", earlier_options},
                                  {"options of a later caller", later_options},
                                  {"replies", replies},
                                  {"layers of a later caller", later_layers},
                                  {"functions", functions}});
}
