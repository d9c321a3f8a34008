// Bound by memory: a block has a row and keeps it in registers, so that it is read once. What of a very long row does not fit there is
// read again.
#include <type_traits>

#include "ops/checks.h"
#include "ops/cuda/rows.cuh"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kMostThreads = 512;  // of a row: they have 128 registers each, into which two rows of 16384 columns fit

/// Packs of a row that a thread keeps.
template <int N, int THREADS> constexpr int kKept = (N == 8 ? 2 : 4) * (THREADS == kMostThreads ? 2 : 1);

template <class T, int N> __device__ float add_squares(const Pack<T, N>& x, float sum) {
#pragma unroll
    for (int e = 0; e < N; ++e) sum = fmaf(x[e], x[e], sum);
    return sum;
}

/// What a row is multiplied by: w + offset.
struct Weight {
    const float* w;
    float offset;
};

template <class T, int N> __device__ void write_normalised(const Pack<T, N>& x, Weight by, float rstd, int packs, int p, T* y) {
    const bool in = p < packs;
    const Floats<N> weight = load_floats<N>(by.w, p, in);
    if (!in) return;
    Pack<T, N> out;
#pragma unroll
    for (int e = 0; e < N; ++e) out.set(e, x[e] * rstd * (weight.item[e] + by.offset));
    store(y + p * N, out);
}

template <class T, int N, int THREADS> __global__ void __launch_bounds__(THREADS)
    forward(const T* x, Weight w, float eps, T* y, float* rstd, int C) {
    constexpr int kKeep = kKept<N, THREADS>;
    const int64_t row = blockIdx.x;
    const int packs = C / N, thread = static_cast<int>(threadIdx.x);
    x += row * C;
    y += row * C;
    Pack<T, N> kept[kKeep];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kKeep; ++i) {
        const int p = i * THREADS + thread;
        if (p >= packs) continue;
        kept[i] = load<N>(x + p * N);
        sum = add_squares(kept[i], sum);
    }
    for (int p = kKeep * THREADS + thread; p < packs; p += THREADS) sum = add_squares(load<N>(x + p * N), sum);

    const float r = 1.0f / sqrtf(block_sum<THREADS>(sum) / static_cast<float>(C) + eps);
    if (thread == 0) rstd[row] = r;
#pragma unroll
    for (int i = 0; i < kKeep; ++i) write_normalised(kept[i], w, r, packs, i * THREADS + thread, y);
    for (int first = kKeep * THREADS; first < packs; first += THREADS) {
        const int p = first + thread;
        write_normalised(load<N>(x + (p < packs ? p : 0) * N), w, r, packs, p, y);
    }
}

/// What a thread keeps of a pack: g = dy * (w + offset) and x.
template <class T, int N> struct Part {
    float g[N];
    Pack<T, N> x;
};

/// OFFSET: there is one. To add 0 would take registers, and with them a quarter of the warps.
template <class T, int N, bool OFFSET> __device__ Part<T, N> load_part(const T* dy, const T* x, Weight by, int packs, int p) {
    const bool in = p < packs;
    const Floats<N> weight = load_floats<N>(by.w, p, in);
    Part<T, N> part{};
    if (!in) return part;
    part.x = load<N>(x + p * N);
    const Pack<T, N> gradient = load<N>(dy + p * N);
#pragma unroll
    for (int e = 0; e < N; ++e) {
        if constexpr (!OFFSET)
            part.g[e] = gradient[e] * weight.item[e];
        else if constexpr (N == 4)  // this way without spills on sm_89
            part.g[e] = fmaf(gradient[e], weight.item[e], gradient[e] * by.offset);
        else
            part.g[e] = gradient[e] * (weight.item[e] + by.offset);
    }
    return part;
}

template <class T, int N> __device__ float add_products(const Part<T, N>& part, float sum) {
#pragma unroll
    for (int e = 0; e < N; ++e) sum = fmaf(part.g[e], part.x[e], sum);
    return sum;
}

