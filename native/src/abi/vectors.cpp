#include "abi/guard.h"

using namespace vaccine::abi;

extern "C" {

vaccine_status vaccine_vector_write(vaccine_session* session, int32_t vector, int64_t first, int64_t count, const float* values) noexcept {
    return guard_session("vaccine_vector_write", session, [&](vaccine::Session& s) {
        not_null(values, "values");
        s.write(s.parameters.get(vector), first, count, values);
    });
}

vaccine_status vaccine_vector_read(vaccine_session* session, int32_t vector, int64_t first, int64_t count, float* out_values) noexcept {
    return guard_session("vaccine_vector_read", session, [&](vaccine::Session& s) {
        not_null(out_values, "out_values");
        s.read(s.parameters.get(vector), first, count, out_values);
    });
}

vaccine_status vaccine_vector_zero(vaccine_session* session, int32_t vector, const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_zero", session, [&](vaccine::Session& s) { s.parameters.zero(vector, tensors); });
}

vaccine_status vaccine_vector_copy(vaccine_session* session, int32_t from, int32_t to, const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_copy", session, [&](vaccine::Session& s) { s.parameters.copy(from, to, tensors); });
}

vaccine_status vaccine_vector_scale(vaccine_session* session, int32_t vector, float factor, const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_scale", session, [&](vaccine::Session& s) { s.parameters.scale(vector, factor, tensors); });
}

vaccine_status vaccine_vector_axpy(vaccine_session* session, float alpha, int32_t x, int32_t y, const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_axpy", session, [&](vaccine::Session& s) { s.parameters.axpy(alpha, x, y, tensors); });
}

vaccine_status vaccine_vector_scale_to_norm(vaccine_session* session, int32_t vector, float numerator, float epsilon, int32_t scalar,
                                            const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_scale_to_norm", session, [&](vaccine::Session& s) {
        s.parameters.scale_to_norm(vector, numerator, s.sites.scalar(scalar), epsilon, tensors);
    });
}

vaccine_status vaccine_vector_axpy_to_norm(vaccine_session* session, float numerator, float epsilon, int32_t scalar, int32_t x, int32_t y,
                                           const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_axpy_to_norm", session, [&](vaccine::Session& s) {
        s.parameters.axpy_to_norm(numerator, s.sites.scalar(scalar), epsilon, x, y, tensors);
    });
}

vaccine_status vaccine_vector_multiply_add(vaccine_session* session, float alpha, int32_t a, int32_t b, int32_t y,
                                           const uint8_t* tensors) noexcept {
    return guard_session("vaccine_vector_multiply_add", session,
                         [&](vaccine::Session& s) { s.parameters.multiply_add(alpha, a, b, y, tensors); });
}

vaccine_status vaccine_vector_dot(vaccine_session* session, int32_t x, int32_t y, const uint8_t* tensors, int32_t scalar) noexcept {
    return guard_session("vaccine_vector_dot", session,
                         [&](vaccine::Session& s) { s.parameters.dot(x, y, tensors, s.sites.scalar(scalar)); });
}

}  // extern "C"
