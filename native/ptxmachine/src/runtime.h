// What the entry points of libcudart work on: modules, functions, the last error, the launch that is being configured.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "block.h"

namespace vaccine::ptx {

/// Numbers of cudaError_t.
enum Error : int {
    kSuccess = 0,
    kInvalidValue = 1,
    kMemoryAllocation = 2,
    kInvalidConfiguration = 9,
    kInvalidSymbol = 13,
    kInvalidDeviceFunction = 98,
    kInvalidDevice = 101,
    kIllegalAddress = 700,
};

constexpr uint32_t kStaticSharedLimit = 48 * 1024, kSharedLimit = 99 * 1024, kMaxThreads = 1024;  // sm_86

struct Function {
    Module* module = nullptr;
    std::string name;
    uint32_t dynamic_shared_limit = kStaticSharedLimit;
};

class Runtime {
public:
    static Runtime& get();

    void register_module(const void* handle, const void* fat_binary);
    void register_function(const void* handle, const void* host, const std::string& name);
    void register_variable(const void* handle, const void* host, const std::string& name);

    Function* function(const void* host);
    const Variable* variable(const void* host) const;

    int launch(const void* host, Size grid, Size block, void** arguments, size_t dynamic_shared);
    /// Keeps the error for cudaGetLastError and returns it. A fault of a kernel stays for ever.
    int fail(int error);
    int last_error(bool forget);
    /// kSuccess, or the error of an earlier kernel.
    int state() const { return sticky_; }

    void forget_faults() { last_ = sticky_ = kSuccess; }

    int copy(void* to, const void* from, size_t bytes);
    int fill(void* to, int value, size_t bytes);

    std::recursive_mutex& mutex() { return mutex_; }

private:
    Runtime();
    int refuse(const std::string& kernel, const std::string& message, int error);
    bool owns_whole(const void* pointer, size_t bytes, const char* what);

    std::recursive_mutex mutex_;
    std::map<const void*, std::unique_ptr<Module>> modules_;
    std::map<const void*, Function> functions_;
    std::map<const void*, std::pair<Module*, std::string>> variables_;
    int last_ = kSuccess, sticky_ = kSuccess;
};

}  // namespace vaccine::ptx
