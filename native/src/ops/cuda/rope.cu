// Rotary embedding: bound by memory. A thread turns a pack of pairs of one head.
#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

struct RopeTable {
    const float* frequency;
    float *cosine, *sine;
    int64_t half;
    template <int N> __device__ void operator()(PackSize<N>, int64_t position, int64_t i) const {
        const Pack<float, N> speed = load<N>(frequency + i);
        Pack<float, N> c, s;
#pragma unroll
        for (int e = 0; e < N; ++e) sincosf(static_cast<float>(position) * speed.item[e], &s.item[e], &c.item[e]);
        store(cosine + position * half + i, c);
        store(sine + position * half + i, s);
    }
};

struct Angles {
    const int32_t* positions;
    const float *cosine, *sine;
    float direction;
};

/// A block has a part of one row, a row `slabs` blocks.
template <class T, int N> __global__ void __launch_bounds__(256) rotate(T* x, Angles angles, int heads, int half, unsigned slabs) {
    const int64_t t = blockIdx.x / slabs;
    const int packs = half / N, k = static_cast<int>(blockIdx.x % slabs * blockDim.x + threadIdx.x);  // which pack of the row's pairs
    const bool in = k < heads * packs;
    const int64_t angle = static_cast<int64_t>(angles.positions[t]) * half;
    const Floats<N> c = load_floats<N>(angles.cosine + angle, k % packs, in), s = load_floats<N>(angles.sine + angle, k % packs, in);
    if (!in) return;
    T* low = x + (t * heads + k / packs) * 2 * half + k % packs * N;
    Pack<T, N> a = load<N>(low), b = load<N>(low + half);
#pragma unroll
    for (int e = 0; e < N; ++e) {
        const float first = a[e], second = b[e], sine = s.item[e] * angles.direction;
        a.set(e, first * c.item[e] - second * sine);
        b.set(e, second * c.item[e] + first * sine);
    }
    store(low, a);
    store(low + half, b);
}

template <class T, int N> void launch_rotate(const char* op, const Stream& stream, const View& x, const Angles& angles, int64_t half) {
    const int64_t heads = x.columns / (2 * half), packs = heads * (half / N);
    const int64_t threads = packs < 256 ? ceil_div(packs, kWarp) * kWarp : 256, slabs = ceil_div(packs, threads);
    launch(op, stream, rotate<T, N>, dim3(static_cast<unsigned>(x.rows * slabs)), dim3(static_cast<unsigned>(threads)), 0, x.as<T>(),
           angles, static_cast<int>(heads), static_cast<int>(half), static_cast<unsigned>(slabs));
}

void rotate_rows(Stream& stream, const char* op, const View& x, const View& positions, const View& cosine, const View& sine,
                 int64_t head_size, float direction) {
    const int64_t half = head_size / 2;
    check_rope(Check(op), x, positions, cosine, sine, head_size);
    if (x.count() == 0) return;
    const Angles angles{positions.as<int32_t>(), cosine.as<float>(), sine.as<float>(), direction};
    dispatch(x.dtype, [&](auto zero) {
        using A = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(A));
        if (rows_of_packs<A>(half) && aligned_for(N, x) && aligned_for(4, cosine, sine))
            launch_rotate<A, N>(op, stream, x, angles, half);
        else
            launch_rotate<A, 1>(op, stream, x, angles, half);
    });
}

}  // namespace

void rope_table(Stream& stream, View frequency, View cosine, View sine) {
    const int64_t positions = cosine.rows, half = cosine.columns;
    check_rope_table(Check("rope_table"), frequency, cosine, sine);
    for_each_row_pack<4>("rope_table", stream, positions, half, aligned_for(4, frequency, cosine, sine),
                         RopeTable{frequency.as<float>(), cosine.as<float>(), sine.as<float>(), half});
}

void rope_forward(Stream& stream, View x, View positions, View cosine, View sine, int64_t head_size) {
    rotate_rows(stream, "rope_forward", x, positions, cosine, sine, head_size, 1);
}

void rope_backward(Stream& stream, View dx, View positions, View cosine, View sine, int64_t head_size) {
    rotate_rows(stream, "rope_backward", dx, positions, cosine, sine, head_size, -1);
}

}  // namespace vaccine::ops
