#include "ops/checks.h"

namespace nv::ops {
namespace {

const char* name_of(DType type) {
    switch (type) {
        case DType::F32:
            return "fp32";
        case DType::BF16:
            return "bf16";
        case DType::I32:
            return "int32";
        case DType::F64:
            return "fp64";
    }
    return "an unknown type";
}

std::string shape(int64_t rows, int64_t columns) {
    return " (" + std::to_string(rows) + ", " + std::to_string(columns) + ")";
}

bool is_number(DType type) {
    return type == DType::F32 || type == DType::BF16;
}

}  // namespace

void Check::refuse(const char* argument, const std::string& expected, const std::string& got) const {
    throw Error(Status::InvalidArgument, std::string(op_) + ": " + argument + ": expected " + expected + ", got " + got);
}

void Check::refuse(const char* argument, const std::string& expected, const View& got) const {
    refuse(argument, expected, name_of(got.dtype) + shape(got.rows, got.columns));
}

void Check::has_data(const char* argument, const View& view) const {
    if (view.count() > 0 && view.empty()) refuse(argument, "data", "none");
}

void Check::matrix(const char* argument, const View& view, DType type, int64_t rows, int64_t columns) const {
    if (view.dtype != type || view.rows != rows || view.columns != columns) refuse(argument, name_of(type) + shape(rows, columns), view);
    has_data(argument, view);
}

void Check::vector(const char* argument, const View& view, DType type, int64_t count) const {
    if (view.dtype != type || view.count() != count) refuse(argument, std::to_string(count) + " elements of " + name_of(type), view);
    has_data(argument, view);
}

void Check::number_matrix(const char* argument, const View& view, int64_t rows, int64_t columns) const {
    if (!is_number(view.dtype) || view.rows != rows || view.columns != columns)
        refuse(argument, "fp32 or bf16" + shape(rows, columns), view);
    has_data(argument, view);
}

void Check::number_vector(const char* argument, const View& view, int64_t count) const {
    if (!is_number(view.dtype) || view.count() != count) refuse(argument, std::to_string(count) + " elements of fp32 or bf16", view);
    has_data(argument, view);
}

void Check::activation(const char* argument, const View& view) const {
    if (!is_number(view.dtype)) refuse(argument, "fp32 or bf16", view);
}

void check_attention_shape(const Check& check, const AttentionShape& shape) {
    check.that(shape.kv_heads > 0, "kv_heads", "a positive number", shape.kv_heads);
    check.that(shape.heads > 0 && shape.heads % shape.kv_heads == 0, "heads", "a multiple of kv_heads", shape.heads);
    check.that(shape.head_size > 0, "head_size", "a positive number", shape.head_size);
    check.that(shape.window >= 0, "window", "0 or a positive number", shape.window);
}

}  // namespace nv::ops
