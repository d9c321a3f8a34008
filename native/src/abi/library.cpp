#include <cstdio>
#include <string>

#include "abi/guard.h"
#include "core/device.h"

namespace nv::abi {
namespace {

thread_local char last_message[1024] = "";

}  // namespace

nv_status fail(const char* function, Status status, const char* message) noexcept {
    std::snprintf(last_message, sizeof last_message, "%s: %s", function, message);
    return static_cast<nv_status>(status);
}

}  // namespace nv::abi

extern "C" {

uint32_t nv_abi_version(void) noexcept {
    return NV_ABI_VERSION;
}

const char* nv_last_error_message(void) noexcept {
    return nv::abi::last_message;
}

const char* nv_build_description(void) noexcept {
#if defined(__clang__)
    static const std::string text = std::string("nativevaccine ") + nv::Device::build() + ", Clang " __clang_version__;
#elif defined(__GNUC__)
    static const std::string text = std::string("nativevaccine ") + nv::Device::build() + ", GCC " __VERSION__;
#else
    static const std::string text = std::string("nativevaccine ") + nv::Device::build();
#endif
    return text.c_str();
}

nv_status nv_scalars_read(nv_session* session, int32_t first, int32_t count, double* out_values) noexcept {
    return nv::abi::guard_session("nv_scalars_read", session, [&](nv::Session& s) {
        nv::abi::not_null(out_values, "out_values");
        const nv::View view = s.sites.scalars(first, count);
        s.device().download(out_values, view.data, view.bytes());
    });
}

}  // extern "C"
