#pragma once
#include <cstdint>

#include "ops/ops.h"

namespace vaccine::ops {

/// Bytes of stream.workspace that the attention ops need at most with so many threads, for sizes up to `need`.
int64_t attention_workspace_bytes(int32_t threads, const WorkspaceNeed& need);

/// Bytes of scratch that one task of attention_decode needs.
int64_t decode_scratch_bytes(int64_t heads_per_kv_head, int64_t capacity);

}  // namespace vaccine::ops
