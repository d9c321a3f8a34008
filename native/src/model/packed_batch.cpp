#include "model/packed_batch.h"

#include <algorithm>
#include <string>

#include "core/error.h"

namespace vaccine {
namespace {

constexpr int32_t kIgnored = -100;

/// Whether token i, which does not begin a sample, is to be predicted.
bool is_label(const BatchInput& in, int32_t i) {
    return in.labels != nullptr && in.labels[i] != kIgnored;
}

std::string quantity(const char* name, int64_t value, const char* limit, int64_t most) {
    return std::string(name) + " is " + std::to_string(value) + ", expected 1 to " + std::to_string(most) + " (the plan's " + limit + ")";
}

}  // namespace

PackedBatch::Extent PackedBatch::check(const BatchInput& in) const {
    const PlanOptions& o = plan_.options();
    require(in.tokens >= 1 && in.tokens <= o.max_tokens, quantity("batch.tokens", in.tokens, "max_tokens", o.max_tokens));
    require(in.samples >= 1 && in.samples <= o.max_samples, quantity("batch.samples", in.samples, "max_samples", o.max_samples));
    require(in.input_ids != nullptr && in.offsets != nullptr, "batch.input_ids and batch.offsets must not be NULL");
    require(in.offsets[0] == 0 && in.offsets[in.samples] == in.tokens, "batch.offsets must go from 0 to batch.tokens");
    Extent extent;
    for (int64_t s = 0; s < in.samples; ++s) {
        const int64_t length = int64_t{in.offsets[s + 1]} - in.offsets[s];
        extent.longest = std::max(extent.longest, length);
        require(length >= 1 && length <= o.longest_sample,
                quantity(("length of sample " + std::to_string(s)).c_str(), length, "longest_sample", o.longest_sample));
    }
    const auto in_vocabulary = [&](int32_t id) { return id >= 0 && id < plan_.shape().vocabulary; };
    for (int64_t i = 0; i < in.tokens; ++i) {
        require(in_vocabulary(in.input_ids[i]), "batch.input_ids[" + std::to_string(i) + "] is " + std::to_string(in.input_ids[i]) +
                                                    ", expected 0 to " + std::to_string(plan_.shape().vocabulary - 1));
        require(in.labels == nullptr || in.labels[i] == kIgnored || in_vocabulary(in.labels[i]),
                "batch.labels[" + std::to_string(i) + "] is neither -100 nor a token of the vocabulary");
    }
    for (int64_t s = 0; s < in.samples; ++s)
        for (int32_t i = in.offsets[s] + 1; i < in.offsets[s + 1]; ++i) extent.labels += is_label(in, i);
    return extent;
}

void PackedBatch::load(const BatchInput& in) {
    extent_ = check(in);
    tokens_ = in.tokens;
    samples_ = in.samples;
    offsets_.assign(in.offsets, in.offsets + in.samples + 1);

    std::vector<int32_t> positions(static_cast<size_t>(in.tokens)), rows, targets;
    for (int64_t s = 0; s < in.samples; ++s) {
        const int32_t first = offsets_[s], end = offsets_[s + 1];
        for (int32_t i = first; i < end; ++i) {
            positions[static_cast<size_t>(i)] = i - first;
            if (i == first || !is_label(in, i)) continue;
            rows.push_back(i - 1);  // the row before predicts this token
            targets.push_back(in.labels[i]);
        }
    }

    const auto upload = [&](const View& to, const int32_t* from, int64_t n) {
        if (n > 0) device_.upload(to.data, from, n * 4);
    };
    upload(buffers_.tokens, in.input_ids, tokens_);
    upload(buffers_.positions, positions.data(), tokens_);
    upload(buffers_.offsets, offsets_.data(), samples_ + 1);
    upload(buffers_.label_rows, rows.data(), labels());
    upload(buffers_.targets, targets.data(), labels());
}

void PackedBatch::forget() {
    tokens_ = samples_ = 0;
    extent_ = {};
    offsets_.clear();
}

}  // namespace vaccine
