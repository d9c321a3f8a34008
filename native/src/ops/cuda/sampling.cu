// Choosing a token from a row of logits. Instead of sorting, every choice is a search by halves for a bound: how many logits, or how much
// probability, lie at it or above. Weights are whole numbers, so their sums are exact in any order.
#include "ops/checks.h"
#include "ops/cuda/device.cuh"
#include "ops/cuda_workspace.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int kSmallBlock = 32, kLargeBlock = 512;
constexpr int64_t kSmallRow = 1024;  // up to here one warp is faster than many that wait for each other

/// Larger for the larger logit; the same for both zeros; 0 for NaN, below -inf.
__device__ uint32_t order_key(float logit) {
    if (isnan(logit)) return 0;
    const uint32_t bits = __float_as_uint(logit + 0.0f);  // -0 becomes 0
    return bits >> 31 != 0 ? ~bits : bits | 1u << 31;
}

// How values are joined, and what leaves them as they are. Those of 32 bits are joined by one instruction of the warp.
struct Larger {
    static constexpr uint32_t kNothing = 0;
    __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a > b ? a : b; }
    __device__ uint32_t warp(uint32_t value) const { return __reduce_max_sync(~0u, value); }
};
struct Smaller {
    static constexpr uint32_t kNothing = ~0u;
    __device__ uint32_t warp(uint32_t value) const { return __reduce_min_sync(~0u, value); }
};
struct Plus {
    static constexpr uint32_t kNothing = 0;
    __device__ uint64_t operator()(uint64_t a, uint64_t b) const { return a + b; }
    __device__ uint32_t warp(uint32_t value) const { return __reduce_add_sync(~0u, value); }
};

template <class T, class Join> __device__ T warp_join(T value, Join join) {
    if constexpr (sizeof(T) == 4) {
        return join.warp(value);
    } else {
#pragma unroll
        for (int step = kWarp / 2; step > 0; step /= 2) value = join(value, static_cast<T>(__shfl_xor_sync(~0u, value, step)));
        return value;
    }
}

/// All threads' values joined, the same in every thread. All threads must call it.
template <int THREADS, class T, class Join> __device__ T block_join(T value, Join join) {
    value = warp_join(value, join);
    if constexpr (THREADS > kWarp) {
        constexpr int kParts = THREADS / kWarp;
        __shared__ T part[kParts];
        if (threadIdx.x % kWarp == 0) part[threadIdx.x / kWarp] = value;
        __syncthreads();
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        value = warp_join(lane < kParts ? part[lane] : T{Join::kNothing}, join);
        __syncthreads();  // part may be written again by the next call
    }
    return value;
}

/// The first index of the largest of a row; a NaN's only where there is nothing else.
template <int N, int THREADS> __device__ int64_t index_of_largest(const float* row, int64_t V) {
    // Of equal keys the smaller index is the larger number.
    uint64_t best = 0;
    for (int64_t v = static_cast<int64_t>(threadIdx.x) * N; v < V; v += THREADS * N) {
        const Pack<float, N> x = load<N>(row + v);
#pragma unroll
        for (int e = 0; e < N; ++e) best = Larger()(best, static_cast<uint64_t>(order_key(x[e])) << 32 | ~static_cast<uint32_t>(v + e));
    }
    best = block_join<THREADS>(best, Larger());
    return static_cast<int64_t>(~static_cast<uint32_t>(best));
}

template <int N, int THREADS> __global__ void __launch_bounds__(THREADS) argmax(const float* logits, int64_t V, int32_t* out) {
    const int64_t index = index_of_largest<N, THREADS>(logits + blockIdx.x * V, V);
    if (threadIdx.x == 0) out[blockIdx.x] = static_cast<int32_t>(index);
}

/// A block a row. No token is there twice, so that each thread has its logits for itself.
__global__ void __launch_bounds__(kLargeBlock)
    penalize(float* logits, int64_t V, const int32_t* tokens, const int32_t* offsets, float penalty) {
    float* row = logits + blockIdx.x * V;
    const int32_t end = offsets[blockIdx.x + 1];
    for (int32_t i = offsets[blockIdx.x] + static_cast<int32_t>(threadIdx.x); i < end; i += kLargeBlock) {
        const float logit = row[tokens[i]];
        row[tokens[i]] = logit < 0 ? logit * penalty : logit / penalty;
    }
}

using cuda_workspace::Amount, cuda_workspace::kMostSampledRows;  // a number of elements is uint32_t

/// The elements of a row in an order: by key, largest first, and those of one key by index.
struct Row {
    const float* logits;
    const Amount* weight;
    int64_t V;
};

