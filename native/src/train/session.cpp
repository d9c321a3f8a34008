#include "train/session.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/bf16.h"
#include "core/error.h"

namespace vaccine {
namespace {

constexpr int64_t kPiece = 1 << 16;  // elements converted at a time

Buffers lay_out(const Plan& plan, void* memory, int64_t& used_bytes) {
    Layout layout(memory);
    Buffers buffers = plan.lay_out(layout);
    used_bytes = layout.bytes();
    return buffers;
}

/// The network's constructor already runs ops.
Device& with_workspace(Device& device, const Buffers& buffers) {
    device.stream().workspace = buffers.workspace.data;
    device.stream().workspace_bytes = buffers.workspace.bytes();
    return device;
}

void check_range(View view, int64_t first, int64_t count) {
    require(first >= 0 && count >= 0 && count <= view.count() && first <= view.count() - count,
            std::to_string(count) + " elements from element " + std::to_string(first) + " on, expected some of the " +
                std::to_string(view.count()) + " that there are");
}

}  // namespace

Session::Session(Device& device, const Plan& plan)
    : device_(device),
      plan_(plan),
      arena_(device, plan.total_bytes()),
      buffers_(lay_out(plan_, arena_.memory, used_bytes_)),
      sites(device, plan_, buffers_),
      parameters(device, plan_, buffers_),
      optimizers(device, plan_, parameters),
      network(with_workspace(device, buffers_), plan_, buffers_, sites) {}

Session::~Session() {
    if (device_.stream().workspace == buffers_.workspace.data) device_.stream().workspace = nullptr;
}

Session& Session::enter() {
    device_.make_current();
    with_workspace(device_, buffers_);
    return *this;
}

View Session::tensor(int index) const {
    require(index >= 0 && index < static_cast<int>(plan_.tensors().all().size()),
            "index is " + std::to_string(index) + ", expected a tensor of the model");
    return Weights(plan_.tensors(), buffers_).view(index);
}

void Session::write(View to, int64_t first, int64_t count, const float* values) {
    check_range(to, first, count);
    if (to.dtype == DType::F32) {
        device_.upload(to.slice(first, count).data, values, count * 4);
        return;
    }
    std::vector<uint16_t> piece(static_cast<size_t>(std::min(count, kPiece)));
    for (int64_t done = 0; done < count; done += kPiece) {
        const int64_t n = std::min(kPiece, count - done);
        for (int64_t i = 0; i < n; ++i) piece[static_cast<size_t>(i)] = bf16_from_float(values[done + i]);
        device_.upload(to.slice(first + done, n).data, piece.data(), n * 2);
    }
}

void Session::write(View to, int64_t first, int64_t count, const uint16_t* bf16) {
    check_range(to, first, count);
    if (to.dtype == DType::BF16) {
        device_.upload(to.slice(first, count).data, bf16, count * 2);
        return;
    }
    std::vector<float> piece(static_cast<size_t>(std::min(count, kPiece)));
    for (int64_t done = 0; done < count; done += kPiece) {
        const int64_t n = std::min(kPiece, count - done);
        std::transform(bf16 + done, bf16 + done + n, piece.begin(), bf16_to_float);
        device_.upload(to.slice(first + done, n).data, piece.data(), n * 4);
    }
}

void Session::read(View from, int64_t first, int64_t count, float* out) {
    check_range(from, first, count);
    if (from.dtype == DType::F32) {
        device_.download(out, from.slice(first, count).data, count * 4);
        return;
    }
    std::vector<uint16_t> piece(static_cast<size_t>(std::min(count, kPiece)));
    for (int64_t done = 0; done < count; done += kPiece) {
        const int64_t n = std::min(kPiece, count - done);
        device_.download(piece.data(), from.slice(first + done, n).data, n * 2);
        for (int64_t i = 0; i < n; ++i) out[done + i] = bf16_to_float(piece[static_cast<size_t>(i)]);
    }
}

}  // namespace vaccine
