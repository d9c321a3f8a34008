#pragma once
#include <stdexcept>
#include <string>

namespace nv {

/// Why a call failed. The numbers are part of the C ABI (nv_status) and are never reused.
enum class Status : int { Ok = 0, InvalidArgument = 1, OutOfMemory = 2, Unsupported = 3, WrongState = 4, Device = 5, Internal = 6 };

class Error : public std::runtime_error {
public:
    Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
    Status status() const { return status_; }

private:
    Status status_;
};

/// Throws an InvalidArgument with `message` unless `good`. The message names the argument, what was expected and what came.
inline void require(bool good, const std::string& message) {
    if (!good) throw Error(Status::InvalidArgument, message);
}

}  // namespace nv
