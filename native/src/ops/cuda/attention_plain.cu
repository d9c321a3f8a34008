// attention_forward and attention_backward without tensor cores: fp32, for checking, and bf16 where attention_mma.cuh does not reach.
// Any head size. A warp computes one row of the result. It takes the other rows 32 at a time: first each lane has one of them and computes
// its score, then each lane has some columns and adds up the 32 rows.
#include "ops/cuda/attention_call.cuh"

namespace vaccine::ops::attention {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / kWarp;
constexpr int kItems = 8;                 // columns of a lane
constexpr int kColumns = kItems * kWarp;  // of a block; wider heads take more blocks, which compute the scores again

/// Rows of one head of one sample. N: how many numbers one load takes.
template <class T, int N> struct HeadRows {
    const T* first;
    int64_t stride;

    __device__ HeadRows(const T* tensor, const Sample& sample, int head, int heads, int head_size)
        : first(tensor + (sample.first * heads + head) * head_size), stride(static_cast<int64_t>(heads) * head_size) {}

    __device__ const T* at(int row) const { return first + row * stride; }
};

template <int N, class T> __device__ float dot(const T* x, const T* y, int n) {
    float sum = 0;
    for (int i = 0; i < n; i += N) {
        const Pack<T, N> a = load<N>(x + i), b = load<N>(y + i);
#pragma unroll
        for (int e = 0; e < N; ++e) sum = fmaf(a[e], b[e], sum);
    }
    return sum;
}

/// A lane's columns first, first + 32, ... of a row of the result.
struct Columns {
    float item[kItems] = {};
    int first, end, used;  // used: items of the warp that have a column

    __device__ Columns(int block, int head_size)
        : first(block * kColumns + static_cast<int>(threadIdx.x) % kWarp),
          end(min(head_size, (block + 1) * kColumns)),
          used((end - block * kColumns + kWarp - 1) / kWarp) {}

    template <class T> __device__ void add(float factor, const T* row) {
#pragma unroll
        for (int i = 0; i < kItems; ++i)  // a lane behind the last column repeats it, for nothing
            if (i < used) item[i] = fmaf(factor, to_float(row[min(first + i * kWarp, end - 1)]), item[i]);
    }
    template <class T> __device__ void write(float factor, T* row) const {
#pragma unroll
        for (int i = 0; i < kItems; ++i)
            if (first + i * kWarp < end) row[first + i * kWarp] = from_float<T>(item[i] * factor);
    }
    __device__ void multiply(float factor) {
#pragma unroll
        for (int i = 0; i < kItems; ++i) item[i] *= factor;
    }
};

/// Which row a warp computes: blockIdx.x counts rows of the longest sample by kWarps, .y heads and blocks of columns, .z samples.
struct Place {
    Sample sample;
    int row, head, column_block, lane;

