// Calls from several threads: sessions of one device take turns, devices do not wait for each other, and what each computes is what it
// computes alone. The tsan preset runs it too.
#include <atomic>
#include <exception>
#include <thread>

#include "engine_model.h"

using namespace nv::testing;

namespace {

#ifdef NV_TEST_CUDA
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
    nv_forward_options forward = Model::forward_options();
    forward.dropout = which;
    forward.record_site[NV_SITE_MLP] = 0;
    std::vector<float> seen;
    for (int step = 0; step < kSteps; ++step) {
        forward.step = static_cast<uint32_t>(step);
        ok(nv_vector_zero(model.session, NV_VECTOR_GRADIENTS, nullptr));
        seen.push_back(static_cast<float>(model.forward(batch, forward)));
        model.backward();
        ok(nv_site_norms(model.session, NV_SITE_MLP, 0, 100));
        seen.push_back(static_cast<float>(model.scalar(100 + Model::kLayers)));
        ok(nv_vector_axpy(model.session, -0.05f, NV_VECTOR_GRADIENTS, NV_VECTOR_PARAMETERS, nullptr));
    }
    nv_batch prompts = batch.view();
    prompts.labels = nullptr;
    nv_sampling sampling{};
    sampling.struct_size = sizeof sampling;
    sampling.temperature = 1;
    sampling.top_p = 0.9f;
    sampling.repetition_penalty = 1.2f;
    int32_t next[3];
    ok(nv_decode_begin(model.session, &prompts, &sampling, next));
    seen.insert(seen.end(), next, next + 3);
    const std::vector<float> parameters = model.vector(NV_VECTOR_PARAMETERS);
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
    nv_device* device = nullptr;
    if (one_device) ok(nv_device_create(0, 2, &device));
    both([&](int which) {
        Model model(setup_of(which), device);
        together[which] = train(model, which);
    });
    nv_device_destroy(device);
    for (const int which : {0, 1})
        check(together[which] == alone[which], "run " + std::to_string(which) + " has other bits beside another");
}

/// Whole calls, one after the other, whoever makes them.
void one_session() {
    Model model({});
    ok(nv_vector_zero(model.session, NV_VECTOR_EXTRA, nullptr));
    std::vector<float> one(1, 1.0f);
    ok(nv_vector_write(model.session, NV_VECTOR_EXTRA + 1, 0, 1, one.data()));
    both([&](int which) {
        for (int i = 0; i < 10 * kSteps; ++i) {
            ok(nv_vector_axpy(model.session, 1, NV_VECTOR_EXTRA + 1, NV_VECTOR_EXTRA, nullptr));
            ok(nv_vector_dot(model.session, NV_VECTOR_EXTRA + 1, NV_VECTOR_EXTRA + 1, nullptr, which));
            check(model.scalar(which) == 1, "a scalar is another");
        }
    });
    check(model.vector(NV_VECTOR_EXTRA)[0] == 20.0f * kSteps, "additions were lost");
}

}  // namespace

int main() {
    std::vector<NamedTest> tests{{"two sessions of one device", [] { sessions(true); }}, {"one session", one_session}};
#ifndef NV_TEST_CUDA
    tests.push_back({"two devices", [] { sessions(false); }});
#endif
    return run_all("threads", tests);
}
