// silu(gate) * up: bound by memory, every element is read and written once.
#include "ops/checks.h"
#include "ops/cuda/elementwise.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

__device__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

template <class T> struct Swiglu {
    const T *gate, *up;
    T* out;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<T, N> g = load<N>(gate + i), u = load<N>(up + i);
        Pack<T, N> result;
#pragma unroll
        for (int e = 0; e < N; ++e) result.set(e, g[e] * sigmoid(g[e]) * u[e]);
        store(out + i, result);
    }
};

template <class T> struct SwigluBackward {
    const T* dout;
    T *gate, *up;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<T, N> d = load<N>(dout + i), g = load<N>(gate + i), u = load<N>(up + i);
        Pack<T, N> d_gate, d_up;
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float s = sigmoid(g[e]), silu = g[e] * s;
            const float slope = fmaf(silu, 1.0f - s, s);  // d silu / d gate
            d_gate.set(e, d[e] * u[e] * slope);
            d_up.set(e, d[e] * silu);
        }
        store(gate + i, d_gate);
        store(up + i, d_up);
    }
};

}  // namespace

void swiglu_forward(Stream& stream, View gate, View up, View out) {
    const Check check("swiglu_forward");
    check.number_matrix("gate", gate, gate.rows, gate.columns);
    check.matrix("up", up, gate.dtype, gate.rows, gate.columns);
    check.matrix("out", out, gate.dtype, gate.rows, gate.columns);
    dispatch(gate.dtype, [&](auto zero) {
        using A = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(A));
        for_each_pack<N>("swiglu_forward", stream, gate.count(), aligned_for(N, gate, up, out),
                         Swiglu<A>{gate.as<A>(), up.as<A>(), out.as<A>()});
    });
}

void swiglu_backward(Stream& stream, View dout, View gate, View up) {
    const Check check("swiglu_backward");
    check.number_matrix("gate", gate, gate.rows, gate.columns);
    check.matrix("dout", dout, gate.dtype, gate.rows, gate.columns);
    check.matrix("up", up, gate.dtype, gate.rows, gate.columns);
    dispatch(gate.dtype, [&](auto zero) {
        using A = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(A));
        for_each_pack<N>("swiglu_backward", stream, gate.count(), aligned_for(N, dout, gate, up),
                         SwigluBackward<A>{dout.as<A>(), gate.as<A>(), up.as<A>()});
    });
}

}  // namespace vaccine::ops
