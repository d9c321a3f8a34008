#pragma once
#include <atomic>
#include <stdexcept>
#include <string>

namespace vaccine {

/// Why a call failed. The numbers are part of the C ABI (vaccine_status) and are never reused.
enum class Status : int {
    Ok = 0,
    InvalidArgument = 1,
    OutOfMemory = 2,
    Unsupported = 3,
    WrongState = 4,
    Device = 5,
    Internal = 6,
    Interrupted = 7
};

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

/// Throws an Interrupted where `asked`, the wish to end the pass at hand, is set; NULL: nobody can wish it.
inline void check_interrupt(const std::atomic<bool>* asked) {
    if (asked != nullptr && asked->load(std::memory_order_relaxed)) throw Error(Status::Interrupted, "the pass was interrupted");
}

}  // namespace vaccine
