#pragma once
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/view.h"

namespace nv::ops {

/// Checks the arguments of one op. Each throws Error(InvalidArgument) that says op, argument, what was expected and what came.
class Check {
public:
    explicit Check(const char* op) : op_(op) {}

    void matrix(const char* argument, const View& view, DType type, int64_t rows, int64_t columns) const;
    /// `count` elements in any shape.
    void vector(const char* argument, const View& view, DType type, int64_t count) const;
    /// fp32 or bf16.
    void number_matrix(const char* argument, const View& view, int64_t rows, int64_t columns) const;
    void number_vector(const char* argument, const View& view, int64_t count) const;
    /// Every element of the int32 view lies in [0, limit).
    void indices(const char* argument, const View& view, int64_t limit) const;
    /// Any other rule, for a number.
    template <class Number> void that(bool good, const char* argument, const char* expected, Number got) const {
        if (!good) refuse(argument, expected, std::to_string(got));
    }

private:
    [[noreturn]] void refuse(const char* argument, const std::string& expected, const std::string& got) const;
    [[noreturn]] void refuse(const char* argument, const std::string& expected, const View& got) const;
    void has_data(const char* argument, const View& view) const;

    const char* op_;
};

}  // namespace nv::ops
