// Attention as small matrix products. A task is one sample, one kv head and (forward) a run of queries; it copies the head's rows to
// scratch first, for in the packed layout they lie a whole row apart, often a power of two, and would fight for the same cache sets.
// Every sum has the order of its sample's positions: who else is in the batch, or how many threads run, changes no bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/checks.h"
#include "ops/cpu/attention_workspace.h"
#include "ops/cpu/pool.h"
#include "ops/cpu/scratch.h"
#include "ops/cpu/vector_kernels.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kQueries = 32;    // rows of a block of scores
constexpr int64_t kQueryRun = 256;  // queries of a forward task, so that one long sample keeps many threads busy
constexpr int64_t kKeys = 128;      // keys of a block in the backward pass: five matrices of this height stay in the second cache

/// Rows of one head in a packed activation.
struct HeadRows {
    float* data;
    int64_t row;  // distance between positions

    HeadRows(const View& view, int64_t first, int64_t head, int64_t head_size)
        : data(view.as<float>() + first * view.columns + head * head_size), row(view.columns) {}
    float* at(int64_t position) const { return data + position * row; }
};

/// to (rows, HD) contiguous = factor * from.
void copy_rows(const VectorKernels& kernels, const float* from, int64_t from_row, int64_t rows, int64_t HD, float factor, float* to) {
    for (int64_t i = 0; i < rows; ++i) std::memcpy(to + i * HD, from + i * from_row, static_cast<size_t>(HD) * sizeof(float));
    if (factor != 1) kernels.scale(to, factor, rows * HD);
}

/// The keys that query `position` sees are [first_key, position].
int64_t first_key(const AttentionShape& shape, int64_t position) {
    return shape.window > 0 ? std::max<int64_t>(0, position - shape.window + 1) : 0;
}

struct ForwardScratch {
    float *k_transposed, *v, *q, *scores;
    int64_t key_row, score_row;

    ForwardScratch(Scratch scratch, int64_t longest, int64_t HD) : key_row(padded_row(longest)), score_row(padded_row(longest)) {
        k_transposed = scratch.take<float>(HD * key_row);
        v = scratch.take<float>(longest * HD);
        q = scratch.take<float>(kQueries * HD);
        scores = scratch.take<float>(kQueries * score_row);
    }
    static int64_t bytes(int64_t longest, int64_t HD) {
        using S = Scratch;
        return S::bytes_of<float>(HD * padded_row(longest)) + S::bytes_of<float>(longest * HD) + S::bytes_of<float>(kQueries * HD) +
               S::bytes_of<float>(kQueries * padded_row(longest));
    }
};

struct BackwardScratch {
    float *k_transposed, *v_transposed, *k, *dk, *dv, *q, *dout, *p, *ds;
    static constexpr int64_t score_row = padded_row(kKeys), key_row = padded_row(kKeys);

    BackwardScratch(Scratch scratch, int64_t HD) {
        for (float** matrix : {&k_transposed, &v_transposed}) *matrix = scratch.take<float>(HD * key_row);
        for (float** matrix : {&k, &dk, &dv}) *matrix = scratch.take<float>(kKeys * HD);
        for (float** matrix : {&q, &dout}) *matrix = scratch.take<float>(kQueries * HD);
        for (float** matrix : {&p, &ds}) *matrix = scratch.take<float>(kQueries * score_row);
    }
    static int64_t bytes(int64_t HD) {
        using S = Scratch;
        return 2 * S::bytes_of<float>(HD * key_row) + 3 * S::bytes_of<float>(kKeys * HD) + 2 * S::bytes_of<float>(kQueries * HD) +
               2 * S::bytes_of<float>(kQueries * score_row);
    }
};

/// One task of the forward pass.
struct ForwardTask {
    const ThreadPool& pool;
    const VectorKernels& kernels;
    const AttentionShape& shape;
    const View &q, &k, &v, &out, &lse;
    int64_t sample_first;            // row of the sample's position 0
    int64_t first_query, end_query;  // positions
    int64_t kv_head;

