// Calls from several threads: sessions of one device take turns, devices do not wait for each other, and what each computes is what it
// computes alone. The tsan preset runs it too.
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>

#include "engine_model.h"

using namespace vaccine::testing;

namespace {

#ifdef VACCINE_TEST_CUDA
constexpr int kSteps = 1;  // on ptxmachine each takes long
#else
constexpr int kSteps = 100;
#endif

Setup setup_of(int which) {
    Setup setup;
    setup.dropout = which == 0 ? 0.0f : 0.3f;
    setup.lora_rank = which == 0 ? 3 : 5;
    setup.recomputed = which == 0 ? 0 : 2;
    return setup;
}

/// Some steps of training, a site's norms and a few tokens: everything that shares the device's scratch.
std::vector<float> train(Model& model, int which) {
    TestBatch batch;
    if (which != 0)
        for (int32_t& id : batch.ids) id = (id + 11) % Model::kVocabulary;
    vaccine_forward_options forward = Model::forward_options();
    forward.dropout = which;
    forward.record_site[VACCINE_SITE_MLP] = 0;
    std::vector<float> seen;
    for (int step = 0; step < kSteps; ++step) {
        forward.step = static_cast<uint32_t>(step);
        ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
        seen.push_back(static_cast<float>(model.forward(batch, forward)));
        model.backward();
        ok(vaccine_site_norms(model.session, VACCINE_SITE_MLP, 0, 100));
        seen.push_back(static_cast<float>(model.scalar(100 + Model::kLayers)));
        ok(vaccine_vector_axpy(model.session, -0.05f, VACCINE_VECTOR_GRADIENTS, VACCINE_VECTOR_PARAMETERS, nullptr));
    }
    vaccine_batch prompts = batch.view();
    prompts.labels = nullptr;
    vaccine_sampling sampling{};
    sampling.struct_size = sizeof sampling;
    sampling.temperature = 1;
    sampling.top_p = 0.9f;
    sampling.repetition_penalty = 1.2f;
    int32_t next[3];
    ok(vaccine_decode_begin(model.session, &prompts, &sampling, next));
    seen.insert(seen.end(), next, next + 3);
    const std::vector<float> parameters = model.vector(VACCINE_VECTOR_PARAMETERS);
    seen.insert(seen.end(), parameters.begin(), parameters.end());
    return seen;
}

/// Runs f(0) and f(1) at the same time.
template <class F> void both(F f) {
    std::exception_ptr failure[2];
    std::atomic<int> started{0};
    const auto run = [&](int which) {
        for (++started; started < 2;) std::this_thread::yield();
        try {
            f(which);
        } catch (...) {
            failure[which] = std::current_exception();
        }
    };
    std::thread other(run, 1);
    run(0);
    other.join();
    for (const std::exception_ptr& each : failure)
        if (each) std::rethrow_exception(each);
}

/// Each its own session, on a device of its own or on one for both.
void sessions(bool one_device) {
    std::vector<float> alone[2], together[2];
    for (const int which : {0, 1}) {
        Model model(setup_of(which));
        alone[which] = train(model, which);
    }
    check(alone[0] != alone[1], "both runs are the same: mixing them up would not be seen");
    vaccine_device* device = nullptr;
    if (one_device) ok(vaccine_device_create(0, 2, &device));
    both([&](int which) {
        Model model(setup_of(which), device);
        together[which] = train(model, which);
    });
    vaccine_device_destroy(device);
    for (const int which : {0, 1})
        check(together[which] == alone[which], "run " + std::to_string(which) + " has other bits beside another");
}

/// Whole calls, one after the other, whoever makes them.
void one_session() {
    Model model({});
    ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_EXTRA, nullptr));
    std::vector<float> one(1, 1.0f);
    ok(vaccine_vector_write(model.session, VACCINE_VECTOR_EXTRA + 1, 0, 1, one.data()));
    both([&](int which) {
        for (int i = 0; i < 10 * kSteps; ++i) {
            ok(vaccine_vector_axpy(model.session, 1, VACCINE_VECTOR_EXTRA + 1, VACCINE_VECTOR_EXTRA, nullptr));
            ok(vaccine_vector_dot(model.session, VACCINE_VECTOR_EXTRA + 1, VACCINE_VECTOR_EXTRA + 1, nullptr, which));
            check(model.scalar(which) == 1, "a scalar is another");
        }
    });
    check(model.vector(VACCINE_VECTOR_EXTRA)[0] == 20.0f * kSteps, "additions were lost");
}

