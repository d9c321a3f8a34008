#include <algorithm>

#include "ops/checks.h"
#include "ops/cpu/pool.h"
#include "ops/cpu/scratch.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {

int64_t decode_scratch_bytes(int64_t heads_per_kv_head, int64_t capacity) {
    return Scratch::bytes_of<float>(heads_per_kv_head * padded_row(capacity));
}

void attention_decode(Stream& stream, View q, View k_cache, View v_cache, View lengths, int64_t capacity, const AttentionShape& shape,
                      View out) {
    const int64_t B = q.rows, HD = shape.head_size, group = shape.kv_heads > 0 ? shape.heads / shape.kv_heads : 0;
    const Check check("attention_decode");
    check_attention_shape(check, shape);
    check.matrix("q", q, DType::F32, B, shape.heads * HD);
    check.matrix("k_cache", k_cache, DType::F32, B * capacity, shape.kv_heads * HD);
    check.matrix("v_cache", v_cache, DType::F32, B * capacity, shape.kv_heads * HD);
    check.vector("lengths", lengths, DType::I32, B);
    check.matrix("out", out, DType::F32, B, shape.heads * HD);
    for (int64_t s = 0; s < B; ++s) {
        const int32_t length = lengths.as<int32_t>()[s];
        check.that(length >= 1 && length <= capacity, "lengths", "1 to capacity", length);
    }
    const int64_t bytes = decode_scratch_bytes(group, capacity);
    require_workspace("attention_decode", stream, pool(stream).threads(), bytes);

    const VectorKernels& kernels = vector_kernels();
    pool(stream).parallel_for(B * shape.kv_heads, [&](int64_t task, int32_t worker) {
        const int64_t sample = task / shape.kv_heads, kv_head = task % shape.kv_heads, row = k_cache.columns;
        const int64_t length = lengths.as<int32_t>()[sample];
        const int64_t first = shape.window > 0 ? std::max<int64_t>(0, length - shape.window) : 0, keys = length - first;
        const int64_t cached = (sample * capacity + first) * row + kv_head * HD, query = (sample * shape.heads + kv_head * group) * HD;
        const int64_t score_row = padded_row(capacity);
        float* scores = Scratch(stream, worker, bytes).take<float>(group * score_row);
        for (int64_t h = 0; h < group; ++h) {
            float* score = scores + h * score_row;
            kernels.dots(q.as<float>() + query + h * HD, k_cache.as<float>() + cached, row, keys, HD, score);
            kernels.scale(score, shape.scale, keys);
            if (shape.cap != 0) kernels.soft_cap(score, shape.cap, keys);
            const float sum = kernels.exp_in_place(score, kernels.largest(score, keys), keys);
            kernels.scale(score, 1 / sum, keys);
        }
        kernels.product({group, HD, keys, scores, score_row, 1, v_cache.as<float>() + cached, row, out.as<float>() + query, HD, false});
    });
}

}  // namespace vaccine::ops
