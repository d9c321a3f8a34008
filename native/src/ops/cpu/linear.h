#pragma once
#include "ops/ops.h"

namespace vaccine::ops {

/// Bytes of workspace that linear_forward and linear_backward need at most on `threads` threads.
int64_t linear_workspace_bytes(int32_t threads, const WorkspaceNeed& need);

}  // namespace vaccine::ops