    void run(const ForwardScratch& scratch) const {
        const int64_t HD = shape.head_size, group = shape.heads / shape.kv_heads;
        const int64_t low = first_key(shape, first_query);
        const HeadRows keys(k, sample_first, kv_head, HD), values(v, sample_first, kv_head, HD);
        kernels.transpose(keys.at(low), keys.row, end_query - low, HD, scratch.k_transposed, scratch.key_row);
        copy_rows(kernels, values.at(low), values.row, end_query - low, HD, 1, scratch.v);
        for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
            for (int64_t query = first_query; query < end_query; query += kQueries) {
                pool.check_interrupt();  // many keys make a task long
                block(scratch, head, query, std::min(kQueries, end_query - query), low);
            }
    }

    /// Queries [first, first + rows) of one head. low: the key in the scratch's row 0.
    void block(const ForwardScratch& scratch, int64_t head, int64_t first, int64_t rows, int64_t low) const {
        const int64_t HD = shape.head_size, from = first_key(shape, first), keys = first + rows - from;
        const HeadRows queries(q, sample_first, head, HD), outputs(out, sample_first, head, HD);
        copy_rows(kernels, queries.at(first), queries.row, rows, HD, shape.scale, scratch.q);
        kernels.product({rows, keys, HD, scratch.q, HD, 1, scratch.k_transposed + from - low, scratch.key_row, scratch.scores,
                         scratch.score_row, false});
        float sums[kQueries];
        for (int64_t i = 0; i < rows; ++i) {
            float* row = scratch.scores + i * scratch.score_row;
            const int64_t begin = first_key(shape, first + i) - from, end = first + i + 1 - from;
            if (shape.cap != 0) kernels.soft_cap(row + begin, shape.cap, end - begin);
            const float most = kernels.largest(row + begin, end - begin);
            sums[i] = kernels.exp_in_place(row + begin, most, end - begin);
            std::fill(row, row + begin, 0.0f);
            std::fill(row + end, row + keys, 0.0f);
            lse.as<float>()[(sample_first + first + i) * shape.heads + head] = most + std::log(sums[i]);
        }
        kernels.product({rows, HD, keys, scratch.scores, scratch.score_row, 1, scratch.v + (from - low) * HD, HD, outputs.at(first),
                         outputs.row, false});
        for (int64_t i = 0; i < rows; ++i) kernels.scale(outputs.at(first + i), 1 / sums[i], HD);
    }
};

/// One task of the backward pass: a kv head of one sample, with all heads that read it.
struct BackwardTask {
    const ThreadPool& pool;
    const VectorKernels& kernels;
    const AttentionShape& shape;
    const View &dout, &q, &k, &v, &out, &lse, &dq, &dk, &dv, &delta;
    int64_t sample_first, length, kv_head;

    void run(const BackwardScratch& scratch) const {
        const int64_t HD = shape.head_size, group = shape.heads / shape.kv_heads, first_head = kv_head * group;
        for (int64_t head = first_head; head < first_head + group; ++head) prepare(head);
        for (int64_t key = 0; key < length; key += kKeys) {
            pool.check_interrupt();
            const int64_t keys = std::min(kKeys, length - key);
            const HeadRows key_rows(k, sample_first, kv_head, HD), value_rows(v, sample_first, kv_head, HD);
            kernels.transpose(key_rows.at(key), key_rows.row, keys, HD, scratch.k_transposed, scratch.key_row);
            kernels.transpose(value_rows.at(key), value_rows.row, keys, HD, scratch.v_transposed, scratch.key_row);
            copy_rows(kernels, key_rows.at(key), key_rows.row, keys, HD, 1, scratch.k);
            std::memset(scratch.dk, 0, static_cast<size_t>(keys * HD) * sizeof(float));
            std::memset(scratch.dv, 0, static_cast<size_t>(keys * HD) * sizeof(float));
            // Queries before the key do not see it, nor do those that it has left the window of.
            const int64_t end = shape.window > 0 ? std::min(length, key + keys - 1 + shape.window) : length;
            for (int64_t head = first_head; head < first_head + group; ++head)
                for (int64_t query = key; query < end; query += kQueries)
                    block(scratch, head, key, keys, query, std::min(kQueries, end - query));
            for (int64_t j = 0; j < keys; ++j) {
                std::memcpy(HeadRows(dk, sample_first, kv_head, HD).at(key + j), scratch.dk + j * HD,
                            static_cast<size_t>(HD) * sizeof(float));
                std::memcpy(HeadRows(dv, sample_first, kv_head, HD).at(key + j), scratch.dv + j * HD,
                            static_cast<size_t>(HD) * sizeof(float));
            }
        }
        for (int64_t head = first_head; head < first_head + group; ++head)
            for (int64_t t = 0; t < length; ++t) kernels.scale(HeadRows(dq, sample_first, head, HD).at(t), shape.scale, HD);
    }

