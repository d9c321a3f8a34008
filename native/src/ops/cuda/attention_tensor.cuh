// What the tensor-core kernels of the forward and the backward pass share beside their arithmetic.
#pragma once
#include <type_traits>

#include "ops/cuda/attention_call.cuh"
#include "ops/cuda/attention_mma.cuh"

namespace vaccine::ops::attention {

constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

/// Calls f with the head size as a type; false where there is no kernel for it.
template <class F> bool dispatch_head_size(int64_t head_size, F f) {
    switch (head_size) {
        case 32:
            return f(std::integral_constant<int, 32>{}), true;
        case 64:
            return f(std::integral_constant<int, 64>{}), true;
        case 96:
            return f(std::integral_constant<int, 96>{}), true;
        case 128:
            return f(std::integral_constant<int, 128>{}), true;
        case 256:
            return f(std::integral_constant<int, 256>{}), true;
        default:
            return false;
    }
}

/// Calls f with the head size and whether scores are capped as types; false where there is no kernel for both. Capped ones there are for
/// the head sizes of Gemma 2 only.
template <class F> bool dispatch_kernel(const AttentionShape& shape, F f) {
    if (shape.cap == 0) return dispatch_head_size(shape.head_size, [&](auto size) { f(size, std::false_type{}); });
    if (shape.head_size == 128) return f(std::integral_constant<int, 128>{}, std::true_type{}), true;
    if (shape.head_size == 256) return f(std::integral_constant<int, 256>{}, std::true_type{}), true;
    return false;
}

/// What the kernels keep of a score s: s as the products gave it, or CAPPED the tanh of cap * tanh(scale s / cap). Times exponent_scale it
/// is the power of two that its probability is.
template <bool CAPPED> __device__ float exponent_scale(const Layout& layout) {
    return (CAPPED ? layout.cap.cap : layout.scale) * kLog2e;
}
/// 1 - 2 / (e^2x + 1), within 2^-22.
__device__ inline float fast_tanh(float x) {
    return 1.0f - __fdividef(2.0f, fast_exp2(x * (2 * kLog2e)) + 1.0f);
}
template <bool CAPPED, int TILES> __device__ void cap_scores(Accumulator (&scores)[TILES], const Layout& layout) {
    if constexpr (!CAPPED) return;
    const float into_cap = layout.scale * layout.cap.inverse;
#pragma unroll
    for (int n = 0; n < TILES; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) scores[n][i] = fast_tanh(scores[n][i] * into_cap);
}
/// How fast a capped score grows with the scaled one; 0 for one that is hidden.
template <bool CAPPED> __device__ float slope_of_cap(float kept) {
    return CAPPED ? fmaxf(fmaf(-kept, kept, 1.0f), 0.0f) : 1.0f;
}

/// A warp's rows as the kernel keeps them: a RowsInTile is one already, RowsInRegisters are read now.
template <class Rows, int HD> __device__ Rows keep_rows(const RowsInTile<HD>& rows) {
    if constexpr (std::is_same_v<Rows, RowsInTile<HD>>) {
        return rows;
    } else {
        Rows kept;
        kept.fill(rows);
        return kept;
    }
}

/// Whether any of the kMmaM queries from `query` on, if they are in the sample at all, sees any of KEYS keys from `key` on.
template <int KEYS> __device__ bool any_visible(const Layout& layout, int query, int key, int length) {
    return query < length && key <= query + 15 && query - (key + KEYS - 1) < layout.window;
}
/// Whether each of the kMmaM queries from `query` on sees all KEYS keys from `key` on.
template <int KEYS> __device__ bool all_visible(const Layout& layout, int query, int key) {
    return layout.sees(query, key + KEYS - 1) && layout.sees(query + 15, key);
}
/// Puts `value` in place of what queries (rows) do not see of keys (columns).
template <int TILES> __device__ void hide_keys(Accumulator (&scores)[TILES], const Layout& layout, int query, int key, float value) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int n = 0; n < TILES; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (!layout.sees(query + lane / 4 + i / 2 * (kMmaM / 2), key + kMmaN * n + lane % 4 * 2 + i % 2)) scores[n][i] = value;
}

}  // namespace vaccine::ops::attention
