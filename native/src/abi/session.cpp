#include "train/session.h"

#include "abi/guard.h"
#include "ops/ops.h"

using namespace vaccine::abi;

namespace {

/// A plan may have been made for another device.
void require_suits(const vaccine::Plan& plan, vaccine::Device& device) {
    vaccine::require(device.computes_in(plan.options().activation_type),
                     "plan is for bf16 activations, and this device computes in fp32 only");
    const int64_t needed = vaccine::ops::workspace_bytes(device.stream(), plan.workspace_need());
    vaccine::require(plan.workspace_bytes() >= needed, "plan is for another device: it has " + std::to_string(plan.workspace_bytes()) +
                                                           " bytes of workspace, expected " + std::to_string(needed) + " at least");
}

}  // namespace

extern "C" {

vaccine_status vaccine_session_create(vaccine_device* device, const vaccine_plan* plan, vaccine_session** out) noexcept {
    if (out != nullptr) *out = nullptr;
    return guard_device("vaccine_session_create", device, [&](vaccine::Device& d) {
        not_null(out, "out");
        not_null(plan, "plan");
        d.make_current();
        require_suits(plan->plan, d);
        *out = new vaccine_session(*device, plan->plan);
    });
}

void vaccine_session_destroy(vaccine_session* session) noexcept {
    if (session == nullptr) return;
    const std::lock_guard turn(session->owner.busy);
    delete session;
}

vaccine_status vaccine_session_get_memory(const vaccine_session* session, int64_t* out_taken, int64_t* out_used) noexcept {
    return guard_session("vaccine_session_get_memory", session, [&](vaccine::Session& s) {
        not_null(out_taken, "out_taken");
        not_null(out_used, "out_used");
        *out_taken = s.taken_bytes();
        *out_used = s.used_bytes();
    });
}

vaccine_status vaccine_session_get_tensor_count(const vaccine_session* session, int32_t* out_tensors, int32_t* out_trainable) noexcept {
    return guard_session("vaccine_session_get_tensor_count", session, [&](vaccine::Session& s) {
        not_null(out_tensors, "out_tensors");
        not_null(out_trainable, "out_trainable");
        *out_tensors = static_cast<int32_t>(s.plan().tensors().all().size());
        *out_trainable = s.plan().tensors().trainable_count();
    });
}

vaccine_status vaccine_session_get_tensor(const vaccine_session* session, int32_t index, vaccine_tensor_info* out) noexcept {
    return guard_session("vaccine_session_get_tensor", session, [&](vaccine::Session& s) {
        const auto& all = s.plan().tensors().all();
        vaccine::require(index >= 0 && index < static_cast<int32_t>(all.size()),
                         "index is " + std::to_string(index) + ", expected 0 to " + std::to_string(all.size() - 1));
        const vaccine::Tensor& t = all[static_cast<size_t>(index)];
        vaccine_tensor_info reply{};
        reply.kind = static_cast<int32_t>(t.kind);
        reply.layer = t.layer;
        reply.projection = t.projection;
        reply.trainable = t.trainable;
        reply.rows = t.rows;
        reply.columns = t.columns;
        reply.offset = t.offset;
        give(reply, out, "out");
    });
}

vaccine_status vaccine_session_write_tensor(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                            const float* values) noexcept {
    return guard_write("vaccine_session_write_tensor", session, [&](vaccine::Session& s) {
        not_null(values, "values");
        s.write(s.tensor(index), first, count, values);
    });
}

vaccine_status vaccine_session_write_tensor_bf16(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                                 const uint16_t* values) noexcept {
    return guard_write("vaccine_session_write_tensor_bf16", session, [&](vaccine::Session& s) {
        not_null(values, "values");
        s.write(s.tensor(index), first, count, values);
    });
}

vaccine_status vaccine_session_read_tensor(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                           float* out_values) noexcept {
    return guard_session("vaccine_session_read_tensor", session, [&](vaccine::Session& s) {
        not_null(out_values, "out_values");
        s.read(s.tensor(index), first, count, out_values);
    });
}

}  // extern "C"