/// A bound in the key order: everything above `key` is inside, `above` in all; each element of the key itself amounts to `each`.
template <class T> struct Bound {
    uint32_t key;
    T above, each;
};

/// The amount above a key, and of each element that has it.
template <int THREADS, class T, class Key, class Value> __device__ Bound<T> bound_at(int64_t V, uint32_t at, Key key, Value amount) {
    T above = 0, each = 0;
    for (int64_t v = threadIdx.x; v < V; v += THREADS) {
        const uint32_t k = key(v);
        if (k > at) above += amount(v);
        if (k == at) each = amount(v);
    }
    return {at, block_join<THREADS>(above, Plus()), block_join<THREADS>(each, Larger())};
}

/// The largest key that occurs for which the amount at it and above it reaches `wanted` (at least 1, at most that of all).
/// key(v): of element v.  amount(v): of element v, a T; the same for equal keys.
template <int THREADS, class T, class Key, class Value> __device__ Bound<T> find_bound(int64_t V, T wanted, Key key, Value amount) {
    uint32_t low = 0, high = ~0u;  // the bound lies in low .. high
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2 + 1;
        T sum = 0;
        uint32_t least = ~0u, most = 0;  // of the keys from the middle on, and below it
        for (int64_t v = threadIdx.x; v < V; v += THREADS) {
            const uint32_t k = key(v);
            if (k >= middle) {
                sum += amount(v);
                least = k < least ? k : least;
            } else {
                most = k > most ? k : most;
            }
        }
        if (block_join<THREADS>(sum, Plus()) >= wanted)
            low = block_join<THREADS>(least, Smaller());
        else
            high = block_join<THREADS>(most, Larger());
    }
    return bound_at<THREADS, T>(V, low, key, amount);
}

/// The index at which the amount, summed in the order of the index, reaches `wanted`.
template <int THREADS, class T, class Value> __device__ int64_t find_index(int64_t V, T wanted, Value amount) {
    const auto key = [](int64_t v) { return ~static_cast<uint32_t>(v); };
    return static_cast<int64_t>(~find_bound<THREADS>(V, wanted, key, amount).key);
}

struct Choice {
    float temperature;
    int32_t top_k;
    float top_p;
    double one;  // the weight of the largest, as a whole number: V of them do not overflow
};

/// weight[v] = exp((logit - largest) / temperature); 0 for NaN, at least 1 of what is not 0.
template <int THREADS> __device__ void write_weights(const float* row, int64_t V, const Choice& choice, Amount* weight) {
    const double most = static_cast<double>(row[index_of_largest<1, THREADS>(row, V)]);
    for (int64_t v = threadIdx.x; v < V; v += THREADS) {
        const double x = static_cast<double>(row[v]);
        const double share = x == most ? 1.0 : exp((x - most) / static_cast<double>(choice.temperature));
        const double whole = share * choice.one;
        weight[v] = !(share > 0) ? 0 : whole < 1 ? 1 : static_cast<Amount>(whole);
    }
    __syncthreads();
}

/// How often `by` reaches `a`.
__device__ Amount times_at_least(Amount a, Amount by) {
    return (a + by - 1) / by;
}

/// floor(total * word / 2^24) for a word of 24 bits, without overflow.
__device__ Amount part_of(Amount total, uint32_t word) {
    constexpr int kBits = 24;
    return (total >> kBits) * word + ((total & ((1ull << kBits) - 1)) * word >> kBits);
}

/// The candidates are a beginning of the row's order: all above the bound, and the first few of its key. Only their mass is needed: a
/// number below it falls on one of them.
template <int THREADS> __device__ Amount candidate_mass(const Row& row, const Choice& choice) {
    const auto key = [&](int64_t v) { return order_key(row.logits[v]); };
    const auto weight = [&](int64_t v) { return row.weight[v]; };
    Amount mass = 0;
    if (choice.top_k > 0 && choice.top_k < row.V) {
        const uint32_t k = static_cast<uint32_t>(choice.top_k);
        const Bound<uint32_t> number = find_bound<THREADS>(row.V, k, key, [](int64_t) { return 1u; });
        const Bound<Amount> bound = bound_at<THREADS, Amount>(row.V, number.key, key, weight);
        mass = bound.above + (k - number.above) * bound.each;
    } else {
        for (int64_t v = threadIdx.x; v < row.V; v += THREADS) mass += weight(v);
        mass = block_join<THREADS>(mass, Plus());
    }
    if (choice.top_p < 1 && mass > 0) {
        const Amount need = static_cast<Amount>(ceil(static_cast<double>(choice.top_p) * static_cast<double>(mass)));
        const Amount wanted = need < 1 ? 1 : need < mass ? need : mass;
        const Bound<Amount> bound = find_bound<THREADS>(row.V, wanted, key, weight);
        mass = bound.above + times_at_least(wanted - bound.above, bound.each) * bound.each;
    }
    return mass;
}

