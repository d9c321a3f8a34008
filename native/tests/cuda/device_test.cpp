// What the C ABI says when the GPU, its driver or its memory fails: one message with the next step to take, and a device that stays failed.
#include "../engine_model.h"
#include "faulty_cudart.h"

namespace vaccine::testing {
namespace {

void message_is(vaccine_status status, vaccine_status expected, const std::vector<std::string>& parts) {
    const std::string message = vaccine_last_error_message();
    check(status == expected, "status " + std::to_string(status) + ", expected " + std::to_string(expected) + ": " + message);
    for (const std::string& part : parts) check(message.find(part) != std::string::npos, "'" + message + "' does not say '" + part + "'");
}

/// A fault while it lives.
struct Fault {
    explicit Fault(const char* name) { faulty_cudart_set(name); }
    ~Fault() { faulty_cudart_set(""); }
};

void opening_fails(const char* fault, const std::vector<std::string>& parts) {
    const Fault fault_now(fault);
    vaccine_device* device = reinterpret_cast<vaccine_device*>(1);
    message_is(vaccine_device_create(0, 0, &device), VACCINE_UNSUPPORTED, parts);
    check(device == nullptr, "*out is not NULL after a failure");
}

void an_index_beyond_is_refused() {
    vaccine_device* device = nullptr;
    message_is(vaccine_device_create(7, 0, &device), VACCINE_INVALID_ARGUMENT, {"cuda:7 is not there; expected cuda:0"});
    message_is(vaccine_device_create(-1, 0, &device), VACCINE_INVALID_ARGUMENT, {"cuda:-1 is not there"});
}

void no_gpu_is_a_count_and_no_driver_an_error() {
    int32_t count = -1;
    {
        const Fault fault("gpu");
        ok(vaccine_device_count(&count));
        check(count == 0, "expected no GPU");
    }
    const Fault fault("driver");
    message_is(vaccine_device_count(&count), VACCINE_UNSUPPORTED, {"there is no NVIDIA driver"});
}

void info_names_the_versions() {
    vaccine_device* device = nullptr;
    ok(vaccine_device_create(0, 0, &device));
    vaccine_device_info info{};
    info.struct_size = sizeof info;
    ok(vaccine_device_get_info(device, &info));
    check(info.driver_version >= 11000 && info.runtime_version >= 11080, "driver or runtime version is missing");
    check(info.compute_major >= 8 && info.threads > 0 && info.total_bytes >= info.free_bytes && info.free_bytes > 0, "info is incomplete");
    check(std::string(vaccine_build_description()).find("cuda ") != std::string::npos, "the build does not say cuda");
    vaccine_device_destroy(device);
}

/// A device and a plan, without a session.
struct Planned {
    vaccine_device* device = nullptr;
    vaccine_plan* plan = nullptr;
    vaccine_session* session = nullptr;

