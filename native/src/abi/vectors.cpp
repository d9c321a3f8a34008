#include "abi/guard.h"

using namespace nv::abi;

extern "C" {

nv_status nv_vector_write(nv_session* session, int32_t vector, int64_t first, int64_t count, const float* values) noexcept {
    return guard_session("nv_vector_write", session, [&](nv::Session& s) {
        not_null(values, "values");
        s.write(s.parameters.get(vector), first, count, values);
    });
}

nv_status nv_vector_read(nv_session* session, int32_t vector, int64_t first, int64_t count, float* out_values) noexcept {
    return guard_session("nv_vector_read", session, [&](nv::Session& s) {
        not_null(out_values, "out_values");
        s.read(s.parameters.get(vector), first, count, out_values);
    });
}

nv_status nv_vector_zero(nv_session* session, int32_t vector, const uint8_t* tensors) noexcept {
    return guard_session("nv_vector_zero", session, [&](nv::Session& s) { s.parameters.zero(vector, tensors); });
}

nv_status nv_vector_copy(nv_session* session, int32_t from, int32_t to, const uint8_t* tensors) noexcept {
    return guard_session("nv_vector_copy", session, [&](nv::Session& s) { s.parameters.copy(from, to, tensors); });
}

nv_status nv_vector_scale(nv_session* session, int32_t vector, float factor, const uint8_t* tensors) noexcept {
    return guard_session("nv_vector_scale", session, [&](nv::Session& s) { s.parameters.scale(vector, factor, tensors); });
}

nv_status nv_vector_axpy(nv_session* session, float alpha, int32_t x, int32_t y, const uint8_t* tensors) noexcept {
    return guard_session("nv_vector_axpy", session, [&](nv::Session& s) { s.parameters.axpy(alpha, x, y, tensors); });
}

nv_status nv_vector_multiply_add(nv_session* session, float alpha, int32_t a, int32_t b, int32_t y, const uint8_t* tensors) noexcept {
    return guard_session("nv_vector_multiply_add", session, [&](nv::Session& s) { s.parameters.multiply_add(alpha, a, b, y, tensors); });
}

nv_status nv_vector_dot(nv_session* session, int32_t x, int32_t y, const uint8_t* tensors, int32_t scalar) noexcept {
    return guard_session("nv_vector_dot", session, [&](nv::Session& s) { s.parameters.dot(x, y, tensors, s.sites.scalar(scalar)); });
}

}  // extern "C"
