// activation(gate) * up: bound by memory, every element is read and written once.
#include "ops/checks.h"
#include "ops/cuda/elementwise.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

__device__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

/// Activations are x sigmoid(argument(x)). slope: of the argument, times x.
struct Silu {
    __device__ static float argument(float x) { return x; }
    __device__ static float slope(float x) { return x; }
};
struct GeluTanh {
    static constexpr float kLinear = 1.5957691216057308f, kCubic = 0.044715f;  // the first is 2 sqrt(2 / pi)
    __device__ static float argument(float x) { return kLinear * fmaf(kCubic * x * x, x, x); }
    __device__ static float slope(float x) { return kLinear * fmaf(3 * kCubic * x * x, x, x); }
};

template <class T, class Of> struct Glu {
    const T *gate, *up;
    T* out;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<T, N> g = load<N>(gate + i), u = load<N>(up + i);
        Pack<T, N> result;
#pragma unroll
        for (int e = 0; e < N; ++e) result.set(e, g[e] * sigmoid(Of::argument(g[e])) * u[e]);
        store(out + i, result);
    }
};

template <class T, class Of> struct GluBackward {
    const T* dout;
    T *gate, *up;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<T, N> d = load<N>(dout + i), g = load<N>(gate + i), u = load<N>(up + i);
        Pack<T, N> d_gate, d_up;
#pragma unroll
        for (int e = 0; e < N; ++e) {
            const float s = sigmoid(Of::argument(g[e]));
            const float slope = fmaf(Of::slope(g[e]) * s, 1.0f - s, s);  // d activation / d gate
            d_gate.set(e, d[e] * u[e] * slope);
            d_up.set(e, d[e] * (g[e] * s));
        }
        store(gate + i, d_gate);
        store(up + i, d_up);
    }
};

/// f(zero of the type, the activation)
template <class F> void dispatch_glu(DType type, Activation activation, F f) {
    dispatch(type, [&](auto zero) {
        if (activation == Activation::GeluTanh)
            f(zero, GeluTanh{});
        else
            f(zero, Silu{});
    });
}

}  // namespace

void glu_forward(Stream& stream, Activation activation, View gate, View up, View out) {
    const Check check("glu_forward");
    check.number_matrix("gate", gate, gate.rows, gate.columns);
    check.matrix("up", up, gate.dtype, gate.rows, gate.columns);
    check.matrix("out", out, gate.dtype, gate.rows, gate.columns);
    dispatch_glu(gate.dtype, activation, [&](auto zero, auto of) {
        using A = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(A));
        for_each_pack<N>("glu_forward", stream, gate.count(), aligned_for(N, gate, up, out),
                         Glu<A, decltype(of)>{gate.as<A>(), up.as<A>(), out.as<A>()});
    });
}

void glu_backward(Stream& stream, Activation activation, View dout, View gate, View up) {
    const Check check("glu_backward");
    check.number_matrix("gate", gate, gate.rows, gate.columns);
    check.matrix("dout", dout, gate.dtype, gate.rows, gate.columns);
    check.matrix("up", up, gate.dtype, gate.rows, gate.columns);
    dispatch_glu(gate.dtype, activation, [&](auto zero, auto of) {
        using A = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(A));
        for_each_pack<N>("glu_backward", stream, gate.count(), aligned_for(N, dout, gate, up),
                         GluBackward<A, decltype(of)>{dout.as<A>(), gate.as<A>(), up.as<A>()});
    });
}

}  // namespace vaccine::ops
