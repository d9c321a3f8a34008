#include "core/device.h"

#include "abi/guard.h"
#include "ops/ops.h"

using namespace vaccine::abi;

extern "C" {

vaccine_status vaccine_device_count(int32_t* out_count) noexcept {
    return guard("vaccine_device_count", [&] {
        not_null(out_count, "out_count");
        *out_count = vaccine::Device::count();
    });
}

vaccine_status vaccine_device_create(int32_t index, int32_t threads, vaccine_device** out) noexcept {
    return guard("vaccine_device_create", [&] {
        not_null(out, "out");
        *out = nullptr;
        vaccine::require(threads >= 0 && threads <= 4096, "threads is " + std::to_string(threads) + ", expected 0 to 4096");
        auto device = vaccine::Device::open(index, threads);
        vaccine::ops::choose_gemm(device->stream(), vaccine::GemmChoice::Auto);
        *out = new vaccine_device(std::move(device));
    });
}

void vaccine_device_destroy(vaccine_device* device) noexcept {
    delete device;
}

vaccine_status vaccine_device_get_info(const vaccine_device* device, vaccine_device_info* out) noexcept {
    return guard_device("vaccine_device_get_info", device, [&](vaccine::Device& d) {
        check_struct(out, "out");
        const vaccine::DeviceInfo info = d.info();
        vaccine_device_info reply{};
        reply.compute_major = info.compute_major;
        reply.compute_minor = info.compute_minor;
        reply.threads = info.threads;
        reply.total_bytes = info.total_bytes;
        reply.free_bytes = info.free_bytes;
        reply.driver_version = info.driver_version;
        reply.runtime_version = info.runtime_version;
        reply.gemm = d.stream().cublas == nullptr ? VACCINE_GEMM_OWN : VACCINE_GEMM_CUBLAS;
        reply.cublas = vaccine::ops::has_cublas();
        copy_text(reply.instructions, info.instructions);
        copy_text(reply.name, info.name);
        give(reply, out, "out");
    });
}

vaccine_status vaccine_device_set_gemm(vaccine_device* device, int32_t gemm) noexcept {
    return guard_device("vaccine_device_set_gemm", device, [&](vaccine::Device& d) {
        vaccine::require(gemm >= VACCINE_GEMM_OWN && gemm <= VACCINE_GEMM_AUTO,
                         "gemm is " + std::to_string(gemm) + ", expected an vaccine_gemm");
        d.make_current();
        vaccine::ops::choose_gemm(d.stream(), static_cast<vaccine::GemmChoice>(gemm));
    });
}

}  // extern "C"
