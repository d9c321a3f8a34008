#include <algorithm>
#include <numeric>
#include <string>

#include "core/error.h"
#include "model/network.h"

namespace vaccine {

/// Throws before anything has changed.
void Network::check_prompts(const BatchInput& prompts) const {
    const PlanOptions& options = plan_.options();
    require(prompts.samples <= options.decode_samples, "prompts.samples is " + std::to_string(prompts.samples) + ", expected at most " +
                                                           std::to_string(options.decode_samples) + " (the plan's decode_samples)");
    const int64_t longest = batch_.check(prompts).longest;
    require(prompts.labels == nullptr, "prompts.labels is not NULL: prompts have no labels");
    require(longest <= options.decode_capacity, "the longest prompt has " + std::to_string(longest) + " tokens, expected at most " +
                                                    std::to_string(options.decode_capacity) + " (the plan's decode_capacity)");
}

/// The i-th of a call's samples, which ascend below a limit.
int64_t Network::checked_sample(const int32_t* samples, int64_t i, int64_t limit, const char* expected) {
    const int64_t s = samples[i];
    require(s >= (i == 0 ? 0 : samples[i - 1] + 1) && s < limit,
            "samples[" + std::to_string(i) + "] is " + std::to_string(s) + ", expected ascending numbers " + expected);
    return s;
}

void Network::decode_begin(const BatchInput& prompts, const Sampling& sampling, int32_t* out_tokens) {
    check_prompts(prompts);
    lengths_.clear();
    seen_.clear();
    std::vector<int32_t> samples(static_cast<size_t>(prompts.samples));
    std::iota(samples.begin(), samples.end(), 0);
    read_prompts(prompts, samples.data(), sampling, out_tokens);
}

void Network::decode_join(const BatchInput& prompts, const int32_t* samples, const Sampling& sampling, int32_t* out_tokens) {
    require_tokens_in_cache();
    check_prompts(prompts);
    const int64_t most = plan_.options().decode_samples;
    const std::string below = "below " + std::to_string(most) + " (the plan's decode_samples)";
    for (int64_t i = 0; i < prompts.samples; ++i) checked_sample(samples, i, most, below.c_str());
    read_prompts(prompts, samples, sampling, out_tokens);
}

void Network::require_tokens_in_cache() const {
    if (seen_.size() != lengths_.size())
        throw Error(Status::WrongState, "the cache was extended: expected vaccine_decode_begin before the next token");
}

/// Prompts that were checked take their samples' places in the cache.
void Network::read_prompts(const BatchInput& prompts, const int32_t* samples, const Sampling& sampling, int32_t* out_tokens) {
    batch_.load(prompts);
    now_ = {};
    ready_ = false;
    consumed_from_ = 0;
    const int64_t T = batch_.tokens(), B = batch_.samples(), capacity = plan_.options().decode_capacity;
    const auto places = std::max(lengths_.size(), static_cast<size_t>(samples[B - 1]) + 1);
    lengths_.resize(places);
    seen_.resize(places);
    std::vector<int32_t> rows, last;
    decoding_.clear();
    for (int64_t i = 0; i < B; ++i) {
        const int32_t first = prompts.offsets[i], end = prompts.offsets[i + 1];
        const int64_t s = samples[i];
        for (int32_t position = 0; position < end - first; ++position) rows.push_back(static_cast<int32_t>(s * capacity) + position);
        last.push_back(end - 1);
        lengths_[static_cast<size_t>(s)] = end - first;
        decoding_.push_back(s);
        std::vector<int32_t>& seen = seen_[static_cast<size_t>(s)];
        seen.assign(prompts.input_ids + first, prompts.input_ids + end);
        std::sort(seen.begin(), seen.end());
        seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    }
    device_.upload(buffers_.cache_rows.data, rows.data(), T * 4);
    embed(batch_.token_view());
    for (int64_t l = 0; l < shape_.layers; ++l) forward_layer(l, T, Caching::Prefill);
    device_.upload(buffers_.label_rows.data, last.data(), B * 4);
    ops::gather_rows(stream(), residual(shape_.layers, T), buffers_.label_rows.slice(0, B), buffers_.head_in.rows_from(0, B));
    batch_.forget();
    next_tokens(buffers_.head_in.rows_from(0, B), B, sampling, out_tokens);
}

void Network::decode_next(int64_t count, const int32_t* samples, const int32_t* tokens, const Sampling& sampling, int32_t* out_tokens) {
    const int64_t capacity = plan_.options().decode_capacity;
    require_tokens_in_cache();
    require(count >= 1 && count <= static_cast<int64_t>(lengths_.size()),
            "count is " + std::to_string(count) + ", expected 1 to " + std::to_string(lengths_.size()) + " (the samples being decoded)");
    std::vector<int32_t> positions, rows;
    decoding_.clear();
    for (int64_t i = 0; i < count; ++i) {
        const int64_t s = checked_sample(samples, i, static_cast<int64_t>(lengths_.size()), "of samples being decoded");
        require(tokens[i] >= 0 && tokens[i] < shape_.vocabulary, "tokens[" + std::to_string(i) + "] is " + std::to_string(tokens[i]) +
                                                                     ", expected 0 to " + std::to_string(shape_.vocabulary - 1));
        const int64_t position = lengths_[static_cast<size_t>(s)];
        require(position > 0, "sample " + std::to_string(s) + " has no prompt");
        require(position < capacity,
                "sample " + std::to_string(s) + " is full: " + std::to_string(capacity) + " positions (the plan's decode_capacity)");
        positions.push_back(static_cast<int32_t>(position));
        rows.push_back(static_cast<int32_t>(s * capacity + position));
        decoding_.push_back(s);
    }
    now_ = {};  // a forward pass may have come between
    ready_ = false;
    batch_.forget();
    for (int64_t i = 0; i < count; ++i) {
        const auto s = static_cast<size_t>(samples[i]);
        ++lengths_[s];
        const auto at = std::lower_bound(seen_[s].begin(), seen_[s].end(), tokens[i]);
        if (at == seen_[s].end() || *at != tokens[i]) seen_[s].insert(at, tokens[i]);
    }
    std::vector<int32_t> lengths;
    for (const int64_t s : decoding_) lengths.push_back(static_cast<int32_t>(lengths_[static_cast<size_t>(s)]));

    device_.upload(buffers_.tokens.data, tokens, count * 4);
    device_.upload(buffers_.positions.data, positions.data(), count * 4);
    device_.upload(buffers_.cache_rows.data, rows.data(), count * 4);
    device_.upload(buffers_.lengths.data, lengths.data(), count * 4);
    embed(buffers_.tokens.slice(0, count));
    for (int64_t l = 0; l < shape_.layers; ++l) forward_layer(l, count, Caching::Decode);
    next_tokens(residual(shape_.layers, count), count, sampling, out_tokens);
}

/// Throws before anything has changed.
void Network::check_extension(const BatchInput& input, const int32_t* samples, const int32_t* starts) const {
    const PlanOptions& options = plan_.options();
    require(options.decode_samples > 0, "the plan has no KV cache: its decode_samples is 0");
    batch_.check(input);
    const std::string below = "below " + std::to_string(options.decode_samples) + " (the plan's decode_samples)";
    for (int64_t i = 0; i < input.samples; ++i) {
        const int64_t s = checked_sample(samples, i, options.decode_samples, below.c_str());
        const int64_t start = starts[i], end = start + input.offsets[i + 1] - input.offsets[i];
        const int64_t cached = s < static_cast<int64_t>(lengths_.size()) ? lengths_[static_cast<size_t>(s)] : 0;
        require(start >= 0 && start <= cached, "starts[" + std::to_string(i) + "] is " + std::to_string(start) + ", expected 0 to " +
                                                   std::to_string(cached) + ", what the sample has in the cache");
        require(end <= options.decode_capacity, "sample " + std::to_string(s) + " would have " + std::to_string(end) +
                                                    " positions, expected at most " + std::to_string(options.decode_capacity) +
                                                    " (the plan's decode_capacity)");
    }
}

/// Every row is a query of its own against its sample's cache, which ends at the row: rows behind it are there, but not seen.
int64_t Network::decode_extend(const BatchInput& input, const int32_t* samples, const int32_t* starts) {
    check_extension(input, samples, starts);
    const PlanOptions& options = plan_.options();
    std::vector<int32_t> positions, rows, lengths;
    lengths_.resize(static_cast<size_t>(options.decode_samples));
    seen_.clear();  // decode_next has no tokens to penalize any more, and wants a new beginning
    decoding_.clear();
    for (int64_t i = 0; i < input.samples; ++i) {
        const int32_t length = input.offsets[i + 1] - input.offsets[i];
        for (int32_t position = starts[i]; position < starts[i] + length; ++position) {
            positions.push_back(position);
            rows.push_back(static_cast<int32_t>(samples[i] * options.decode_capacity) + position);
            lengths.push_back(position + 1);
            decoding_.push_back(samples[i]);
        }
        lengths_[static_cast<size_t>(samples[i])] = starts[i] + length;
    }
    now_ = {};
    heads_ = grouped({{shape_.layers, LossKind::Labels, 1, 1, -1}});
    ready_ = false;
    resident_first_ = -1;
    consumed_from_ = 0;
    batch_.load(input);
    const int64_t T = batch_.tokens();
    device_.upload(buffers_.positions.data, positions.data(), T * 4);
    device_.upload(buffers_.cache_rows.data, rows.data(), T * 4);
    device_.upload(buffers_.lengths.data, lengths.data(), T * 4);
    embed(batch_.token_view());
    for (int64_t l = 0; l < shape_.layers; ++l) forward_layer(l, T, Caching::Decode);
    forward_heads();
    extended_ = true;
    return batch_.labels();
}

void Network::cache_layer(int64_t l, View k, View v) {
    const View rows = buffers_.cache_rows.slice(0, k.rows);
    ops::scatter_rows(stream(), k, rows, buffers_.k_cache[static_cast<size_t>(l)]);
    ops::scatter_rows(stream(), v, rows, buffers_.v_cache[static_cast<size_t>(l)]);
}

/// Samples that are done leave gaps; each run of neighbours is one call.
void Network::attend_cache(int64_t l, View q, View out) {
    const int64_t capacity = plan_.options().decode_capacity, T = q.rows;
    for (int64_t first = 0; first < T;) {
        int64_t n = 1;
        while (first + n < T && decoding_[static_cast<size_t>(first + n)] == decoding_[static_cast<size_t>(first)] + n) ++n;
        const int64_t row = decoding_[static_cast<size_t>(first)] * capacity;
        ops::attention_decode(stream(), q.rows_from(first, n), buffers_.k_cache[static_cast<size_t>(l)].rows_from(row, n * capacity),
                              buffers_.v_cache[static_cast<size_t>(l)].rows_from(row, n * capacity), buffers_.lengths.slice(first, n),
                              capacity, attention_shape(l), out.rows_from(first, n));
        first += n;
    }
}

void Network::upload_seen() {
    std::vector<int32_t> tokens, offsets{0};
    for (const int64_t s : decoding_) {
        const std::vector<int32_t>& of_sample = seen_[static_cast<size_t>(s)];
        tokens.insert(tokens.end(), of_sample.begin(), of_sample.end());
        offsets.push_back(static_cast<int32_t>(tokens.size()));
    }
    device_.upload(buffers_.seen_tokens.data, tokens.data(), static_cast<int64_t>(tokens.size()) * 4);
    device_.upload(buffers_.seen_offsets.data, offsets.data(), static_cast<int64_t>(offsets.size()) * 4);
}

void Network::next_tokens(View rows, int64_t count, const Sampling& sampling, int32_t* out_tokens) {
    const bool penalizes = sampling.repetition_penalty != 1;
    if (penalizes) upload_seen();
    for (int64_t first = 0; first < count; first += plan_.head_rows()) {
        const int64_t n = std::min(plan_.head_rows(), count - first);
        const View normed = buffers_.head_normed.rows_from(0, n);
        normalize(rows.rows_from(first, n), TensorKind::FinalNorm, -1, normed, buffers_.head_rstd.slice(0, n));
        const View logits = logits_of(normed, buffers_.logits), out = buffers_.next_tokens.slice(first, n);
        if (penalizes)
            ops::penalize_repetition(stream(), logits, buffers_.seen_tokens, buffers_.seen_offsets.slice(first, n + 1),
                                     sampling.repetition_penalty);
        if (sampling.temperature <= 0) {
            ops::argmax_rows(stream(), logits, out);
            continue;
        }
        for (int64_t i = 0; i < n; ++i) {  // each draw is keyed by its sample and position, not by its place in the batch
            const int64_t s = decoding_[static_cast<size_t>(first + i)];
            const bool has_own = sampling.seeds != nullptr;
            const RandomKey key{has_own ? sampling.seeds[s] : sampling.seed, static_cast<uint32_t>(lengths_[static_cast<size_t>(s)]),
                                random_purpose(RandomUse::Sampling, 0, has_own ? 0 : static_cast<uint32_t>(s), 0)};
            ops::sample_rows(stream(), logits.rows_from(i, 1), sampling.temperature, sampling.top_k, sampling.top_p, key, out.slice(i, 1));
        }
    }
    device_.download(out_tokens, buffers_.next_tokens.data, count * 4);
}

}  // namespace vaccine
