#pragma once
#include <cstdint>

#include "ops/ops.h"

namespace vaccine::ops {

/// Bytes of stream.workspace that sample_rows needs at most with so many threads, for sizes up to `need`.
int64_t sampling_workspace_bytes(int32_t threads, const WorkspaceNeed& need);

}  // namespace vaccine::ops
