#include "ops/checks.h"
#include "ops/cpu/indices.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

/// few (N, C) is the compact side, many (M, C) the one that `rows` points into.
void check_rows(const char* op, const char* few_name, const View& few, const char* many_name, const View& many, const View& rows) {
    const Check check(op);
    check.vector("rows", rows, DType::I32, few.rows);
    check.number_matrix(few_name, few, few.rows, few.columns);
    check.number_matrix(many_name, many, many.rows, few.columns);
    check_indices(check, "rows", rows, many.rows);
}

}  // namespace

void gather_rows(Stream& stream, View x, View rows, View y) {
    check_rows("gather_rows", "y", y, "x", x, rows);
    const auto convert = vector_kernels().convert[type_index(x.dtype)][type_index(y.dtype)];
    const int32_t* row = rows.as<int32_t>();
    for_rows(stream, y.rows, y.columns, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) convert(x.rows_from(row[i], 1).data, y.rows_from(i, 1).data, y.columns);
    });
}

void scatter_rows(Stream& stream, View x, View rows, View y) {
    check_rows("scatter_rows", "x", x, "y", y, rows);
    const auto convert = vector_kernels().convert[type_index(x.dtype)][type_index(y.dtype)];
    const int32_t* row = rows.as<int32_t>();
    for_rows(stream, x.rows, x.columns, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) convert(x.rows_from(i, 1).data, y.rows_from(row[i], 1).data, x.columns);
    });
}

void scatter_add_rows(Stream& stream, View x, View rows, View y) {
    check_rows("scatter_add_rows", "x", x, "y", y, rows);
    const auto add = vector_kernels().axpy[type_index(x.dtype)][type_index(y.dtype)];
    const int32_t* row = rows.as<int32_t>();
    for_rows(stream, x.rows, x.columns, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) add(1, x.rows_from(i, 1).data, y.rows_from(row[i], 1).data, x.columns);
    });
}

}  // namespace vaccine::ops