template <class T, int N> __device__ void add_gradient(const Part<T, N>& part, float rstd, float pull, int packs, int p, T* dx) {
    if (p >= packs) return;
    Pack<T, N> sum = load<N>(dx + p * N);
#pragma unroll
    for (int e = 0; e < N; ++e) sum.set(e, fmaf(rstd, part.g[e] - part.x[e] * pull, sum[e]));
    store(dx + p * N, sum);
}

template <class T, int N, int THREADS, bool OFFSET> __global__ void __launch_bounds__(THREADS)
    backward(const T* dy, const T* x, Weight w, const float* rstd, T* dx, int C) {
    constexpr int kKeep = kKept<N, THREADS>;
    const int64_t row = blockIdx.x;
    const int packs = C / N, thread = static_cast<int>(threadIdx.x);
    dy += row * C;
    x += row * C;
    dx += row * C;
    Part<T, N> kept[kKeep];
    float product = 0;
#pragma unroll
    for (int i = 0; i < kKeep; ++i) {
        kept[i] = load_part<T, N, OFFSET>(dy, x, w, packs, i * THREADS + thread);
        product = add_products(kept[i], product);
    }
    for (int first = kKeep * THREADS; first < packs; first += THREADS)
        product = add_products(load_part<T, N, OFFSET>(dy, x, w, packs, first + thread), product);

    const float r = rstd[row];
    const float pull = block_sum<THREADS>(product) / static_cast<float>(C) * r * r;  // how much of it only rescales the row
#pragma unroll
    for (int i = 0; i < kKeep; ++i) add_gradient(kept[i], r, pull, packs, i * THREADS + thread, dx);
    for (int first = kKeep * THREADS; first < packs; first += THREADS)
        add_gradient(load_part<T, N, OFFSET>(dy, x, w, packs, first + thread), r, pull, packs, first + thread, dx);
}

constexpr int kWeightThreads = 256;

/// dw: a block has LANES packs of columns and walks down all rows, kWeightThreads / LANES at a time: narrow, so that there are many
/// blocks, and yet whole sectors.
template <class T, int N, int LANES> __global__ void __launch_bounds__(kWeightThreads)
    backward_weight(const T* dy, const T* x, const float* rstd, float* dw, int64_t rows, int C) {
    constexpr int kRows = kWeightThreads / LANES;
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
    const int c = (static_cast<int>(blockIdx.x) * LANES + thread % LANES) * N;
    __shared__ float part[kWeightThreads / kWarp][LANES * N];
    float sum[N] = {};
    if (c < C) {
        for (int64_t t = thread / LANES; t < rows; t += kRows) {
            const Pack<T, N> gradient = load<N>(dy + t * C + c), value = load<N>(x + t * C + c);
            const float r = rstd[t];
#pragma unroll
            for (int e = 0; e < N; ++e) sum[e] = fmaf(gradient[e], value[e] * r, sum[e]);
        }
    }
#pragma unroll
    for (int e = 0; e < N; ++e) {
#pragma unroll
        for (int step = kWarp / 2; step >= LANES; step /= 2) sum[e] += __shfl_xor_sync(~0u, sum[e], step);
        if (lane < LANES) part[warp][lane * N + e] = sum[e];
    }
    __syncthreads();
    const int column = static_cast<int>(blockIdx.x) * LANES * N + thread;
    if (thread >= LANES * N || column >= C) return;
    float total = 0;
    for (int i = 0; i < kWeightThreads / kWarp; ++i) total += part[i][thread];
    dw[column] += total;
}

/// f(number of threads) with as many as keep a row of so many packs, if that many there may be.
template <int N, class F> void with_threads(int64_t packs, F f) {
    if (packs <= 32 * kKept<N, 32>)
        f(std::integral_constant<int, 32>{});
    else if (packs <= 256 * kKept<N, 256>)
        f(std::integral_constant<int, 256>{});
    else
        f(std::integral_constant<int, kMostThreads>{});
}

