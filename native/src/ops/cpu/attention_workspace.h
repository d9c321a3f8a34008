#pragma once
#include <cstdint>

#include "ops/ops.h"

namespace nv::ops {

/// Bytes of stream.workspace that the attention ops need at most with so many threads, for sizes up to `need`.
int64_t attention_workspace_bytes(int32_t threads, const WorkspaceNeed& need);

}  // namespace nv::ops
