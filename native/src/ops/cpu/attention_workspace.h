#pragma once
#include <cstdint>

#include "ops/ops.h"

namespace nv::ops {

/// Bytes of workspace that the attention ops need at most on `threads` threads; 0 where they need none.
int64_t attention_workspace_bytes(int32_t threads, const WorkspaceNeed& need);

}  // namespace nv::ops