/// f(zero of the type, PackSize<N>, threads): how the rows are to be treated.
template <class F> void dispatch_rows(DType type, int64_t C, bool aligned, F f) {
    dispatch(type, [&](auto zero) {
        using T = decltype(zero);
        constexpr int N = static_cast<int>(kPackBytes / sizeof(T));
        if (aligned && rows_of_packs<T>(C))
            with_threads<N>(C / N, [&](auto threads) { f(zero, PackSize<N>{}, threads); });
        else
            with_threads<1>(C, [&](auto threads) { f(zero, PackSize<1>{}, threads); });
    });
}

template <class T, int N> void launch_weight(const Stream& stream, const View& dy, const View& x, const View& rstd, const View& dw) {
    constexpr int kLanes = N > 1 ? 4 : kWarp;
    launch("rmsnorm_backward", stream, backward_weight<T, N, kLanes>, dim3(static_cast<unsigned>(ceil_div(x.columns, kLanes * N))),
           kWeightThreads, 0, dy.as<T>(), x.as<T>(), rstd.as<float>(), dw.as<float>(), x.rows, static_cast<int>(x.columns));
}

}  // namespace

void rmsnorm_forward(Stream& stream, View x, const NormWeight& weight, float eps, View y, View rstd) {
    const int64_t T = x.rows, C = x.columns;
    const Check check("rmsnorm_forward");
    check.activation("x", x);
    check.matrix("x", x, x.dtype, T, C);
    check.vector("w", weight.w, DType::F32, C);
    check.matrix("y", y, x.dtype, T, C);
    check.vector("rstd", rstd, DType::F32, T);
    if (T == 0 || C == 0) return;
    const bool aligned = aligned_for(static_cast<int>(kPackBytes / size_of(x.dtype)), x, y) && aligned_for(4, weight.w);
    dispatch_rows(x.dtype, C, aligned, [&](auto zero, auto pack, auto threads) {
        using A = decltype(zero);
        constexpr int kThreads = decltype(threads)::value;
        launch("rmsnorm_forward", stream, forward<A, decltype(pack)::value, kThreads>, dim3(static_cast<unsigned>(T)), kThreads, 0,
               x.as<A>(), Weight{weight.w.as<float>(), weight.offset}, eps, y.as<A>(), rstd.as<float>(), static_cast<int>(C));
    });
}

void rmsnorm_backward(Stream& stream, View dy, View x, const NormWeight& weight, View rstd, View dx, View dw) {
    const int64_t T = x.rows, C = x.columns;
    const Check check("rmsnorm_backward");
    check.activation("x", x);
    check.matrix("dy", dy, x.dtype, T, C);
    check.matrix("x", x, x.dtype, T, C);
    check.vector("w", weight.w, DType::F32, C);
    check.vector("rstd", rstd, DType::F32, T);
    check.matrix("dx", dx, x.dtype, T, C);
    if (!dw.empty()) check.vector("dw", dw, DType::F32, C);
    if (T == 0 || C == 0) return;
    const bool aligned = aligned_for(static_cast<int>(kPackBytes / size_of(x.dtype)), dy, x, dx) && aligned_for(4, weight.w);
    dispatch_rows(x.dtype, C, aligned, [&](auto zero, auto pack, auto threads) {
        using A = decltype(zero);
        constexpr int kThreads = decltype(threads)::value, N = decltype(pack)::value;
        launch("rmsnorm_backward", stream, weight.offset == 0 ? backward<A, N, kThreads, false> : backward<A, N, kThreads, true>,
               dim3(static_cast<unsigned>(T)), kThreads, 0, dy.as<A>(), x.as<A>(), Weight{weight.w.as<float>(), weight.offset},
               rstd.as<float>(), dx.as<A>(), static_cast<int>(C));
        if (!dw.empty()) launch_weight<A, N>(stream, dy, x, rstd, dw);
    });
}

}  // namespace vaccine::ops