template <int THREADS> __device__ int64_t sample_row(const Row& row, const Choice& choice, uint32_t word) {
    const Amount mass = candidate_mass<THREADS>(row, choice);
    if (mass == 0) return 0;  // a row of NaN
    const Amount wanted = part_of(mass, word) + 1;
    const bool in_order_of_index = !(choice.top_k > 0 && choice.top_k < row.V) && !(choice.top_p < 1);
    if (in_order_of_index) return find_index<THREADS>(row.V, wanted, [&](int64_t v) { return row.weight[v]; });
    const auto key = [&](int64_t v) { return order_key(row.logits[v]); };
    const Bound<Amount> bound = find_bound<THREADS>(row.V, wanted, key, [&](int64_t v) { return row.weight[v]; });
    const uint32_t number = static_cast<uint32_t>(times_at_least(wanted - bound.above, bound.each));
    return find_index<THREADS>(row.V, number, [&](int64_t v) { return key(v) == bound.key ? 1u : 0u; });
}

/// The 24 bits that decide about row n.
__device__ uint32_t word_of_row(const RandomKey& key, int64_t n) {
    const RandomBlock block = random_block(key, static_cast<uint64_t>(n / 4));
    const uint32_t of_pair[2] = {n % 4 < 2 ? block.word[0] : block.word[2], n % 4 < 2 ? block.word[1] : block.word[3]};
    return (n % 2 == 0 ? of_pair[0] : of_pair[1]) >> 8;
}

template <int THREADS> __global__ void __launch_bounds__(THREADS)
    sample(const float* logits, int64_t N, int64_t V, Choice choice, RandomKey key, Amount* weights, int32_t* out) {
    Amount* weight = weights + blockIdx.x * V;
    for (int64_t n = blockIdx.x; n < N; n += gridDim.x) {
        write_weights<THREADS>(logits + n * V, V, choice, weight);
        const int64_t index = sample_row<THREADS>({logits + n * V, weight, V}, choice, word_of_row(key, n));
        if (threadIdx.x == 0) out[n] = static_cast<int32_t>(index);
        __syncthreads();  // the weights are written again
    }
}

}  // namespace

void argmax_rows(Stream& stream, View logits, View out) {
    const int64_t N = logits.rows, V = logits.columns;
    check_argmax(Check("argmax_rows"), logits, out);
    if (N == 0) return;
    const bool packs = aligned_for(4, logits) && V % 4 == 0, small = V <= kSmallRow;
    const auto kernel =
        small ? (packs ? argmax<4, kSmallBlock> : argmax<1, kSmallBlock>) : (packs ? argmax<4, kLargeBlock> : argmax<1, kLargeBlock>);
    launch("argmax_rows", stream, kernel, dim3(static_cast<unsigned>(N)), small ? kSmallBlock : kLargeBlock, 0, logits.as<float>(), V,
           out.as<int32_t>());
}

void penalize_repetition(Stream& stream, View logits, View tokens, View offsets, float penalty) {
    check_repetition(Check("penalize_repetition"), logits, tokens, offsets, penalty);
    if (logits.rows == 0 || tokens.count() == 0) return;
    launch("penalize_repetition", stream, penalize, dim3(static_cast<unsigned>(logits.rows)), kLargeBlock, 0, logits.as<float>(),
           logits.columns, tokens.as<int32_t>(), offsets.as<int32_t>(), penalty);
}

void sample_rows(Stream& stream, View logits, float temperature, int32_t top_k, float top_p, const RandomKey& key, View out) {
    const int64_t N = logits.rows, V = logits.columns;
    check_sampling(Check("sample_rows"), logits, temperature, top_k, top_p, out);
    if (N == 0) return;
    Choice choice{temperature, top_k, top_p, 9007199254740992.0};                         // 2^53
    while (choice.one * static_cast<double>(V) > 4611686018427387904.0) choice.one /= 2;  // 2^62
    const int64_t blocks = N < kMostSampledRows ? N : kMostSampledRows;
    Amount* weights = workspace<Amount>(stream, "sample_rows", blocks * V);
    const bool small = V <= kSmallRow;
    launch("sample_rows", stream, small ? sample<kSmallBlock> : sample<kLargeBlock>, dim3(static_cast<unsigned>(blocks)),
           small ? kSmallBlock : kLargeBlock, 0, logits.as<float>(), N, V, choice, key, weights, out.as<int32_t>());
}

}  // namespace vaccine::ops
