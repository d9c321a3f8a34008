#include "runtime.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fat_binary.h"
#include "mutant.h"
#include "parser.h"
#include "settings.h"

namespace vaccine::ptx {

namespace {

/// Runs when the process ends: counters, and a failed exit status if there were faults, whatever the program made of them.
void finish() {
    const Settings& settings = Settings::get();
    if (settings.counters) {
        std::fprintf(stderr, "%s", Counters::get().table().c_str());
        if (settings.counters_file != "-") {
            std::FILE* file = std::fopen(settings.counters_file.c_str(), "w");
            if (file == nullptr || std::fputs(Counters::get().json().c_str(), file) < 0 || std::fclose(file) != 0)
                std::fprintf(stderr, "ptxmachine: cannot write %s\n", settings.counters_file.c_str());
        }
    }
    print_mutant();
    const uint64_t faults = Reports::get().count();
    if (faults == 0) return;
    std::fprintf(stderr, "ptxmachine: %llu faults\n", static_cast<unsigned long long>(faults));
    std::fflush(nullptr);
    _exit(3);
}

}  // namespace

Runtime& Runtime::get() {
    static Runtime& runtime = *new Runtime();  // its kernels outlive finish()
    return runtime;
}

Runtime::Runtime() {
    Settings::get();
    DeviceMemory::get();
    Reports::get();
    Counters::get();
    std::atexit(finish);  // after these, so that they outlive it
}

void Runtime::register_module(const void* handle, const void* fat_binary) {
    const std::string text = ptx_of(fat_binary);
    modules_[handle] =
        text.empty() ? std::make_unique<Module>()
                     : parse_module(text, [](const std::string& name, uint64_t bytes, const std::vector<uint8_t>& data, bool writable) {
                           return DeviceMemory::get().allocate_variable(name, bytes, data, writable);
                       });
}

void Runtime::register_function(const void* handle, const void* host, const std::string& name) {
    functions_[host] = {modules_.at(handle).get(), name, kStaticSharedLimit};
}

void Runtime::register_variable(const void* handle, const void* host, const std::string& name) {
    variables_[host] = {modules_.at(handle).get(), name};
}

Function* Runtime::function(const void* host) {
    const auto found = functions_.find(host);
    return found == functions_.end() ? nullptr : &found->second;
}

const Variable* Runtime::variable(const void* host) const {
    const auto found = variables_.find(host);
    if (found == variables_.end()) return nullptr;
    const auto& variables = found->second.first->variables;
    const auto variable = variables.find(found->second.second);
    return variable == variables.end() ? nullptr : &variable->second;
}

int Runtime::fail(int error) {
    if (error != kSuccess) last_ = error;
    return error;
}

int Runtime::last_error(bool forget) {
    const int error = sticky_ != kSuccess ? sticky_ : last_;
    if (forget) last_ = kSuccess;
    return error;
}

int Runtime::refuse(const std::string& kernel, const std::string& message, int error) {
    Reports::get().add(Fault::Launch, "launch of kernel " + kernel, message);
    return fail(error);
}

int Runtime::launch(const void* host, Size grid, Size block, void** arguments, size_t dynamic_shared) {
    if (sticky_ != kSuccess) return sticky_;
    const Function* function = this->function(host);
    if (function == nullptr) return fail(kInvalidDeviceFunction);
    Kernel& kernel = function->module->kernel(function->name);
    if (grid.count() == 0 || grid.y > 65535 || grid.z > 65535)
        return refuse(kernel.readable, "no or too many blocks", kInvalidConfiguration);
    if (block.count() == 0 || block.count() > kMaxThreads || block.z > 64)
        return refuse(kernel.readable, std::to_string(block.count()) + " threads in a block; 1 to 1024 are possible",
                      kInvalidConfiguration);
    if (kernel.static_shared_bytes > kStaticSharedLimit)
        return refuse(kernel.readable, std::to_string(kernel.static_shared_bytes) + " bytes of static shared memory; at most 49152",
                      kInvalidValue);
    if (dynamic_shared > function->dynamic_shared_limit || kernel.static_shared_bytes + dynamic_shared > kSharedLimit)
        return refuse(kernel.readable,
                      std::to_string(dynamic_shared) + " bytes of dynamic shared memory beside " +
                          std::to_string(kernel.static_shared_bytes) + " static ones; allowed are " +
                          std::to_string(function->dynamic_shared_limit) + " (cudaFuncSetAttribute), 101376 together (sm_86)",
                      kInvalidValue);
    Launch launch;
    launch.module = function->module;
    launch.kernel = &kernel;
    launch.grid = grid;
    launch.block = block;
    launch.dynamic_shared = static_cast<uint32_t>(dynamic_shared);
    launch.parameters.resize(kernel.parameter_bytes);
    for (size_t p = 0; p < kernel.parameters.size(); ++p)
        std::memcpy(&launch.parameters[kernel.parameters[p].offset], arguments[p], kernel.parameters[p].bytes);
    const uint64_t before = Reports::get().count();
    run_launch(launch);
    // As on a card, the launch itself succeeds; what comes after it fails.
    if (Reports::get().count() != before) sticky_ = kIllegalAddress;
    return kSuccess;
}

bool Runtime::owns_whole(const void* pointer, size_t bytes, const char* what) {
    const auto address = reinterpret_cast<uint64_t>(pointer);
    const Allocation* a = DeviceMemory::get().find(address);
    if (a != nullptr && !a->freed && address + bytes <= a->address + a->bytes) return true;
    const char* why = a != nullptr && a->freed && address < a->address + a->bytes ? "freed memory" : "outside of an allocation";
    Reports::get().add(Fault::Host, std::string("call of ") + what, std::to_string(bytes) + " bytes of device memory that are " + why);
    return false;
}

int Runtime::copy(void* to, const void* from, size_t bytes) {
    if (sticky_ != kSuccess) return sticky_;
    if (bytes == 0) return kSuccess;
    DeviceMemory& memory = DeviceMemory::get();
    const auto to_address = reinterpret_cast<uint64_t>(to), from_address = reinterpret_cast<uint64_t>(from);
    const bool to_device = memory.owns(to_address), from_device = memory.owns(from_address);
    if ((to_device && !owns_whole(to, bytes, "cudaMemcpy")) || (from_device && !owns_whole(from, bytes, "cudaMemcpy")))
        return fail(kInvalidValue);
    std::memmove(to_device ? memory.host(to_address) : to, from_device ? memory.host(from_address) : from, bytes);
    if (to_device && from_device)
        std::memmove(memory.written(to_address), memory.written(from_address), bytes);
    else if (to_device)
        std::memset(memory.written(to_address), 1, bytes);
    return kSuccess;
}

int Runtime::fill(void* to, int value, size_t bytes) {
    if (sticky_ != kSuccess) return sticky_;
    if (bytes == 0) return kSuccess;
    if (!owns_whole(to, bytes, "cudaMemset")) return fail(kInvalidValue);
    const auto address = reinterpret_cast<uint64_t>(to);
    std::memset(DeviceMemory::get().host(address), value, bytes);
    std::memset(DeviceMemory::get().written(address), 1, bytes);
    return kSuccess;
}

}  // namespace vaccine::ptx
