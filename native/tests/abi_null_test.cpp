// NULL for each pointer of each function of the C ABI: a call must refuse with a message.
#include "abi_limits.h"

using namespace vaccine::testing;

namespace {

/// Every pointer of every function that takes a handle, NULL one by one.
void null_pointers() {
    Model model(setup());
    vaccine_session* s = model.session;
    Inputs in;
    vaccine_plan* plan = nullptr;
    vaccine_session* session = nullptr;
    int32_t small = 0;
    int64_t large = 0;
    float number = 0;
    double wide = 0;
    const std::vector<std::function<vaccine_status()>> calls{
        [] { return vaccine_device_count(nullptr); },
        [] { return vaccine_device_create(0, 1, nullptr); },
        [&] { return vaccine_device_get_info(model.device, nullptr); },
        [] { return vaccine_device_get_info(nullptr, nullptr); },
        [] { return vaccine_device_set_gemm(nullptr, 0); },
        [&] { return vaccine_plan_create(nullptr, &in.shape, &in.options, &plan); },
        [&] { return vaccine_plan_create(model.device, nullptr, &in.options, &plan); },
        [&] { return vaccine_plan_create(model.device, &in.shape, nullptr, &plan); },
        [&] { return vaccine_plan_create(model.device, &in.shape, &in.options, nullptr); },
        [&] { return vaccine_plan_create_for_gpu(nullptr, &in.options, &plan); },
        [&] { return vaccine_plan_create_for_gpu(&in.shape, nullptr, &plan); },
        [&] { return vaccine_plan_create_for_gpu(&in.shape, &in.options, nullptr); },
        [&] { return vaccine_plan_get_summary(model.plan, nullptr); },
        [] { return vaccine_plan_get_summary(nullptr, nullptr); },
        [&] { return vaccine_plan_get_item(model.plan, 0, nullptr); },
        [] { return vaccine_plan_get_item(nullptr, 0, nullptr); },
        [&] { return vaccine_session_create(nullptr, model.plan, &session); },
        [&] { return vaccine_session_create(model.device, nullptr, &session); },
        [&] { return vaccine_session_create(model.device, model.plan, nullptr); },
        [&] { return vaccine_session_get_memory(s, nullptr, &large); },
        [&] { return vaccine_session_get_memory(s, &large, nullptr); },
        [&] { return vaccine_session_get_tensor_count(s, nullptr, &small); },
        [&] { return vaccine_session_get_tensor_count(s, &small, nullptr); },
        [&] { return vaccine_session_get_tensor(s, 0, nullptr); },
        [&] { return vaccine_session_write_tensor(s, 0, 0, 1, nullptr); },
        [&] { return vaccine_session_write_tensor_bf16(s, 0, 0, 1, nullptr); },
        [&] { return vaccine_session_read_tensor(s, 0, 0, 1, nullptr); },
        [&] { return vaccine_session_read_tensor(nullptr, 0, 0, 1, &number); },
        [&] { return vaccine_scalars_read(s, 0, 1, nullptr); },
        [&] { return vaccine_scalars_read(nullptr, 0, 1, &wide); },
        [&] { return vaccine_vector_write(s, 0, 0, 1, nullptr); },
        [&] { return vaccine_vector_read(s, 0, 0, 1, nullptr); },
        [] { return vaccine_session_interrupt(nullptr, 1); },
        [] { return vaccine_vector_zero(nullptr, 0, nullptr); },
        [&] { return vaccine_site_select(s, 0, 0, nullptr); },
        [&] { return vaccine_site_mask_rows(s, 0, 0, nullptr); },
        [&] { return vaccine_site_gram(s, 0, 0, 1, 0, nullptr); },
        [&] { return vaccine_site_add_combination(s, 0, 0, 1, 0, nullptr); },
        [&] { return vaccine_site_write(s, 0, 0, 0, 0, nullptr); },
        [&] { return vaccine_site_read(s, 0, 0, 0, 0, nullptr); },
        [&] { return vaccine_session_forward(s, nullptr, &in.forward, &large); },
        [&] { return vaccine_session_forward(s, &in.batch, nullptr, &large); },
        [&] { return vaccine_session_forward(s, &in.batch, &in.forward, nullptr); },
        [&] { return vaccine_session_backward(s, nullptr); },
        [&] { return vaccine_session_read_losses(s, 0, nullptr); },
        [&] { return vaccine_session_read_logits(s, 0, 0, nullptr); },
        [&] { return vaccine_adamw_step(s, nullptr); },
        [&] { return vaccine_adamw_read_steps(s, 0, 0, nullptr); },
        [&] { return vaccine_adamw_write_steps(s, 0, 0, nullptr); },
        [&] { return vaccine_decode_begin(s, nullptr, &in.sampling, &small); },
        [&] { return vaccine_decode_begin(s, &in.batch, nullptr, &small); },
        [&] { return vaccine_decode_begin(s, &in.batch, &in.sampling, nullptr); },
        [&] { return vaccine_decode_join(s, nullptr, &small, &in.sampling, &small); },
        [&] { return vaccine_decode_join(s, &in.batch, nullptr, &in.sampling, &small); },
        [&] { return vaccine_decode_join(s, &in.batch, &small, nullptr, &small); },
        [&] { return vaccine_decode_join(s, &in.batch, &small, &in.sampling, nullptr); },
        [&] { return vaccine_decode_next(s, 1, nullptr, &small, &in.sampling, &small); },
        [&] { return vaccine_decode_next(s, 1, &small, nullptr, &in.sampling, &small); },
        [&] { return vaccine_decode_next(s, 1, &small, &small, nullptr, &small); },
        [&] { return vaccine_decode_next(s, 1, &small, &small, &in.sampling, nullptr); },
        [&] { return vaccine_decode_extend(s, nullptr, &small, &small, &large); },
        [&] { return vaccine_decode_extend(s, &in.batch, nullptr, &small, &large); },
        [&] { return vaccine_decode_extend(s, &in.batch, &small, nullptr, &large); },
        [&] { return vaccine_decode_extend(s, &in.batch, &small, &small, nullptr); },
    };
    for (size_t i = 0; i < calls.size(); ++i)
        check(answers("call " + std::to_string(i), calls[i]) == VACCINE_INVALID_ARGUMENT, "NULL was taken by call " + std::to_string(i));
    vaccine_session_destroy(nullptr);
    vaccine_plan_destroy(nullptr);
    vaccine_device_destroy(nullptr);
}

}  // namespace

int main() {
    return run_all("abi pointers", {{"null pointers", null_pointers}});
}
