#pragma once
#include <cstring>
#include <new>
#include <string>

#include "abi/handles.h"
#include "core/error.h"
#include "nativevaccine.h"

namespace nv::abi {

/// Keeps the message for nv_last_error_message and gives the status back.
nv_status fail(const char* function, Status status, const char* message) noexcept;

/// Runs `body`; nothing that it throws leaves the library.
template <class Body> nv_status guard(const char* function, Body body) noexcept {
    try {
        body();
        return NV_OK;
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

/// guard for calls on a session: body receives the session, ready to work. A device error poisons it.
template <class Handle, class Body> nv_status guard_session(const char* function, Handle* session, Body body) noexcept {
    return guard(function, [&] {
        require(session != nullptr, "session is NULL");
        if (session->poisoned) throw Error(Status::Device, "an earlier device error has made this session unusable");
        try {
            body(session->session.enter());
        } catch (const Error& e) {
            session->poisoned = e.status() == Status::Device;
            throw;
        }
    });
}

inline void not_null(const void* pointer, const char* name) {
    require(pointer != nullptr, std::string(name) + " is NULL");
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

}  // namespace nv::abi
