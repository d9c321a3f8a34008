#include "model/sites.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "ops/ops.h"

namespace vaccine {

void SiteTensor::select(const uint8_t* mask) {
    int64_t chosen = 0;
    for (size_t l = 0; l < place_.size(); ++l) chosen += mask[l] != 0;
    require(chosen <= most_,
            "layers chooses " + std::to_string(chosen) + ", expected at most " + std::to_string(most_) + " (the plan's site_layers)");
    held_ = 0;
    for (size_t l = 0; l < place_.size(); ++l) place_[l] = mask[l] != 0 ? held_++ : -1;
}

int64_t SiteTensor::lowest() const {
    for (int64_t l = 0; l < points(); ++l)
        if (holds(l)) return l;
    return points();
}

Sites::Sites(Device& device, const Plan& plan, const Buffers& buffers) : device_(device), plan_(plan), buffers_(buffers) {
    for (int k = 0; k < kSites; ++k)
        for (const View& storage : buffers.sites[k])
            tensors_[k].emplace_back(storage, plan.shape().layers + (k == ResidualSite), plan.options().site_layers[k],
                                     plan.shape().hidden);
}

SiteTensor& Sites::get(int kind, int index) {
    require(kind >= 0 && kind < kSites, "kind is " + std::to_string(kind) + ", expected 0 to " + std::to_string(kSites - 1));
    auto& of_kind = tensors_[kind];
    require(index >= 0 && index < static_cast<int>(of_kind.size()), "site is " + std::to_string(index) + ", and the plan has " +
                                                                        std::to_string(of_kind.size()) + " site tensors of kind " +
                                                                        std::to_string(kind));
    return of_kind[static_cast<size_t>(index)];
}

SiteTensor* Sites::holding(int kind, int index, int64_t layer) {
    if (index < 0) return nullptr;
    SiteTensor& tensor = get(kind, index);
    return tensor.holds(layer) ? &tensor : nullptr;
}

View Sites::scalar(int64_t index) const {
    return scalars(index, 1);
}

View Sites::scalars(int64_t first, int64_t count) const {
    require(first >= 0 && count >= 0 && first + count <= buffers_.scalars.count(),
            "scalars " + std::to_string(first) + " to " + std::to_string(first + count - 1) + ", expected within 0 to " +
                std::to_string(buffers_.scalars.count() - 1));
    return buffers_.scalars.slice(first, count);
}

void Sites::fill_normal(SiteTensor& x, int kind, int64_t tokens, float deviation, uint64_t seed, uint32_t step) {
    require(tokens >= 1 && tokens <= plan_.options().max_tokens, "tokens is " + std::to_string(tokens) + ", expected 1 to " +
                                                                     std::to_string(plan_.options().max_tokens) +
                                                                     " (the plan's max_tokens)");
    x.set_tokens(tokens);
    for (int64_t l = 0; l < x.points(); ++l) {
        if (!x.holds(l)) continue;
        const RandomKey key{seed, step, random_purpose(RandomUse::SiteNoise, 0, static_cast<uint32_t>(l), static_cast<uint32_t>(kind))};
        ops::fill_normal(device_.stream(), x.layer(l), deviation, key);
    }
}

std::vector<int64_t> Sites::common_layers(int kind, int x_index, int y_index) {
    SiteTensor &x = get(kind, x_index), &y = get(kind, y_index);
    require(x.tokens() == y.tokens(), "site tensors have " + std::to_string(x.tokens()) + " and " + std::to_string(y.tokens()) + " tokens");
    std::vector<int64_t> layers;
    for (int64_t l = 0; l < x.points(); ++l)
        if (x.holds(l) && y.holds(l)) layers.push_back(l);
    return layers;
}

void Sites::mask_rows(SiteTensor& x, const uint8_t* rows) {
    // Masks are of few runs: a sample's prompt, or its answer.
    for (int64_t first = 0, end; first < x.tokens(); first = end) {
        for (end = first + 1; end < x.tokens() && (rows[end] != 0) == (rows[first] != 0);) ++end;
        if (rows[first] != 0) continue;
        for (int64_t l = 0; l < x.points(); ++l)
            if (x.holds(l)) ops::fill_zero(device_.stream(), x.layer(l).rows_from(first, end - first));
    }
}

void Sites::axpy(int kind, float alpha, int x, int y) {
    for (const int64_t l : common_layers(kind, x, y)) ops::axpy(device_.stream(), alpha, get(kind, x).layer(l), get(kind, y).layer(l));
}

void Sites::dot(int kind, int x, int y, View out) {
    int64_t used = 0;
    for (const int64_t l : common_layers(kind, x, y))
        ops::dot(device_.stream(), get(kind, x).layer(l), get(kind, y).layer(l), buffers_.scratch_scalars.slice(used++, 1));
    if (used == 0) return ops::fill_zero(device_.stream(), out);
    ops::sum(device_.stream(), buffers_.scratch_scalars.slice(0, used), out);
}

template <class F> void Sites::for_sample_rows(int kind, int x, int y, const PackedBatch& batch, int64_t count, F f) {
    const std::vector<int64_t> layers = common_layers(kind, x, y);
    const int64_t B = batch.samples(), tokens = get(kind, x).tokens();
    require(tokens == batch.tokens(), "the site tensors have " + std::to_string(tokens) + " tokens, expected " +
                                          std::to_string(batch.tokens()) + " as the batch of the last pass");
    const int64_t expected = static_cast<int64_t>(layers.size()) * B * B;
    require(count == expected, "count is " + std::to_string(count) + ", expected " + std::to_string(expected) +
                                   " (layers that both hold * samples * samples)");
    if (B == 0) return;
    const int64_t most = std::min(B, buffers_.scratch_scalars.count() / B);
    int64_t place = 0;
    for (const int64_t l : layers)
        for (int64_t first = 0; first < B; first += most) {
            const int64_t rows = std::min(most, B - first);
            View scratch = buffers_.scratch_scalars.slice(0, rows * B);
            scratch.rows = rows;
            scratch.columns = B;
            f(l, batch.offset_view().slice(first, rows + 1), scratch, place);
            place += rows * B;
        }
}

void Sites::gram(int kind, int x, int y, const PackedBatch& batch, int64_t count, double* out) {
    for_sample_rows(kind, x, y, batch, count, [&](int64_t l, View offsets, View scratch, int64_t place) {
        ops::gram(device_.stream(), get(kind, x).layer(l), offsets, get(kind, y).layer(l), batch.offset_view(), batch.longest(), scratch);
        device_.download(out + place, scratch.data, scratch.bytes());
    });
}

void Sites::add_combination(int kind, int x, int y, const PackedBatch& batch, int64_t count, const double* coefficients) {
    require(x != y, "x and y are the same site tensor");
    for_sample_rows(kind, x, y, batch, count, [&](int64_t l, View offsets, View scratch, int64_t place) {
        device_.upload(scratch.data, coefficients + place, scratch.bytes());
        ops::add_combination(device_.stream(), get(kind, x).layer(l), batch.offset_view(), scratch, get(kind, y).layer(l), offsets,
                             batch.longest());
    });
}

void Sites::norms(const SiteTensor& x, int64_t first_scalar) {
    const View out = scalars(first_scalar, x.points() + 1);
    ops::fill_zero(device_.stream(), out);
    for (int64_t l = 0; l < x.points(); ++l)
        if (x.holds(l)) ops::sum_of_squares(device_.stream(), x.layer(l), out.slice(l, 1));
    ops::sum(device_.stream(), out.slice(0, x.points()), out.slice(x.points(), 1));
}

}  // namespace vaccine
