#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "model/network.h"

namespace vaccine {
namespace {

// Places where a gradient can be, counted in half layers: x_l (the residual stream that enters layer l) is at 2l, the stream between the
// layer's two blocks at 2l + 1.
constexpr int64_t input_of(int64_t l) {
    return 2 * l;
}
constexpr int64_t middle_of(int64_t l) {
    return 2 * l + 1;
}
constexpr int64_t output_of(int64_t l) {
    return 2 * l + 2;
}

constexpr int64_t place_of(int site, int64_t l) {
    return site == AttentionSite ? middle_of(l) : site == MlpSite ? output_of(l) : input_of(l);
}

}  // namespace

/// The lowest place whose gradient something asks for.
int64_t Network::lowest_place(const BackwardOptions& options, const GradientTarget& target) const {
    const int64_t L = shape_.layers;
    int64_t stop = input_of(L);
    for (int site = 0; site < kSites; ++site) {
        if (options.norm_scalar[site] >= 0) stop = std::min(stop, place_of(site, 0));
        if (options.read[site] >= 0) stop = std::min(stop, place_of(site, std::min(sites_.get(site, options.read[site]).lowest(), L)));
    }
    for (int64_t l = L - 1; l >= options.floor; --l) {
        if (target.wants_mlp(l)) stop = std::min(stop, output_of(l));
        if (target.wants_attention(l)) stop = std::min(stop, middle_of(l));
    }
    if (!target.get(TensorKind::Embedding).empty()) stop = 0;
    return std::max(stop, input_of(options.floor));
}

void Network::check(const BackwardOptions& options) const {
    if (!ready_) throw Error(Status::WrongState, "no forward pass with for_backward stands right before this backward pass");
    require(options.gradient_vector == -1 || plan_.may_hold_gradients(options.gradient_vector),
            "gradient_vector is " + std::to_string(options.gradient_vector) +
                ", expected -1 (none), 1 (gradients) or an extra vector of the plan (from 4 on)");
    require(std::isfinite(options.loss_scale), "loss_scale is not a finite number");
    require(options.floor >= 0 && options.floor < shape_.layers,
            "floor is " + std::to_string(options.floor) + ", expected 0 to " + std::to_string(shape_.layers - 1));
    for (int k = 0; k < kSites; ++k) {
        if (options.norm_scalar[k] >= 0) sites_.scalars(options.norm_scalar[k], shape_.layers + (k == ResidualSite));
        if (options.read[k] >= 0) sites_.get(k, options.read[k]);
        if (options.add[k] >= 0)
            require(sites_.get(k, options.add[k]).tokens() == batch_.tokens(),
                    "the site tensor to add has " + std::to_string(sites_.get(k, options.add[k]).tokens()) + " tokens, expected " +
                        std::to_string(batch_.tokens()) + " as the batch");
    }
}

void Network::backward(const BackwardOptions& options) {
    check(options);
    const int64_t T = batch_.tokens(), L = shape_.layers;
    const GradientTarget target(plan_.tensors(), weights_, options.gradient_vector, options.tensors, options.floor);
    const int64_t stop = lowest_place(options, target);
    const int64_t below = stop / 2 - 1;  // the layer under the lowest place, whose MLP may end there
    const int64_t lowest = stop % 2 == 0 && below >= 0 && enters(MlpSite, below, options, target) ? below : stop / 2;
    if (lowest < intact_from_)
        throw Error(Status::WrongState, "layer " + std::to_string(lowest) + " needs a gradient, but the forward pass started at layer " +
                                            std::to_string(intact_from_) + " after a backward pass had used up the layers below");
    for (int k = 0; k < kSites; ++k) {
        if (options.norm_scalar[k] >= 0) ops::fill_zero(stream(), sites_.scalars(options.norm_scalar[k], L + (k == ResidualSite)));
        if (options.read[k] >= 0) sites_.get(k, options.read[k]).set_tokens(T);
    }
    ready_ = false;
    consumed_from_ = lowest;

    const View d_residual = buffers_.d_residual.rows_from(0, T);
    ops::fill_zero(stream(), d_residual);
    gradient_arrived_at_point(L, options, target);
    for (int64_t l = L - 1; l >= lowest; --l) backward_layer(l, stop, options, target);
    const View d_embedding = target.get(TensorKind::Embedding);
    if (stop == 0 && !d_embedding.empty())
        ops::embedding_backward(stream(), batch_.token_view(), d_residual, shape_.embedding_scale, d_embedding);
}

void Network::backward_layer(int64_t l, int64_t stop, const BackwardOptions& options, const GradientTarget& target) {
    if (stop >= output_of(l) && !enters(MlpSite, l, options, target)) return;
    recompute_layer(l);
    shared_layer_ = -1;  // the gradients of gate and up take the place of their values
    backward_mlp(l, options, target, stop <= middle_of(l));
    if (stop > middle_of(l)) return;

    if (!shape_.block_output_norms) read_gradient(AttentionSite, l, buffers_.d_residual.rows_from(0, batch_.tokens()), options);
    if (stop > input_of(l) && !enters(AttentionSite, l, options, target)) return;
    backward_attention(l, options, target, stop <= input_of(l));
    if (stop <= input_of(l)) gradient_arrived_at_point(l, options, target);
}

bool Network::reads(Site site, int64_t l, const BackwardOptions& options) const {
    return options.norm_scalar[site] >= 0 || sites_.holding(site, options.read[site], l) != nullptr;
}

/// Whether the gradient of a block's output leads further into the block than the residual stream, whose gradient it is where the block has
/// no output norm.
bool Network::enters(Site block, int64_t l, const BackwardOptions& options, const GradientTarget& target) const {
    if (shape_.block_output_norms && reads(block, l, options)) return true;
    return block == AttentionSite ? target.wants_attention(l) : target.wants_mlp(l);
}

/// Everything that joins or reads the residual gradient at a point.
void Network::gradient_arrived_at_point(int64_t point, const BackwardOptions& options, const GradientTarget& target) {
    const View gradient = buffers_.d_residual.rows_from(0, batch_.tokens());
    for (const Head& head : heads_)
        if (head.point == point) backward_head(head, options, target);
    read_gradient(ResidualSite, point, gradient, options);
    if (const SiteTensor* addend = sites_.holding(ResidualSite, options.add[ResidualSite], point))
        ops::axpy(stream(), 1, addend->layer(point), gradient);
    if (point > 0 && !shape_.block_output_norms) read_gradient(MlpSite, point - 1, gradient, options);
}

void Network::read_gradient(Site site, int64_t l, View gradient, const BackwardOptions& options) {
    if (options.norm_scalar[site] >= 0) ops::sum_of_squares(stream(), gradient, sites_.scalar(options.norm_scalar[site] + l));
    if (const SiteTensor* reader = sites_.holding(site, options.read[site], l)) ops::copy(stream(), gradient, reader->layer(l));
}

}  // namespace vaccine