/// A model streams in from several threads, each writing its own elements, while another session of the device computes.
void weights_are_written_side_by_side() {
    vaccine_device* device = nullptr;
    ok(vaccine_device_create(0, 2, &device));
    auto model = std::make_unique<Model>(Setup{}, device), other = std::make_unique<Model>(Setup{}, device);
    int32_t tensors = 0, trainable = 0;
    ok(vaccine_session_get_tensor_count(model->session, &tensors, &trainable));
    const auto value = [](int32_t tensor, int64_t element) { return static_cast<float>((tensor * 31 + element) % 251) / 128; };
    const auto elements = [&](int32_t tensor) {
        vaccine_tensor_info info{};
        info.struct_size = sizeof info;
        ok(vaccine_session_get_tensor(model->session, tensor, &info));
        return info.rows * info.columns;
    };
    both([&](int which) {
        for (int32_t tensor = 0; tensor < tensors; ++tensor) {
            const int64_t half = elements(tensor) / 2, first = which == 0 ? 0 : half;
            std::vector<float> values(static_cast<size_t>(which == 0 ? half : elements(tensor) - half));
            for (size_t i = 0; i < values.size(); ++i) values[i] = value(tensor, first + static_cast<int64_t>(i));
            if (!values.empty())
                ok(vaccine_session_write_tensor(model->session, tensor, first, static_cast<int64_t>(values.size()), values.data()));
            if (tensor % 8 == which && tensor / 8 < kSteps) other->forward(TestBatch());
        }
    });
    for (int32_t tensor = 0; tensor < tensors; ++tensor) {
        std::vector<float> values(static_cast<size_t>(elements(tensor)));
        ok(vaccine_session_read_tensor(model->session, tensor, 0, static_cast<int64_t>(values.size()), values.data()));
        for (size_t i = 0; i < values.size(); ++i)
            check(values[i] == value(tensor, static_cast<int64_t>(i)), "tensor " + std::to_string(tensor) + " lost what was written");
    }
    model.reset();
    other.reset();
    vaccine_device_destroy(device);
}

/// A pass that is asked to end says so, and leaves the weights and the next passes as they would have been.
void interrupted_passes_end() {
    const TestBatch batch;
    const vaccine_batch view = batch.view();
    vaccine_batch prompts = view;
    prompts.labels = nullptr;
    vaccine_sampling greedy{};
    greedy.struct_size = sizeof greedy;
    greedy.top_p = greedy.repetition_penalty = 1;
    const vaccine_forward_options forward = Model::forward_options();
    const vaccine_backward_options backward = Model::backward_options();
    int64_t labels = 0;
    int32_t next[3] = {};
    const int32_t sample = 0, token = 0;
    const auto gradient = [&](Model& model) {
        ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
        model.forward(batch);
        model.backward();
        return model.vector(VACCINE_VECTOR_GRADIENTS);
    };
    Model model({});
    const std::vector<float> before = gradient(model), weights = model.vector(VACCINE_VECTOR_PARAMETERS);
    const auto interrupted = [&](const char* what, auto prepare, auto pass) {
        prepare();
        ok(vaccine_session_interrupt(model.session, 1));
        check(pass() == VACCINE_INTERRUPTED && pass() == VACCINE_INTERRUPTED, std::string(what) + " was not interrupted");
        check(std::string(vaccine_last_error_message()).find("interrupted") != std::string::npos, "the message does not say it");
        ok(vaccine_session_interrupt(model.session, 0));
        check(pass() != VACCINE_INTERRUPTED, std::string(what) + " is interrupted although that was taken back");
    };
    const auto run_forward = [&] { return vaccine_session_forward(model.session, &view, &forward, &labels); };
    interrupted(
        "forward", [] {}, run_forward);
    // Without its forward pass the second one would be refused: each is asked to end in its first loop.
    ok(run_forward());
    ok(vaccine_session_interrupt(model.session, 1));
    check(vaccine_session_backward(model.session, &backward) == VACCINE_INTERRUPTED, "backward was not interrupted");
    ok(vaccine_session_interrupt(model.session, 0));
    check(vaccine_session_backward(model.session, &backward) == VACCINE_WRONG_STATE, "backward goes on after an interruption");
    interrupted(
        "decode_begin", [] {}, [&] { return vaccine_decode_begin(model.session, &prompts, &greedy, next); });
    const int32_t places[] = {0, 1, 2};
    interrupted(
        "decode_join", [] {}, [&] { return vaccine_decode_join(model.session, &prompts, places, &greedy, next); });
    ok(vaccine_session_interrupt(model.session, 1));
    check(vaccine_decode_next(model.session, 1, &sample, &token, &greedy, next) == VACCINE_INTERRUPTED, "decode_next was not interrupted");
    ok(vaccine_vector_scale(model.session, VACCINE_VECTOR_EXTRA, 1, nullptr));  // no pass
    ok(vaccine_session_interrupt(model.session, 0));
    check(vaccine_decode_next(model.session, 1, &sample, &token, &greedy, next) == VACCINE_INVALID_ARGUMENT, "decoding goes on after it");
    check(model.vector(VACCINE_VECTOR_PARAMETERS) == weights, "an interrupted pass changed weights");
    check(gradient(model) == before, "a pass after an interrupted one has other bits");
}

