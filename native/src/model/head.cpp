#include <algorithm>
#include <string>

#include "core/error.h"

#include "model/network.h"

namespace vaccine {

void Network::forward_heads(const ForwardOptions& options) {
    heads_.clear();
    for (int64_t p = 0; p < static_cast<int64_t>(options.head_weights.size()); ++p)
        if (options.head_weights[static_cast<size_t>(p)] != 0) heads_.push_back({p, options.head_weights[static_cast<size_t>(p)]});
    if (options.head_weights.empty()) heads_.push_back({shape_.layers, 1});

    const int64_t R = batch_.labels();
    const bool single = heads_.size() == 1 && heads_.front().weight == 1;
    const View loss = buffers_.loss.slice(0, R), head_loss = buffers_.head_loss.slice(0, R);
    if (R > 0) {
        if (!single) ops::fill_zero(stream(), loss);
        for (const Head& head : heads_) {
            forward_head(head, head_loss);
            if (!single) ops::axpy(stream(), head.weight, head_loss, loss);
        }
    }
    if (options.loss_scalar < 0) return;
    const View scalar = sites_.scalar(options.loss_scalar);
    if (R > 0)
        ops::sum(stream(), single ? head_loss : loss, scalar);
    else
        ops::fill_zero(stream(), scalar);
}

/// The final norm of labelled rows first .. of a residual point, into the head's buffers.
void Network::normalize_rows(const Head& head, int64_t first, int64_t rows) {
    const View in = buffers_.head_in.rows_from(first, rows), normed = buffers_.head_normed.rows_from(first, rows);
    ops::gather_rows(stream(), residual(head.point, batch_.tokens()), batch_.label_row_view().slice(first, rows), in);
    ops::rmsnorm_forward(stream(), in, weights_.get(TensorKind::FinalNorm), shape_.rms_epsilon, normed,
                         buffers_.head_rstd.slice(first, rows));
}

View Network::logits_of(View normed_rows) {
    const View logits = buffers_.logits.rows_from(0, normed_rows.rows);
    ops::linear_forward(stream(), normed_rows, weights_.head(), {}, {}, logits, {});
    return logits;
}

void Network::forward_head(const Head& head, View loss) {
    const int64_t R = batch_.labels(), chunk = plan_.head_rows();
    normalize_rows(head, 0, R);
    for (int64_t first = 0; first < R; first += chunk) {
        const int64_t n = std::min(chunk, R - first);
        const View logits = logits_of(buffers_.head_normed.rows_from(first, n));
        ops::cross_entropy_forward(stream(), logits, batch_.target_view().slice(first, n), loss.slice(first, n),
                                   buffers_.lse.slice(first, n));
        resident_first_ = first;
    }
}

/// Adds the head's gradient to the residual gradient at its point. Chunks are walked upwards, so that sums over rows have one order; logits
/// that the forward pass left in the buffer are not computed again.
void Network::backward_head(const Head& head, const BackwardOptions& options, const GradientTarget& target) {
    const int64_t T = batch_.tokens(), R = batch_.labels(), chunk = plan_.head_rows();
    if (R == 0) return;
    if (heads_.size() > 1) normalize_rows(head, 0, R);
    const bool resident = heads_.size() == 1 && R <= chunk && resident_first_ == 0;
    const float scale = options.loss_scale * head.weight / static_cast<float>(R);
    const bool tied = shape_.tied_embeddings;
    const View d_normed = buffers_.d_head_normed.rows_from(0, R), d_in = buffers_.d_head_in.rows_from(0, R);

    for (int64_t first = 0; first < R; first += chunk) {
        const int64_t n = std::min(chunk, R - first);
        const View normed = buffers_.head_normed.rows_from(first, n), targets = batch_.target_view().slice(first, n);
        const View lse = buffers_.lse.slice(first, n);
        View logits = buffers_.logits.rows_from(0, n);
        if (!resident) {
            logits = logits_of(normed);
            ops::cross_entropy_forward(stream(), logits, targets, buffers_.head_loss.slice(first, n), lse);
        }
        ops::cross_entropy_backward(stream(), logits, targets, lse, scale);
        ops::LinearGradients gradients;
        gradients.dx = d_normed.rows_from(first, n);
        gradients.dw = target.get(tied ? TensorKind::Embedding : TensorKind::Head);
        ops::linear_backward(stream(), logits, normed, weights_.head(), {}, gradients, {});
    }
    ops::fill_zero(stream(), d_in);
    ops::rmsnorm_backward(stream(), d_normed, buffers_.head_in.rows_from(0, R), weights_.get(TensorKind::FinalNorm),
                          buffers_.head_rstd.slice(0, R), d_in, target.get(TensorKind::FinalNorm));
    ops::scatter_add_rows(stream(), d_in, batch_.label_row_view(), buffers_.d_residual.rows_from(0, T));
    resident_first_ = -1;
}

void Network::read_losses(int64_t count, float* out) {
    require(count == batch_.labels(),
            "count is " + std::to_string(count) + ", and the last forward pass had " + std::to_string(batch_.labels()) + " labelled rows");
    if (count > 0) device_.download(out, buffers_.head_loss.data, count * 4);
}

void Network::read_logits(int64_t first_row, int64_t rows, float* out) {
    const int64_t T = batch_.tokens();
    require(first_row >= 0 && rows >= 0 && first_row + rows <= T, "rows " + std::to_string(first_row) + " to " +
                                                                      std::to_string(first_row + rows - 1) + ", expected within the " +
                                                                      std::to_string(T) + " tokens of the last forward pass");
    ready_ = false;  // the head's buffers no longer belong to the forward pass
    for (int64_t done = 0; done < rows; done += plan_.head_rows()) {
        const int64_t n = std::min(plan_.head_rows(), rows - done);
        const View normed = buffers_.head_normed.rows_from(0, n);
        ops::rmsnorm_forward(stream(), residual(shape_.layers, T).rows_from(first_row + done, n), weights_.get(TensorKind::FinalNorm),
                             shape_.rms_epsilon, normed, buffers_.head_rstd.slice(0, n));
        const View logits = logits_of(normed);
        device_.download(out + done * shape_.vocabulary, logits.data, logits.bytes());
    }
}

}  // namespace vaccine
