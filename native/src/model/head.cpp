#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "core/error.h"

#include "model/network.h"

namespace vaccine {

/// Losses by the logits that they share, ascending; throws where they cannot be.
std::vector<Network::Head> Network::grouped(const std::vector<LossHead>& losses) const {
    const int64_t L = shape_.layers;
    std::map<std::pair<int64_t, int>, std::vector<LossHead>> groups;
    for (size_t i = 0; i < losses.size(); ++i) {
        const LossHead& loss = losses[i];
        const std::string name = "heads[" + std::to_string(i) + "]";
        require(loss.point >= 0 && loss.point <= L,
                name + ".point is " + std::to_string(loss.point) + ", expected 0 to " + std::to_string(L));
        require(loss.point == L || plan_.options().training, name + ".point is below layers, which needs a plan with training");
        require(loss.norms == 1 || loss.norms == 2, name + ".norms is " + std::to_string(loss.norms) + ", expected 1 or 2");
        require(std::isfinite(loss.weight), name + ".weight is not a finite number");
        if (loss.scalar >= 0) sites_.scalar(loss.scalar);
        std::vector<LossHead>& group = groups[{loss.point, loss.norms}];
        for (const LossHead& other : group)
            require(other.kind != loss.kind,
                    name + " has point, kind and norms of a head before it, expected one head with the sum of their weights");
        group.push_back(loss);
    }
    std::vector<Head> heads;
    for (auto& [place, group] : groups) heads.push_back({place.first, place.second, std::move(group)});
    return heads;
}

void Network::check_teacher(const ForwardOptions& options, int64_t labels) const {
    const int64_t most = plan_.options().teacher_rows;
    require(!options.record_teacher || labels <= most, "record_teacher: the batch has " + std::to_string(labels) +
                                                           " labelled rows, expected at most " + std::to_string(most) +
                                                           " (the plan's teacher_rows)");
    const bool needed =
        std::any_of(options.heads.begin(), options.heads.end(), [](const LossHead& loss) { return loss.kind == LossKind::Teacher; });
    if (!needed || options.record_teacher || teacher_labels_ == labels) return;
    throw Error(Status::WrongState, teacher_labels_ < 0 ? "a head compares with a teacher, and no pass with record_teacher has ended before"
                                                        : "a head compares with a teacher of " + std::to_string(teacher_labels_) +
                                                              " labelled rows, and the batch has " + std::to_string(labels));
}

/// Keeps the final norm of the labelled rows: with a frozen lm_head, logits follow from it.
void Network::record_teacher() {
    const int64_t R = batch_.labels();
    if (R > 0) {
        normalize_rows(shape_.layers, 1);
        ops::copy(stream(), buffers_.head_normed.rows_from(0, R), buffers_.teacher_normed.rows_from(0, R));
    }
    teacher_labels_ = R;
}

void Network::forward_heads() {
    const int64_t R = batch_.labels(), chunk = plan_.head_rows();
    const View total = buffers_.loss.slice(0, R);
    const auto sum_into = [&](View losses, int64_t scalar) {
        if (scalar < 0) return;
        if (R > 0)
            ops::sum(stream(), losses, sites_.scalar(scalar));
        else
            ops::fill_zero(stream(), sites_.scalar(scalar));
    };
    if (R > 0) ops::fill_zero(stream(), total);
    for (const Head& head : heads_) {
        if (R > 0) normalize_rows(head.point, head.norms);
        for (int64_t first = 0; first < R; first += chunk) forward_chunk(head, first, std::min(chunk, R - first));
        for (const LossHead& loss : head.losses) {
            if (R > 0) ops::axpy(stream(), loss.weight, head_loss(loss.kind), total);
            sum_into(head_loss(loss.kind), loss.scalar);
        }
    }
    sum_into(total, now_.loss_scalar);
}

/// The labelled rows of a residual point, through the final norm once or more, into head_normed; head_in is what the last norm read.
void Network::normalize_rows(int64_t point, int norms) {
    const int64_t R = batch_.labels();
    const View in = buffers_.head_in.rows_from(0, R), normed = buffers_.head_normed.rows_from(0, R);
    ops::gather_rows(stream(), residual(point, batch_.tokens()), batch_.label_row_view(), in);
    for (int norm = 0; norm < norms; ++norm) {
        if (norm > 0) ops::copy(stream(), normed, in);
        normalize(in, TensorKind::FinalNorm, -1, normed, buffers_.head_rstd.slice(0, R));
    }
}

View Network::logits_of(View normed_rows, View logits) {
    const View rows = logits.rows_from(0, normed_rows.rows);
    ops::linear_forward(stream(), normed_rows, weights_.head(), {}, {}, rows, {});
    if (shape_.logit_cap != 0) ops::soft_cap(stream(), rows, shape_.logit_cap);
    return rows;
}

/// Logits of a chunk of the rows in head_normed, and each loss of theirs.
void Network::forward_chunk(const Head& head, int64_t first, int64_t rows) {
    const View logits = logits_of(buffers_.head_normed.rows_from(first, rows), buffers_.logits), lse = buffers_.lse.slice(first, rows);
    resident_first_ = first;
    for (const LossHead& of : head.losses) {
        const View loss = head_loss(of.kind).slice(first, rows);
        if (of.kind == LossKind::Labels) {
            ops::cross_entropy_forward(stream(), logits, batch_.target_view().slice(first, rows), loss, lse);
        } else if (of.kind == LossKind::Teacher) {
            const View teacher = logits_of(buffers_.teacher_normed.rows_from(first, rows), buffers_.teacher_logits);
            ops::divergence_forward(stream(), logits, teacher, loss, lse, buffers_.teacher_lse.slice(first, rows));
        } else {
            ops::negative_entropy_forward(stream(), logits, loss, lse);
        }
    }
}

/// Overwrites a chunk's logits by the gradient of loss_scale times the mean of the head's weighted losses.
void Network::backward_chunk(const Head& head, int64_t first, int64_t rows, float loss_scale) {
    const auto factor = [&](const LossHead& of) { return loss_scale * of.weight / static_cast<float>(batch_.labels()); };
    const View logits = buffers_.logits.rows_from(0, rows), lse = buffers_.lse.slice(first, rows);
    const View targets = batch_.target_view().slice(first, rows);
    if (head.losses.size() == 1 && head.losses.front().kind == LossKind::Labels)
        return ops::cross_entropy_backward(stream(), logits, targets, lse, factor(head.losses.front()), shape_.logit_cap);
    ops::WeightedLosses losses;
    for (const LossHead& of : head.losses) {
        if (of.kind == LossKind::Labels) {
            losses.labels = factor(of);
            losses.targets = targets;
        } else if (of.kind == LossKind::Teacher) {
            losses.divergence = factor(of);
            losses.teacher = buffers_.teacher_logits.rows_from(0, rows);
            losses.teacher_lse = buffers_.teacher_lse.slice(first, rows);
        } else {
            losses.negative_entropy = factor(of);
            losses.negative_entropies = head_loss(of.kind).slice(first, rows);
        }
    }
    ops::weighted_losses_backward(stream(), logits, lse, losses, shape_.logit_cap);
}

/// Adds the head's gradient to the residual gradient at its point. Chunks are walked upwards, so that sums over rows have one order; logits
/// that the forward pass left in the buffer are not computed again.
void Network::backward_head(const Head& head, const BackwardOptions& options, const GradientTarget& target) {
    const int64_t R = batch_.labels(), chunk = plan_.head_rows();
    const bool weightless = std::all_of(head.losses.begin(), head.losses.end(), [](const LossHead& loss) { return loss.weight == 0; });
    if (R == 0 || weightless) return;
    if (heads_.size() > 1) normalize_rows(head.point, head.norms);
    const bool resident = heads_.size() == 1 && R <= chunk && resident_first_ == 0;
    ops::LinearGradients gradients;
    gradients.dw = target.get(shape_.tied_embeddings ? TensorKind::Embedding : TensorKind::Head);
    for (int64_t first = 0; first < R; first += chunk) {
        const int64_t n = std::min(chunk, R - first);
        if (!resident) forward_chunk(head, first, n);
        backward_chunk(head, first, n, options.loss_scale);
        gradients.dx = buffers_.d_head_normed.rows_from(first, n);
        ops::linear_backward(stream(), buffers_.logits.rows_from(0, n), buffers_.head_normed.rows_from(first, n), weights_.head(), {},
                             gradients, {});
    }
    backward_norms(head, target);
    resident_first_ = -1;
}

/// From the gradient in d_head_normed to that of the point. A norm before the last is run again for what it read.
void Network::backward_norms(const Head& head, const GradientTarget& target) {
    const int64_t R = batch_.labels();
    View dy = buffers_.d_head_normed.rows_from(0, R), dx = buffers_.d_head_in.rows_from(0, R);
    for (int norm = head.norms; norm > 0; --norm) {
        if (norm < head.norms) normalize_rows(head.point, norm);
        ops::fill_zero(stream(), dx);
        ops::rmsnorm_backward(stream(), dy, buffers_.head_in.rows_from(0, R), norm_weight(TensorKind::FinalNorm, -1),
                              buffers_.head_rstd.slice(0, R), dx, target.get(TensorKind::FinalNorm));
        std::swap(dx, dy);
    }
    ops::scatter_add_rows(stream(), dy, batch_.label_row_view(), buffers_.d_residual.rows_from(0, batch_.tokens()));
}

void Network::read_losses(int64_t count, float* out) {
    require(count == batch_.labels(),
            "count is " + std::to_string(count) + ", and the last forward pass had " + std::to_string(batch_.labels()) + " labelled rows");
    if (count > 0) device_.download(out, buffers_.loss.data, count * 4);
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
        normalize(residual(shape_.layers, T).rows_from(first_row + done, n), TensorKind::FinalNorm, -1, normed,
                  buffers_.head_rstd.slice(0, n));
        const View logits = logits_of(normed, buffers_.logits);
        device_.download(out + done * shape_.vocabulary, logits.data, logits.bytes());
    }
}

}  // namespace vaccine
