#include "core/device.h"

#include "abi/guard.h"
#include "ops/ops.h"

using namespace nv::abi;

extern "C" {

nv_status nv_device_count(int32_t* out_count) noexcept {
    return guard("nv_device_count", [&] {
        not_null(out_count, "out_count");
        *out_count = nv::Device::count();
    });
}

nv_status nv_device_create(int32_t index, int32_t threads, nv_device** out) noexcept {
    return guard("nv_device_create", [&] {
        not_null(out, "out");
        *out = nullptr;
        nv::require(threads >= 0 && threads <= 4096, "threads is " + std::to_string(threads) + ", expected 0 to 4096");
        auto device = nv::Device::open(index, threads);
        nv::ops::choose_gemm(device->stream(), nv::GemmChoice::Auto);
        *out = new nv_device(std::move(device));
    });
}

void nv_device_destroy(nv_device* device) noexcept {
    delete device;
}

nv_status nv_device_get_info(const nv_device* device, nv_device_info* out) noexcept {
    return guard_device("nv_device_get_info", device, [&](nv::Device& d) {
        check_struct(out, "out");
        const nv::DeviceInfo info = d.info();
        out->compute_major = info.compute_major;
        out->compute_minor = info.compute_minor;
        out->threads = info.threads;
        out->total_bytes = info.total_bytes;
        out->free_bytes = info.free_bytes;
        out->driver_version = info.driver_version;
        out->runtime_version = info.runtime_version;
        out->gemm = d.stream().cublas == nullptr ? NV_GEMM_OWN : NV_GEMM_CUBLAS;
        out->cublas = nv::ops::has_cublas();
        copy_text(out->instructions, info.instructions);
        copy_text(out->name, info.name);
    });
}

nv_status nv_device_set_gemm(nv_device* device, int32_t gemm) noexcept {
    return guard_device("nv_device_set_gemm", device, [&](nv::Device& d) {
        nv::require(gemm >= NV_GEMM_OWN && gemm <= NV_GEMM_AUTO, "gemm is " + std::to_string(gemm) + ", expected an nv_gemm");
        nv::ops::choose_gemm(d.stream(), static_cast<nv::GemmChoice>(gemm));
    });
}

}  // extern "C"
