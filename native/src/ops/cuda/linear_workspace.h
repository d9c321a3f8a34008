#pragma once
#include "ops/ops.h"

namespace nv::ops {

/// Bytes of workspace that the ops of this family need at most, for sizes up to `need`.
int64_t linear_workspace_bytes(const WorkspaceNeed& need);

}  // namespace nv::ops
