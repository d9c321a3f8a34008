// Small kernels beside the linear layers' products.
#pragma once
#include "core/view.h"
#include "ops/ops.h"

namespace vaccine::ops {

/// to (rows, columns) bf16, contiguous = from, of any type, whose rows lie from_row elements apart.
void round_to_bf16(const char* op, const Stream& stream, const View& from, int64_t first_column, int64_t columns, void* to);

/// sums[n] += sum over rows of x[., n], in fp32: eight interleaved sums of rows ascending, then these in order.
void add_column_sums(const char* op, const Stream& stream, const View& x, const View& sums);

}  // namespace vaccine::ops
