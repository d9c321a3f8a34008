#pragma once
#include "ops/ops.h"

namespace vaccine::ops {

/// to[i] = mask(first + i) * from[i], or to[i] += mask(first + i) * from[i], for i in [0, count): see ops::Dropout.
/// first: which element of the whole matrix from[0] is. `to` may be `from`. The same bits on every instruction set.
void dropout(Stream& stream, const Dropout& options, int64_t first, int64_t count, const float* from, float* to, bool add);

}  // namespace vaccine::ops
