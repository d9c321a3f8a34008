#pragma once
#include <cstdint>
#include <vector>

#include "core/device.h"
#include "model/plan.h"

namespace vaccine {

/// Borrowed from the caller: samples one after another, labels unshifted (see vaccine_batch).
struct BatchInput {
    int64_t tokens = 0, samples = 0;
    const int32_t* input_ids = nullptr;
    const int32_t* labels = nullptr;
    const int32_t* offsets = nullptr;
};

/// The batch that the engine works on: checked, with positions and labelled rows worked out, in the device's memory.
class PackedBatch {
public:
    PackedBatch(Device& device, const Plan& plan, const Buffers& buffers) : device_(device), plan_(plan), buffers_(buffers) {}

    struct Extent {
        int64_t longest = 0, labels = 0;
    };
    /// Of a batch that the plan has room for; throws at any other.
    Extent check(const BatchInput& input) const;
    /// Throws before anything has changed.
    void load(const BatchInput& input);
    /// No batch: what a pass has left in the buffers is not to be read any more.
    void forget();

    int64_t tokens() const { return tokens_; }
    int64_t samples() const { return samples_; }
    int64_t longest() const { return extent_.longest; }
    /// Rows whose next token is a label.
    int64_t labels() const { return extent_.labels; }
    const std::vector<int32_t>& offsets() const { return offsets_; }

    View token_view() const { return buffers_.tokens.slice(0, tokens_); }
    View position_view() const { return buffers_.positions.slice(0, tokens_); }
    View offset_view() const { return buffers_.offsets.slice(0, samples_ + 1); }
    View label_row_view() const { return buffers_.label_rows.slice(0, labels()); }
    View target_view() const { return buffers_.targets.slice(0, labels()); }

private:
    Device& device_;
    const Plan& plan_;
    const Buffers& buffers_;
    int64_t tokens_ = 0, samples_ = 0;
    Extent extent_;
    std::vector<int32_t> offsets_;
};

}  // namespace vaccine