    /// delta, and dq = 0 to add to.
    void prepare(int64_t head) const {
        const int64_t HD = shape.head_size;
        const HeadRows outputs(out, sample_first, head, HD), gradients(dout, sample_first, head, HD), queries(dq, sample_first, head, HD);
        for (int64_t t = 0; t < length; ++t) {
            kernels.dots(outputs.at(t), gradients.at(t), HD, 1, HD, delta.as<float>() + (sample_first + t) * shape.heads + head);
            std::memset(queries.at(t), 0, static_cast<size_t>(HD) * sizeof(float));
        }
    }

    /// What queries [first, first + rows) and keys [key, key + keys) have with each other.
    void block(const BackwardScratch& s, int64_t head, int64_t key, int64_t keys, int64_t first, int64_t rows) const {
        const int64_t HD = shape.head_size, seen = std::min(keys, first + rows - key);
        const HeadRows queries(q, sample_first, head, HD), outputs(dout, sample_first, head, HD), dqueries(dq, sample_first, head, HD);
        copy_rows(kernels, queries.at(first), queries.row, rows, HD, shape.scale, s.q);
        copy_rows(kernels, outputs.at(first), outputs.row, rows, HD, 1, s.dout);
        kernels.product({rows, seen, HD, s.q, HD, 1, s.k_transposed, s.key_row, s.p, s.score_row, false});
        kernels.product({rows, seen, HD, s.dout, HD, 1, s.v_transposed, s.key_row, s.ds, s.score_row, false});
        for (int64_t i = 0; i < rows; ++i) {
            const int64_t begin = std::clamp<int64_t>(first_key(shape, first + i) - key, 0, seen);
            const int64_t end = std::clamp<int64_t>(first + i + 1 - key, begin, seen);
            const int64_t at = (sample_first + first + i) * shape.heads + head;
            float *p = s.p + i * s.score_row, *ds = s.ds + i * s.score_row;
            const float log_sum = lse.as<float>()[at], own = delta.as<float>()[at];
            if (shape.cap != 0)
                kernels.capped_attention_backward_row(p + begin, ds + begin, log_sum, own, shape.cap, end - begin);
            else
                kernels.attention_backward_row(p + begin, ds + begin, log_sum, own, end - begin);
            for (float* row : {p, ds}) {
                std::fill(row, row + begin, 0.0f);
                std::fill(row + end, row + seen, 0.0f);
            }
        }
        kernels.product({seen, HD, rows, s.p, 1, s.score_row, s.dout, HD, s.dv, HD, true});
        kernels.product({seen, HD, rows, s.ds, 1, s.score_row, s.q, HD, s.dk, HD, true});  // s.q holds the scale
        kernels.product({rows, HD, seen, s.ds, s.score_row, 1, s.k, HD, dqueries.at(first), dqueries.row, true});
    }
};

void check_offsets(const Check& check, const View& offsets, int64_t longest, int64_t T) {
    check.that(offsets.count() >= 1, "offsets", "B+1 elements", offsets.count());
    check.vector("offsets", offsets, DType::I32, offsets.count());
    const int32_t* offset = offsets.as<int32_t>();
    const int64_t B = offsets.count() - 1;
    check.that(offset[0] == 0, "offsets[0]", "0", offset[0]);
    check.that(offset[B] == T, "offsets[B]", "T", offset[B]);
    for (int64_t s = 0; s < B; ++s) {
        const int64_t length = int64_t{offset[s + 1]} - offset[s];
        check.that(length >= 0 && length <= longest, "offsets", "samples of 0 to `longest` rows", length);
    }
}

}  // namespace

