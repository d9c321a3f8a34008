#include <algorithm>
#include <cmath>

#include "ops/checks.h"
#include "ops/cpu/pool.h"
#include "ops/cpu/ranges.h"
#include "ops/cpu/sampling_workspace.h"
#include "ops/cpu/scratch.h"
#include "ops/ops.h"

namespace vaccine::ops {
namespace {

int64_t scratch_bytes(int64_t V) {
    return Scratch::bytes_of<double>(V) + Scratch::bytes_of<int32_t>(V);
}

/// The first, where there are several; a NaN's only where there is nothing else.
int64_t index_of_largest(const float* row, int64_t V) {
    int64_t best = 0;
    for (int64_t v = 1; v < V; ++v)
        if (row[v] > row[best] || (std::isnan(row[best]) && !std::isnan(row[v]))) best = v;
    return best;
}

struct Choice {
    float temperature;
    int32_t top_k;
    float top_p;
};

/// The candidates, most probable first where a restriction asks for an order, ties by index; returns how many are left.
int64_t restrict_candidates(const Choice& choice, const double* weight, int32_t* candidate, int64_t V) {
    const bool by_rank = choice.top_k > 0 && choice.top_k < V, by_mass = choice.top_p < 1;
    int64_t count = V;
    const auto before = [&](int32_t a, int32_t b) { return weight[a] != weight[b] ? weight[a] > weight[b] : a < b; };
    if (by_rank) {
        count = choice.top_k;
        std::nth_element(candidate, candidate + count, candidate + V, before);
    }
    if (by_mass || by_rank) std::sort(candidate, candidate + count, before);
    if (!by_mass) return count;

    double total = 0, reached = 0;
    for (int64_t i = 0; i < count; ++i) total += weight[candidate[i]];
    for (int64_t i = 0; i < count; ++i) {
        reached += weight[candidate[i]];
        if (reached >= static_cast<double>(choice.top_p) * total) return i + 1;
    }
    return count;
}

int32_t sample_row(const float* row, int64_t V, const Choice& choice, float uniform, double* weight, int32_t* candidate) {
    const double most = row[index_of_largest(row, V)];
    for (int64_t i = 0; i < V; ++i) {
        weight[i] = row[i] == most ? 1 : std::exp((row[i] - most) / static_cast<double>(choice.temperature));
        if (std::isnan(weight[i])) weight[i] = 0;  // a NaN is never drawn, and may not break the order of the sort
        candidate[i] = static_cast<int32_t>(i);
    }
    const int64_t count = restrict_candidates(choice, weight, candidate, V);
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += weight[candidate[i]];
    const double wanted = static_cast<double>(uniform) * total;
    double reached = 0;
    int32_t last = candidate[0];
    for (int64_t i = 0; i < count; ++i) {
        if (weight[candidate[i]] == 0) continue;
        last = candidate[i];
        reached += weight[last];
        if (reached > wanted) break;
    }
    return last;
}

}  // namespace

int64_t sampling_workspace_bytes(int32_t threads, const WorkspaceNeed& need) {
    return threads * scratch_bytes(need.largest_width);
}

void argmax_rows(Stream& stream, View logits, View out) {
    const int64_t N = logits.rows, V = logits.columns;
    check_argmax(Check("argmax_rows"), logits, out);
    for_rows(stream, N, V, 1, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n) out.as<int32_t>()[n] = static_cast<int32_t>(index_of_largest(logits.as<float>() + n * V, V));
    });
}

void penalize_repetition(Stream& stream, View logits, View tokens, View offsets, float penalty) {
    const int64_t N = logits.rows, V = logits.columns;
    const Check check("penalize_repetition");
    check_repetition(check, logits, tokens, offsets, penalty);
    const int32_t* offset = offsets.as<int32_t>();
    for (int64_t n = 0; n < N; ++n)
        check.that(offset[n] >= 0 && offset[n + 1] >= offset[n] && offset[n + 1] <= tokens.count(), "offsets", "ascending places in tokens",
                   offset[n + 1]);
    for_rows(stream, N, V, 1, [&](int64_t first, int64_t last) {
        for (int64_t n = first; n < last; ++n)
            for (int32_t i = offset[n]; i < offset[n + 1]; ++i) {
                const int32_t token = tokens.as<int32_t>()[i];
                check.that(token >= 0 && token < V, "tokens", "tokens of the vocabulary", token);
                float& logit = logits.as<float>()[n * V + token];
                logit = logit < 0 ? logit * penalty : logit / penalty;
            }
    });
}

void sample_rows(Stream& stream, View logits, float temperature, int32_t top_k, float top_p, const RandomKey& key, View out) {
    const int64_t N = logits.rows, V = logits.columns;
    check_sampling(Check("sample_rows"), logits, temperature, top_k, top_p, out);
    require_workspace("sample_rows", stream, pool(stream).threads(), scratch_bytes(V));

    pool(stream).parallel_for(N, [&](int64_t n, int32_t worker) {
        Scratch scratch(stream, worker, scratch_bytes(V));
        double* weight = scratch.take<double>(V);
        int32_t* candidate = scratch.take<int32_t>(V);
        const RandomBlock block = random_block(key, static_cast<uint64_t>(n / 4));
        out.as<int32_t>()[n] =
            sample_row(logits.as<float>() + n * V, V, {temperature, top_k, top_p}, random_uniform(block.word[n % 4]), weight, candidate);
    });
}

}  // namespace vaccine::ops