#ifndef VACCINE_TEST_CUDA
/// One layer and one long sample: most of the time goes into one op. Somebody else asks in the middle of it. (No test of how soon: machines
/// that do much else take any time.)
void long_passes_end(bool backwards) {
    vaccine_model_shape shape = Model::shape({});
    vaccine_plan_options options = Model::options({});
    shape.layers = 1;
    shape.sliding_window = 0;
    options.max_tokens = options.longest_sample = 30000;
    options.decode_samples = options.decode_capacity = 0;
    vaccine_device* device = nullptr;
    vaccine_plan* plan = nullptr;
    vaccine_session* session = nullptr;
    ok(vaccine_device_create(0, 2, &device));
    ok(vaccine_plan_create(device, &shape, &options, &plan));
    ok(vaccine_session_create(device, plan, &session));
    const std::vector<int32_t> ids(30000, 1), offsets{0, 30000};
    const auto pass = [&](int32_t tokens) {
        const std::vector<int32_t> ends{0, tokens};
        const vaccine_batch batch{sizeof batch, tokens, 1, ids.data(), ids.data(), ends.data()};
        const vaccine_forward_options forward = Model::forward_options();
        const vaccine_backward_options backward = Model::backward_options();
        int64_t labels = 0;
        const vaccine_status status = vaccine_session_forward(session, &batch, &forward, &labels);
        return status == VACCINE_OK && backwards ? vaccine_session_backward(session, &backward) : status;
    };
    ok(pass(10));
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(backwards ? 300 : 30));
        vaccine_session_interrupt(session, 1);
    });
    const vaccine_status status = pass(30000);
    other.join();
    vaccine_session_destroy(session);
    vaccine_plan_destroy(plan);
    vaccine_device_destroy(device);
    check(status == VACCINE_INTERRUPTED, "the pass was not interrupted, or was over before: status " + std::to_string(status));
}
#endif

}  // namespace

int main() {
    std::vector<NamedTest> tests{{"two sessions of one device", [] { sessions(true); }},
                                 {"one session", one_session},
                                 {"weights written side by side", weights_are_written_side_by_side},
                                 {"interrupted passes", interrupted_passes_end}};
#ifndef VACCINE_TEST_CUDA
    tests.push_back({"two devices", [] { sessions(false); }});
    tests.push_back({"a long forward pass", [] { long_passes_end(false); }});
    tests.push_back({"a long backward pass", [] { long_passes_end(true); }});
#endif
    return run_all("threads", tests);
}