    Planned() {
        Setup setup;
        vaccine_model_shape shape = Model::shape(setup);
        const vaccine_plan_options options = Model::options(setup);
        shape.vocabulary = 20000;  // more than the 1 MiB that "memory" leaves
        ok(vaccine_device_create(0, 0, &device));
        ok(vaccine_plan_create(device, &shape, &options, &plan));
    }
    ~Planned() {
        vaccine_session_destroy(session);
        vaccine_plan_destroy(plan);
        vaccine_device_destroy(device);
    }
    vaccine_status create() { return vaccine_session_create(device, plan, &session); }
    vaccine_status info() {
        vaccine_device_info out{};
        out.struct_size = sizeof out;
        return vaccine_device_get_info(device, &out);
    }
};

void a_full_gpu_says_what_it_has() {
    Planned p;
    {
        const Fault fault("memory");
        message_is(p.create(), VACCINE_OUT_OF_MEMORY,
                   {"cuda:0 has not the ", " MiB that the plan needs in one piece: 1 MiB of ", "nvidia-smi"});
    }
    ok(p.create());
}

void a_missing_kernel_image_names_the_capability() {
    Planned p;
    {
        const Fault fault("image");
        message_is(p.create(), VACCINE_UNSUPPORTED,
                   {"built without kernels for this GPU, of compute capability 8.6", "VACCINE_CUDA_ARCHITECTURES"});
    }
    check(p.session == nullptr, "*out is not NULL after a failure");
    ok(p.create());
}

void an_illegal_access_poisons_session_and_device() {
    Planned p;
    ok(p.create());
    const Fault fault("access:1");
    ok(vaccine_vector_scale(p.session, VACCINE_VECTOR_GRADIENTS, 2, nullptr));
    float value = 0;
    message_is(vaccine_vector_read(p.session, VACCINE_VECTOR_GRADIENTS, 0, 1, &value), VACCINE_DEVICE,
               {"cudaErrorIllegalAddress", "the GPU is lost to this process: end it and start again"});
    // What is wrong stays known, although the runtime would work again.
    faulty_cudart_set("");
    message_is(vaccine_vector_read(p.session, VACCINE_VECTOR_GRADIENTS, 0, 1, &value), VACCINE_DEVICE,
               {"the session failed earlier: copying from the GPU", "cudaErrorIllegalAddress"});
    message_is(p.info(), VACCINE_DEVICE, {"the device failed earlier: copying from the GPU"});
    vaccine_session* second = nullptr;
    message_is(vaccine_session_create(p.device, p.plan, &second), VACCINE_DEVICE, {"the device failed earlier"});
}

void destroying_a_session_of_a_lost_device_is_quiet() {
    Planned p;
    ok(p.create());
    const Fault fault("access:1");
    ok(vaccine_vector_scale(p.session, VACCINE_VECTOR_GRADIENTS, 2, nullptr));
    vaccine_session_destroy(p.session);
    p.session = nullptr;
    vaccine_plan_destroy(p.plan);
    p.plan = nullptr;
    vaccine_device_destroy(p.device);
    p.device = nullptr;
}

/// An error that leaves the GPU in order ends the session, not the device.
void an_error_that_passes_leaves_the_device() {
    Planned p;
    ok(p.create());
    ok(p.info());
    {
        const Fault fault("image");
        message_is(vaccine_vector_scale(p.session, VACCINE_VECTOR_GRADIENTS, 2, nullptr), VACCINE_UNSUPPORTED, {"scale"});
    }
    ok(vaccine_vector_scale(p.session, VACCINE_VECTOR_GRADIENTS, 2, nullptr));
    ok(p.info());
}

}  // namespace
}  // namespace vaccine::testing

int main() {
    using namespace vaccine::testing;
    return run_all("cuda device",
                   {
                       {"no driver", [] { opening_fails("driver", {"there is no NVIDIA driver; install one for CUDA 1"}); }},
                       {"old driver", [] { opening_fails("old-driver", {"the NVIDIA driver is for CUDA 11.4, and this engine needs 1"}); }},
                       {"no GPU",
                        [] {
                            opening_fails("gpu", {"cuda:0", "the driver sees no GPU: nvidia-smi must list one"});
                        }},
                       {"capability",
                        [] {
                            opening_fails("capability", {"has compute capability 7.5, expected 8.0 or later", "another GPU or the cpu"});
                        }},
                       {"index", an_index_beyond_is_refused},
                       {"count", no_gpu_is_a_count_and_no_driver_an_error},
                       {"info", info_names_the_versions},
                       {"full memory", a_full_gpu_says_what_it_has},
                       {"kernel image", a_missing_kernel_image_names_the_capability},
                       {"illegal access", an_illegal_access_poisons_session_and_device},
                       {"destroying", destroying_a_session_of_a_lost_device_is_quiet},
                       {"passing error", an_error_that_passes_leaves_the_device},
                   });
}
