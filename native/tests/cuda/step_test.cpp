// What a training step asks of the CUDA runtime: kernels, and one wait for each loss that is read. Of the functions that take or give back
// memory, or wait, the library imports these three only.
#include "../engine_model.h"
#include "faulty_cudart.h"

namespace vaccine::testing {
namespace {

constexpr int32_t kNormScalar = 1, kSiteScalar = 10;
constexpr int kSite = VACCINE_SITE_ATTENTION;

/// T-Vaccine's step without its probe: a pass that reads the gradient at the attention outputs, the perturbation, a pass with it, clipping,
/// AdamW. Reads two losses.
void train(Model& model, const TestBatch& batch) {
    model.forward(batch);
    vaccine_backward_options first = Model::backward_options(-1);
    first.read_site[kSite] = 0;
    model.backward(first);
    ok(vaccine_site_norms(model.session, kSite, 0, kSiteScalar));
    ok(vaccine_site_scale_to_norm(model.session, kSite, 0, 2, 1e-7f, kSiteScalar + Model::kLayers));

    vaccine_forward_options second = Model::forward_options();
    second.add_site[kSite] = 0;
    model.forward(batch, second);
    ok(vaccine_vector_zero(model.session, VACCINE_VECTOR_GRADIENTS, nullptr));
    model.backward();
    ok(vaccine_vector_dot(model.session, VACCINE_VECTOR_GRADIENTS, VACCINE_VECTOR_GRADIENTS, nullptr, kNormScalar));
    vaccine_adamw_options update{};
    update.gradient_vector = VACCINE_VECTOR_GRADIENTS;
    update.struct_size = sizeof update;
    update.learning_rate = 1e-3;
    update.beta1 = 0.9;
    update.beta2 = 0.999;
    update.epsilon = 1e-8;
    update.clip = 1;
    update.norm_scalar = kNormScalar;
    ok(vaccine_adamw_step(model.session, &update));
}

void only_losses_are_waited_for(Setup setup) {
    Model model(setup);
    const TestBatch batch;
    faulty_cudart_set("");  // counts from here
    train(model, batch);
    const CudartCalls calls = faulty_cudart_calls();
    const auto expect = [](const char* what, long got, long want) {
        check(got == want, std::string(what) + ": " + std::to_string(got) + ", expected " + std::to_string(want));
    };
    check(calls.launches > 100, "the step was not taken: " + std::to_string(calls.launches) + " launches");
    expect("allocations", calls.allocations, 0);
    expect("memory given back", calls.releases, 0);
    expect("waits", calls.waits, 2);
}

}  // namespace
}  // namespace vaccine::testing

int main() {
    using namespace vaccine::testing;
    Setup lora, full;
    lora.dropout = 0.1f;
    lora.recomputed = 2;
    full.full = true;
    return run_all("cuda step",
                   {{"adapters", [&] { only_losses_are_waited_for(lora); }}, {"all weights", [&] { only_losses_are_waited_for(full); }}});
}
