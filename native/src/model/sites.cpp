#include "model/sites.h"

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

void Sites::axpy(int kind, float alpha, int x_index, int y_index) {
    SiteTensor &x = get(kind, x_index), &y = get(kind, y_index);
    require(x.tokens() == y.tokens(), "site tensors have " + std::to_string(x.tokens()) + " and " + std::to_string(y.tokens()) + " tokens");
    for (int64_t l = 0; l < x.points(); ++l)
        if (x.holds(l) && y.holds(l)) ops::axpy(device_.stream(), alpha, x.layer(l), y.layer(l));
}

void Sites::dot(int kind, int x_index, int y_index, View out) {
    SiteTensor &x = get(kind, x_index), &y = get(kind, y_index);
    require(x.tokens() == y.tokens(), "site tensors have " + std::to_string(x.tokens()) + " and " + std::to_string(y.tokens()) + " tokens");
    int64_t used = 0;
    for (int64_t l = 0; l < x.points(); ++l)
        if (x.holds(l) && y.holds(l)) ops::dot(device_.stream(), x.layer(l), y.layer(l), buffers_.scratch_scalars.slice(used++, 1));
    if (used == 0) return ops::fill_zero(device_.stream(), out);
    ops::sum(device_.stream(), buffers_.scratch_scalars.slice(0, used), out);
}

void Sites::norms(const SiteTensor& x, int64_t first_scalar) {
    const View out = scalars(first_scalar, x.points() + 1);
    ops::fill_zero(device_.stream(), out);
    for (int64_t l = 0; l < x.points(); ++l)
        if (x.holds(l)) ops::sum_of_squares(device_.stream(), x.layer(l), out.slice(l, 1));
    ops::sum(device_.stream(), out.slice(0, x.points()), out.slice(x.points(), 1));
}

}  // namespace vaccine
