// Plain vectors: bound by memory, every element is read and written once.
#include "ops/checks.h"
#include "ops/cuda/elementwise.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

template <class X, class Y> constexpr int pack_of() {
    return static_cast<int>(kPackBytes / (sizeof(X) > sizeof(Y) ? sizeof(X) : sizeof(Y)));
}

template <class X, class Y> struct Copy {
    const X* from;
    Y* to;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<X, N> x = load<N>(from + i);
        Pack<Y, N> y;
#pragma unroll
        for (int e = 0; e < N; ++e) y.set(e, x[e]);
        store(to + i, y);
    }
};

template <class X, class Y> struct Axpy {
    float alpha;
    const X* x;
    Y* y;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<X, N> add = load<N>(x + i);
        Pack<Y, N> sum = load<N>(y + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum.set(e, fmaf(alpha, add[e], sum[e]));
        store(y + i, sum);
    }
};

struct Scale {
    float factor;
    float* x;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        Pack<float, N> value = load<N>(x + i);
#pragma unroll
        for (int e = 0; e < N; ++e) value.item[e] *= factor;
        store(x + i, value);
    }
};

struct NormFactor {
    float numerator, epsilon;
    const double* sum_of_squares;
    __device__ float operator()() const {
        return static_cast<float>(static_cast<double>(numerator) / (sqrt(*sum_of_squares) + static_cast<double>(epsilon)));
    }
};

struct ScaleToNorm {
    NormFactor factor;
    float* x;
    template <int N> __device__ void operator()(PackSize<N> pack, int64_t i) const { Scale{factor(), x}(pack, i); }
};

struct AxpyToNorm {
    NormFactor factor;
    const float* x;
    float* y;
    template <int N> __device__ void operator()(PackSize<N> pack, int64_t i) const { Axpy<float, float>{factor(), x, y}(pack, i); }
};

struct MultiplyAdd {
    float alpha;
    const float *a, *b;
    float* y;
    template <int N> __device__ void operator()(PackSize<N>, int64_t i) const {
        const Pack<float, N> first = load<N>(a + i), second = load<N>(b + i);
        Pack<float, N> sum = load<N>(y + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum.item[e] = fmaf(alpha * first[e], second[e], sum[e]);
        store(y + i, sum);
    }
};

}  // namespace

void fill_zero(Stream& stream, View x) {
    if (x.bytes() > 0) check_cuda(cudaMemsetAsync(x.data, 0, static_cast<size_t>(x.bytes()), queue(stream)), "fill_zero");
}

void copy(Stream& stream, View from, View to) {
    const Check check("copy");
    check.number_vector("from", from, from.count());
    check.number_vector("to", to, from.count());
    dispatch(from.dtype, [&](auto x) {
        dispatch(to.dtype, [&](auto y) {
            using X = decltype(x);
            using Y = decltype(y);
            constexpr int N = pack_of<X, Y>();
            for_each_pack<N>("copy", stream, from.count(), aligned_for(N, from, to), Copy<X, Y>{from.as<X>(), to.as<Y>()});
        });
    });
}

void scale(Stream& stream, View x, float factor) {
    Check("scale").vector("x", x, DType::F32, x.count());
    for_each_pack<4>("scale", stream, x.count(), aligned_for(4, x), Scale{factor, x.as<float>()});
}

void axpy(Stream& stream, float alpha, View x, View y) {
    const Check check("axpy");
    check.number_vector("x", x, x.count());
    check.number_vector("y", y, x.count());
    dispatch(x.dtype, [&](auto from) {
        dispatch(y.dtype, [&](auto to) {
            using X = decltype(from);
            using Y = decltype(to);
            constexpr int N = pack_of<X, Y>();
            for_each_pack<N>("axpy", stream, x.count(), aligned_for(N, x, y), Axpy<X, Y>{alpha, x.as<X>(), y.as<Y>()});
        });
    });
}

void multiply_add(Stream& stream, float alpha, View a, View b, View y) {
    const Check check("multiply_add");
    check.vector("a", a, DType::F32, y.count());
    check.vector("b", b, DType::F32, y.count());
    check.vector("y", y, DType::F32, y.count());
    for_each_pack<4>("multiply_add", stream, y.count(), aligned_for(4, a, b, y),
                     MultiplyAdd{alpha, a.as<float>(), b.as<float>(), y.as<float>()});
}

void scale_to_norm(Stream& stream, View x, float numerator, View sum_of_squares, float epsilon) {
    const Check check("scale_to_norm");
    check.vector("x", x, DType::F32, x.count());
    check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
    for_each_pack<4>("scale_to_norm", stream, x.count(), aligned_for(4, x),
                     ScaleToNorm{{numerator, epsilon, sum_of_squares.as<double>()}, x.as<float>()});
}

void axpy_to_norm(Stream& stream, float numerator, View sum_of_squares, float epsilon, View x, View y) {
    const Check check("axpy_to_norm");
    check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
    check.vector("x", x, DType::F32, x.count());
    check.vector("y", y, DType::F32, x.count());
    for_each_pack<4>("axpy_to_norm", stream, x.count(), aligned_for(4, x, y),
                     AxpyToNorm{{numerator, epsilon, sum_of_squares.as<double>()}, x.as<float>(), y.as<float>()});
}

}  // namespace vaccine::ops
