// What every entry point of libcudart shares.
#pragma once
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <mutex>

#include "runtime.h"

#define VACCINE_ENTRY extern "C" __attribute__((visibility("default")))

namespace vaccine::ptx {

/// Runs `body` under the lock. A program that we cannot run is ended with a message: nothing after it would mean anything.
template <class Body> int guarded(Body body) noexcept {
    try {
        Runtime& runtime = Runtime::get();
        const std::lock_guard<std::recursive_mutex> lock(runtime.mutex());
        return body(runtime);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ptxmachine: %s\n", error.what());
        std::fflush(nullptr);
        _exit(3);
    }
}

}  // namespace vaccine::ptx
