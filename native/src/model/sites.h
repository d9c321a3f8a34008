#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/device.h"
#include "model/packed_batch.h"
#include "model/plan.h"

namespace vaccine {

/// One float tensor (tokens x hidden) for each of some layers. The layers held lie one behind another, so that a verb over all of them is
/// one op on one view.
class SiteTensor {
public:
    SiteTensor(View storage, int64_t points, int64_t most_layers, int64_t hidden)
        : storage_(storage), place_(static_cast<size_t>(points), -1), most_(most_layers), hidden_(hidden) {}

    /// Chooses the layers to hold; mask has one byte a layer (or residual point).
    void select(const uint8_t* mask);
    /// How many rows each layer has from now on; contents are undefined where that changes.
    void set_tokens(int64_t tokens) { tokens_ = tokens; }

    int64_t tokens() const { return tokens_; }
    int64_t points() const { return static_cast<int64_t>(place_.size()); }
    bool holds(int64_t layer) const { return place_[static_cast<size_t>(layer)] >= 0; }
    int64_t lowest() const;
    View layer(int64_t l) const { return whole_rows(place_[static_cast<size_t>(l)], 1); }
    /// All layers held, as one matrix.
    View whole() const { return whole_rows(0, held_); }
    View storage() const { return storage_; }

private:
    View whole_rows(int64_t place, int64_t layers) const {
        return {storage_.as<float>() + place * tokens_ * hidden_, DType::F32, layers * tokens_, hidden_};
    }

    View storage_;
    std::vector<int64_t> place_;
    int64_t most_, hidden_, held_ = 0, tokens_ = 0;
};

/// The site tensors of a session and the verbs on them (docs/engine.md, "Site tensors").
class Sites {
public:
    Sites(Device& device, const Plan& plan, const Buffers& buffers);

    /// Throws where the plan has no such tensor.
    SiteTensor& get(int kind, int index);
    /// The tensor of that index where one is given (not -1) and holds this layer; else null.
    SiteTensor* holding(int kind, int index, int64_t layer);

    void fill_normal(SiteTensor& x, int kind, int64_t tokens, float deviation, uint64_t seed, uint32_t step);
    /// Rows that have 0 in `rows` (a byte for each) become zero in every layer held.
    void mask_rows(SiteTensor& x, const uint8_t* rows);
    void axpy(int kind, float alpha, int x, int y);
    void dot(int kind, int x, int y, View scalar);
    /// Squares of norms into scalars first + layer, and of all together into first + points.
    void norms(const SiteTensor& x, int64_t first_scalar);
    /// Products of the samples of `batch` (ops::gram) on each layer that both hold, ascending: `count` doubles. Waits.
    void gram(int kind, int x, int y, const PackedBatch& batch, int64_t count, double* out);
    /// y += combinations of x's samples (ops::add_combination), with coefficients in the order of gram.
    void add_combination(int kind, int x, int y, const PackedBatch& batch, int64_t count, const double* coefficients);
    View scalar(int64_t index) const;
    /// `count` scalars from `first` must exist.
    View scalars(int64_t first, int64_t count) const;

private:
    /// Layers that both hold, ascending. Throws unless both have the same number of rows.
    std::vector<int64_t> common_layers(int kind, int x, int y);
    /// Walks through a matrix (samples x samples) for each layer that both hold, as many rows at a time as there are scratch scalars for:
    /// f(layer, offsets of the rows' samples, scratch (rows, samples), the first row's place in the caller's `count` doubles).
    template <class F> void for_sample_rows(int kind, int x, int y, const PackedBatch& batch, int64_t count, F f);

    Device& device_;
    const Plan& plan_;
    const Buffers& buffers_;
    std::array<std::vector<SiteTensor>, kSites> tensors_;
};

}  // namespace vaccine
