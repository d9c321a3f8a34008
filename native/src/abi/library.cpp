#include <cstdio>
#include <string>

#include "abi/guard.h"
#include "core/device.h"

namespace vaccine::abi {
namespace {

thread_local char last_message[1024] = "";

}  // namespace

vaccine_status fail(const char* function, Status status, const char* message) noexcept {
    std::snprintf(last_message, sizeof last_message, "%s: %s", function, message);
    return static_cast<vaccine_status>(status);
}

}  // namespace vaccine::abi

extern "C" {

uint32_t vaccine_abi_version(void) noexcept {
    return VACCINE_ABI_VERSION;
}

const char* vaccine_last_error_message(void) noexcept {
    return vaccine::abi::last_message;
}

const char* vaccine_build_description(void) noexcept {
#if defined(__clang__)
    static const std::string text = std::string("nativevaccine ") + vaccine::Device::build() + ", Clang " __clang_version__;
#elif defined(__GNUC__)
    static const std::string text = std::string("nativevaccine ") + vaccine::Device::build() + ", GCC " __VERSION__;
#else
    static const std::string text = std::string("nativevaccine ") + vaccine::Device::build();
#endif
    return text.c_str();
}

vaccine_status vaccine_scalars_read(vaccine_session* session, int32_t first, int32_t count, double* out_values) noexcept {
    return vaccine::abi::guard_session("vaccine_scalars_read", session, [&](vaccine::Session& s) {
        vaccine::abi::not_null(out_values, "out_values");
        const vaccine::View view = s.sites.scalars(first, count);
        s.device().download(out_values, view.data, view.bytes());
    });
}

}  // extern "C"
