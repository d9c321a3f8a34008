#pragma once
#include <cstdint>

namespace nv::ops {

/// Bytes of workspace that dot, sum_of_squares and sum need at most.
int64_t reduction_workspace_bytes();

}  // namespace nv::ops