    __device__ Place(const Layout& layout, int heads)
        : sample(layout.offsets, blockIdx.z),
          row(static_cast<int>(blockIdx.x * kWarps + threadIdx.x / kWarp)),
          head(static_cast<int>(blockIdx.y) % heads),
          column_block(static_cast<int>(blockIdx.y) / heads),
          lane(static_cast<int>(threadIdx.x) % kWarp) {}
    __device__ bool outside() const { return row >= sample.length; }
    __device__ int64_t at(int r, int h, const Layout& layout) const { return (sample.first + r) * layout.heads + h; }  // of lse and delta
};

template <class T> struct Pointers {
    const T *q, *k, *v, *dout, *result;  // result: the forward pass's out
    T *out, *dq, *dk, *dv;
    float *lse, *delta;

    explicit Pointers(const Call& call)
        : q(call.q.as<T>()),
          k(call.k.as<T>()),
          v(call.v.as<T>()),
          dout(call.dout.as<T>()),
          result(call.out.as<T>()),
          out(call.out.as<T>()),
          dq(call.dq.as<T>()),
          dk(call.dk.as<T>()),
          dv(call.dv.as<T>()),
          lse(call.lse.as<float>()),
          delta(call.delta.as<float>()) {}
};

template <class T, int N> __global__ void __launch_bounds__(kThreads, 4) forward_kernel(Pointers<T> to, Layout layout) {
    const Place place(layout, layout.heads);
    if (place.outside()) return;
    const int HD = layout.head_size, kv_head = place.head / (layout.heads / layout.kv_heads);
    const HeadRows<T, N> queries(to.q, place.sample, place.head, layout.heads, HD);
    const HeadRows<T, N> keys(to.k, place.sample, kv_head, layout.kv_heads, HD), values(to.v, place.sample, kv_head, layout.kv_heads, HD);
    Columns out(place.column_block, HD);
    float largest = -INFINITY, sum = 0;
    for (int first = layout.first_key(place.row); first <= place.row; first += kWarp) {
        const int key = first + place.lane, count = min(kWarp, place.row + 1 - first);
        const float score = place.lane < count ? layout.cap(layout.scale * dot<N>(queries.at(place.row), keys.at(key), HD)) : -INFINITY;
        const float most = fmaxf(largest, warp_max(score)), correction = expf(largest - most), probability = expf(score - most);
        largest = most;
        sum = sum * correction + warp_sum(probability);
        out.multiply(correction);
        for (int j = 0; j < count; ++j) out.add(__shfl_sync(~0u, probability, j), values.at(first + j));
    }
    out.write(1 / sum, to.out + place.at(place.row, place.head, layout) * HD);
    if (place.lane == 0 && place.column_block == 0) to.lse[place.at(place.row, place.head, layout)] = largest + logf(sum);
}

/// dq, and delta for the kernel below.
template <class T, int N> __global__ void __launch_bounds__(kThreads, 4) query_gradients_kernel(Pointers<T> to, Layout layout) {
    const Place place(layout, layout.heads);
    if (place.outside()) return;
    const int HD = layout.head_size, kv_head = place.head / (layout.heads / layout.kv_heads);
    const HeadRows<T, N> keys(to.k, place.sample, kv_head, layout.kv_heads, HD), values(to.v, place.sample, kv_head, layout.kv_heads, HD);
    const int64_t at = place.at(place.row, place.head, layout);
    const T *const query = to.q + at * HD, *const gradient = to.dout + at * HD, *const result = to.result + at * HD;

    float delta = 0;
    for (int d = place.lane; d < HD; d += kWarp) delta = fmaf(to_float(gradient[d]), to_float(result[d]), delta);
    delta = warp_sum(delta);
    if (place.lane == 0 && place.column_block == 0) to.delta[at] = delta;

    Columns dq(place.column_block, HD);
    for (int first = layout.first_key(place.row); first <= place.row; first += kWarp) {
        const int key = first + place.lane, count = min(kWarp, place.row + 1 - first);
        float ds = 0;
        if (place.lane < count) {
            const float score = layout.cap(layout.scale * dot<N>(query, keys.at(key), HD)), probability = expf(score - to.lse[at]);
            ds = probability * (dot<N>(gradient, values.at(key), HD) - delta) * layout.cap.slope(score);
        }
        for (int j = 0; j < count; ++j) dq.add(__shfl_sync(~0u, ds, j), keys.at(first + j));
    }
    dq.write(layout.scale, to.dq + at * HD);
}

/// dk and dv of a key: over all heads of its group, and the queries that see it.
template <class T, int N> __global__ void __launch_bounds__(kThreads, 4) key_gradients_kernel(Pointers<T> to, Layout layout) {
    const Place place(layout, layout.kv_heads);
    if (place.outside()) return;
    const int HD = layout.head_size, group = layout.heads / layout.kv_heads;
    const int64_t at = ((place.sample.first + place.row) * layout.kv_heads + place.head) * HD;
    const int end = layout.end_of_queries(place.row, place.sample.length);
    Columns dk(place.column_block, HD), dv(place.column_block, HD);
    for (int head = place.head * group; head < (place.head + 1) * group; ++head) {
        const HeadRows<T, N> queries(to.q, place.sample, head, layout.heads, HD), gradients(to.dout, place.sample, head, layout.heads, HD);
        for (int first = place.row; first < end; first += kWarp) {
            const int query = first + place.lane, count = min(kWarp, end - first);
            float probability = 0, ds = 0;
            if (place.lane < count) {
                const int64_t row = place.at(query, head, layout);
                const float score = layout.cap(layout.scale * dot<N>(queries.at(query), to.k + at, HD));
                probability = expf(score - to.lse[row]);
                ds = probability * (dot<N>(gradients.at(query), to.v + at, HD) - to.delta[row]) * layout.cap.slope(score);
            }
            for (int j = 0; j < count; ++j) {
                dv.add(__shfl_sync(~0u, probability, j), gradients.at(first + j));
                dk.add(__shfl_sync(~0u, ds, j), queries.at(first + j));
            }
        }
    }
    dk.write(layout.scale, to.dk + at);
    dv.write(1, to.dv + at);
}

template <class T, int N> void run_forward(const Call& call, dim3 grid) {
    launch(call.op, call.stream, forward_kernel<T, N>, grid, kThreads, 0, Pointers<T>(call), Layout(call));
}
template <class T, int N> void run_backward(const Call& call, dim3 queries, dim3 keys) {
    launch(call.op, call.stream, query_gradients_kernel<T, N>, queries, kThreads, 0, Pointers<T>(call), Layout(call));
    launch(call.op, call.stream, key_gradients_kernel<T, N>, keys, kThreads, 0, Pointers<T>(call), Layout(call));
}

dim3 grid_of(const Call& call, int64_t heads) {
    return {static_cast<unsigned>(ceil_div(call.longest, kWarps)), static_cast<unsigned>(heads * ceil_div(call.shape.head_size, kColumns)),
            static_cast<unsigned>(call.samples)};
}

/// Whether rows can be read in packs of N: each begins at a multiple of them.
bool rows_fit(const Call& call, int N) {
    const auto fits = [N](const View& view) { return view.empty() || aligned_for(N, view); };
    return call.shape.head_size % N == 0 && fits(call.q) && fits(call.k) && fits(call.v) && fits(call.dout);
}

}  // namespace

void forward_plain(const Call& call) {
    dispatch(call.q.dtype, [&](auto type) {
        using T = decltype(type);
        constexpr int N = kPackBytes / sizeof(T);
        const dim3 grid = grid_of(call, call.shape.heads);
        rows_fit(call, N) ? run_forward<T, N>(call, grid) : run_forward<T, 1>(call, grid);
    });
}

void backward_plain(const Call& call) {
    dispatch(call.q.dtype, [&](auto type) {
        using T = decltype(type);
        constexpr int N = kPackBytes / sizeof(T);
        const dim3 queries = grid_of(call, call.shape.heads), keys = grid_of(call, call.shape.kv_heads);
        rows_fit(call, N) ? run_backward<T, N>(call, queries, keys) : run_backward<T, 1>(call, queries, keys);
    });
}

}  // namespace vaccine::ops::attention
