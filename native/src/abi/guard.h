#pragma once
#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <string>

#include "abi/first_sizes.h"
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

/// The same for a session.
inline void require_works(const vaccine_session& session) {
    if (!session.failure.empty()) throw Error(Status::Device, "the session failed earlier: " + session.failure);
    require_works(session.owner);
}

/// Remembers an error after which the device is lost.
inline void remember(const vaccine_device& device, const Error& error) {
    if (error.status() == Status::Device && device.failure.empty() && device.device->lost()) device.failure = error.what();
}

/// guard for calls on a device, which take turns: body receives it. An error that the device does not recover from poisons it.
template <class Body> vaccine_status guard_device(const char* function, const vaccine_device* device, Body body) noexcept {
    return guard(function, [&] {
        not_null(device, "device");
        const std::lock_guard turn(device->busy);
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
        const std::lock_guard turn(session->owner.busy);
        require_works(*session);
        try {
            body(session->session.enter());
        } catch (const Error& e) {
            if (e.status() == Status::Device) session->failure = e.what();
            remember(session->owner, e);
            throw;
        }
    });
}

/// guard_session for writing into a session's memory. Where that is the host's, several threads write side by side: the first touch of new
/// memory, which the system clears, takes longer than the copy.
template <class Body> vaccine_status guard_write(const char* function, vaccine_session* session, Body body) noexcept {
    if (session == nullptr || !session->owner.device->is_host()) return guard_session(function, session, body);
    return guard(function, [&] {
        const std::shared_lock beside(session->owner.busy);
        require_works(*session);
        body(session->session);
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

constexpr uint32_t kMostStructBytes = 1 << 16;  // a larger struct_size was never set

/// Throws unless a caller's struct is at least as large as in the first version.
template <class Struct> void check_struct(const Struct* s, const char* name) {
    not_null(s, name);
    require(s->struct_size >= kFirstSize<Struct> && s->struct_size <= kMostStructBytes,
            std::string(name) + ".struct_size is " + std::to_string(s->struct_size) + ", expected " + std::to_string(sizeof(Struct)) +
                ", or at least the " + std::to_string(kFirstSize<Struct>) + " of the first version");
}

/// A caller's struct as this library knows it: what an older caller does not have is 0, and what a newer one has besides must be.
template <class Struct> class Known {
public:
    Known(const Struct* given, const char* name) {
        check_struct(given, name);
        const auto* bytes = reinterpret_cast<const unsigned char*>(given);
        for (size_t i = sizeof(Struct); i < given->struct_size; ++i)
            require(bytes[i] == 0, std::string(name) + " has " + std::to_string(given->struct_size) +
                                       " bytes, of which this library knows " + std::to_string(sizeof(Struct)) + "; byte " +
                                       std::to_string(i) + " is not 0, so the caller asks for what only a later version does");
        std::memcpy(&known_, given, std::min<size_t>(given->struct_size, sizeof(Struct)));
    }
    const Struct* operator->() const { return &known_; }
    const Struct& operator*() const { return known_; }

private:
    Struct known_{};
};

/// Fills a caller's struct, as far as it has it; what it has besides becomes 0.
template <class Struct> void give(const Struct& value, Struct* out, const char* name) {
    check_struct(out, name);
    const size_t known = std::min<size_t>(out->struct_size, sizeof(Struct)), first = sizeof out->struct_size;
    auto* bytes = reinterpret_cast<unsigned char*>(out);
    std::memcpy(bytes + first, reinterpret_cast<const unsigned char*>(&value) + first, known - first);
    std::memset(bytes + known, 0, out->struct_size - known);
}

template <size_t N> void copy_text(char (&to)[N], const std::string& from) {
    std::strncpy(to, from.c_str(), N - 1);
    to[N - 1] = 0;
}

}  // namespace vaccine::abi
