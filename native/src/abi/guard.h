#pragma once
#include <cstring>
#include <mutex>
#include <new>
#include <string>

#include "abi/handles.h"
#include "core/error.h"
#include "nativevaccine.h"

namespace vaccine::abi {

/// Keeps the message for vaccine_last_error_message and gives the status back.
vaccine_status fail(const char* function, Status status, const char* message) noexcept;

/// Runs `body`; nothing that it throws leaves the library.
template <class Body> vaccine_status guard(const char* function, Body body) noexcept {
    try {
        body();
        return VACCINE_OK;
    } catch (const Error& e) {
        return fail(function, e.status(), e.what());
    } catch (const std::bad_alloc&) {
        return fail(function, Status::OutOfMemory, "the host's memory is exhausted");
    } catch (const std::exception& e) {
        return fail(function, Status::Internal, e.what());
    } catch (...) {
        return fail(function, Status::Internal, "unknown exception");
    }
}

inline void not_null(const void* pointer, const char* name) {
    require(pointer != nullptr, std::string(name) + " is NULL");
}

/// Throws where an earlier call has found the device lost.
inline void require_works(const vaccine_device& device) {
    if (!device.failure.empty()) throw Error(Status::Device, "the device failed earlier: " + device.failure);
}

/// Remembers an error after which the device is lost.
inline void remember(const vaccine_device& device, const Error& error) {
    if (error.status() == Status::Device && device.failure.empty() && device.device->lost()) device.failure = error.what();
}

/// guard for calls on a device, which take turns: body receives it. An error that the device does not recover from poisons it.
template <class Body> vaccine_status guard_device(const char* function, const vaccine_device* device, Body body) noexcept {
    return guard(function, [&] {
        not_null(device, "device");
        const std::lock_guard<std::mutex> turn(device->busy);
        require_works(*device);
        try {
            body(*device->device);
        } catch (const Error& e) {
            remember(*device, e);
            throw;
        }
    });
}

/// guard for calls on a session, which wait for the calls of other threads on the same device: body receives the session, ready to work.
/// A device error poisons it, and its device where that is lost.
template <class Handle, class Body> vaccine_status guard_session(const char* function, Handle* session, Body body) noexcept {
    return guard(function, [&] {
        not_null(session, "session");
        const std::lock_guard<std::mutex> turn(session->owner.busy);
        if (!session->failure.empty()) throw Error(Status::Device, "the session failed earlier: " + session->failure);
        require_works(session->owner);
        try {
            body(session->session.enter());
        } catch (const Error& e) {
            if (e.status() == Status::Device) session->failure = e.what();
            remember(session->owner, e);
            throw;
        }
    });
}

/// guard_session for passes, which vaccine_session_interrupt can end.
template <class Body> vaccine_status guard_pass(const char* function, vaccine_session* session, Body body) noexcept {
    return guard_session(function, session, [&](vaccine::Session& s) {
        struct Watching {
            vaccine::Device& device;
            Watching(vaccine::Device& watched, const std::atomic<bool>& asked) : device(watched) { device.watch(&asked); }
            ~Watching() { device.watch(nullptr); }
        };
        const Watching watching(s.device(), session->interrupted);
        try {
            body(s);
        } catch (const Error& e) {
            if (e.status() == Status::Interrupted) s.network.forget();
            throw;
        }
    });
}

/// The caller's struct must be the one of this header: its first field says how large it is.
template <class Struct> void check_struct(const Struct* s, const char* name) {
    not_null(s, name);
    require(s->struct_size == sizeof(Struct), std::string(name) + ".struct_size is " + std::to_string(s->struct_size) + ", expected " +
                                                  std::to_string(sizeof(Struct)) + ": the caller was built against another version");
}

template <size_t N> void copy_text(char (&to)[N], const std::string& from) {
    std::strncpy(to, from.c_str(), N - 1);
    to[N - 1] = 0;
}

}  // namespace vaccine::abi
