#pragma once
#include "ops/cpu/checks.h"
#include "ops/ops.h"

namespace nv::ops {

inline void check_attention_shape(const Check& check, const AttentionShape& shape) {
    check.that(shape.kv_heads > 0, "kv_heads", "a positive number", shape.kv_heads);
    check.that(shape.heads > 0 && shape.heads % shape.kv_heads == 0, "heads", "a multiple of kv_heads", shape.heads);
    check.that(shape.head_size > 0, "head_size", "a positive number", shape.head_size);
    check.that(shape.window >= 0, "window", "0 or a positive number", shape.window);
}

/// Bytes of scratch that one task of attention_decode needs.
int64_t decode_scratch_bytes(int64_t heads_per_kv_head, int64_t capacity);

}  // namespace nv::ops