int64_t attention_workspace_bytes(int32_t threads, const WorkspaceNeed& need) {
    const int64_t group = need.kv_heads > 0 ? need.heads / need.kv_heads : 0;
    return threads * std::max({ForwardScratch::bytes(need.longest_sample, need.head_size), BackwardScratch::bytes(need.head_size),
                               decode_scratch_bytes(group, need.cache_capacity)});
}

void attention_forward(Stream& stream, View q, View k, View v, View offsets, int64_t longest, const AttentionShape& shape, View out,
                       View lse) {
    const int64_t T = q.rows, B = offsets.count() - 1;
    const Check check("attention_forward");
    check_attention_shape(check, shape);
    check.matrix("q", q, DType::F32, T, shape.heads * shape.head_size);
    check.matrix("k", k, DType::F32, T, shape.kv_heads * shape.head_size);
    check.matrix("v", v, DType::F32, T, shape.kv_heads * shape.head_size);
    check.matrix("out", out, DType::F32, T, shape.heads * shape.head_size);
    check.matrix("lse", lse, DType::F32, T, shape.heads);
    check_offsets(check, offsets, longest, T);
    const int64_t bytes = ForwardScratch::bytes(longest, shape.head_size);
    require_workspace("attention_forward", stream, pool(stream).threads(), bytes);

    const VectorKernels& kernels = vector_kernels();
    const int64_t runs = (longest + kQueryRun - 1) / kQueryRun;
    pool(stream).parallel_for(B * shape.kv_heads * runs, [&](int64_t task, int32_t worker) {
        const int64_t sample = task / (shape.kv_heads * runs), kv_head = task / runs % shape.kv_heads, first = task % runs * kQueryRun;
        const int64_t begin = offsets.as<int32_t>()[sample], length = offsets.as<int32_t>()[sample + 1] - begin;
        if (first >= length) return;
        const ForwardTask forward{pool(stream), kernels, shape, q, k, v, out, lse, begin, first, std::min(length, first + kQueryRun),
                                  kv_head};
        forward.run(ForwardScratch(Scratch(stream, worker, bytes), longest, shape.head_size));
    });
}

void attention_backward(Stream& stream, View dout, View q, View k, View v, View out, View lse, View offsets, int64_t longest,
                        const AttentionShape& shape, View dq, View dk, View dv, View delta) {
    const int64_t T = q.rows, B = offsets.count() - 1;
    const Check check("attention_backward");
    check_attention_shape(check, shape);
    const int64_t wide = shape.heads * shape.head_size, narrow = shape.kv_heads * shape.head_size;
    check.matrix("dout", dout, DType::F32, T, wide);
    check.matrix("q", q, DType::F32, T, wide);
    check.matrix("k", k, DType::F32, T, narrow);
    check.matrix("v", v, DType::F32, T, narrow);
    check.matrix("out", out, DType::F32, T, wide);
    check.matrix("lse", lse, DType::F32, T, shape.heads);
    check.matrix("dq", dq, DType::F32, T, wide);
    check.matrix("dk", dk, DType::F32, T, narrow);
    check.matrix("dv", dv, DType::F32, T, narrow);
    check.matrix("delta", delta, DType::F32, T, shape.heads);
    check_offsets(check, offsets, longest, T);
    const int64_t bytes = BackwardScratch::bytes(shape.head_size);
    require_workspace("attention_backward", stream, pool(stream).threads(), bytes);

    const VectorKernels& kernels = vector_kernels();
    pool(stream).parallel_for(B * shape.kv_heads, [&](int64_t task, int32_t worker) {
        const int64_t sample = task / shape.kv_heads, begin = offsets.as<int32_t>()[sample];
        const int64_t length = offsets.as<int32_t>()[sample + 1] - begin;
        const BackwardTask backward{pool(stream), kernels, shape, dout, q,     k,     v,      out,
                                    lse,          dq,      dk,    dv,   delta, begin, length, task % shape.kv_heads};
        backward.run(BackwardScratch(Scratch(stream, worker, bytes), shape.head_size));
    });
}

}  // namespace vaccine::ops
