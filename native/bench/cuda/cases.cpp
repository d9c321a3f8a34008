#include "cases.h"

#include <algorithm>

#include "core/bf16.h"
#include "core/philox.h"

namespace vaccine::bench {

Cases::Cases(Device& device, const Model& model, int64_t rows, int copies) : device_(device), model_(model), rows_(rows), copies_(copies) {
    ops::WorkspaceNeed need;
    need.tokens = std::max<int64_t>(rows, 256);
    need.largest_width = std::max(model.F, model.V);
    need.heads = model.heads;
    need.kv_heads = model.kv_heads;
    need.head_size = model.head_size;
    need.longest_sample = need.cache_capacity = std::max<int64_t>(rows, 256);
    const int64_t bytes = ops::workspace_bytes(stream(), need);
    workspace_ = device_.allocate(bytes);
    stream().workspace = workspace_;
    stream().workspace_bytes = bytes;

    add_linear("linear C -> C", model.C, model.C, true);
    add_linear("linear C -> F", model.C, model.F, false);
    add_linear("linear F -> C", model.F, model.C, false);
    add_head();
    add_decoding();
    add_attention();
    add_norms();
    add_activations();
    add_loss();
    add_weighted_losses();
    add_vectors();
}

Cases::~Cases() {
    release();
    device_.release(workspace_);
    stream().workspace = nullptr;
}

void Cases::release() {
    for (void* memory : taken_) device_.release(memory);
    taken_.clear();
}

void Cases::for_each(const std::string& only, const std::function<void(const Case&)>& f) {
    for (const Definition& definition : definitions_) {
        if (definition.name.find(only) == std::string::npos) continue;
        Case each = definition.make();
        each.name = definition.name;
        f(each);
        release();
    }
}

/// Values in [-1, 1) of a short period, which is no row's length, and begins elsewhere in every view: a wrong place has a wrong value.
View Cases::numbers(int64_t rows, int64_t columns, DType type) {
    const View view{device_.allocate(rows * columns * size_of(type)), type, rows, columns};
    taken_.push_back(view.data);
    constexpr int64_t kPeriod = 65521;  // a prime
    const RandomKey key{taken_.size()};
    std::vector<unsigned char> piece(static_cast<size_t>(kPeriod * size_of(type)));
    for (int64_t i = 0; i < kPeriod; ++i) {
        const float value = 2 * random_uniform(random_block(key, static_cast<uint64_t>(i / 4)).word[i % 4]) - 1;
        if (type == DType::BF16)
            reinterpret_cast<uint16_t*>(piece.data())[i] = bf16_from_float(value);
        else
            reinterpret_cast<float*>(piece.data())[i] = value;
    }
    for (int64_t i = 0; i < view.count(); i += kPeriod) {
        const View part = view.slice(i, std::min(kPeriod, view.count() - i));
        device_.upload(part.data, piece.data(), part.bytes());
    }
    return view;
}

View Cases::integers(const std::vector<int32_t>& values) {
    const View view{device_.allocate(static_cast<int64_t>(values.size()) * 4), DType::I32, 1, static_cast<int64_t>(values.size())};
    taken_.push_back(view.data);
    device_.upload(view.data, values.data(), view.bytes());
    return view;
}

}  // namespace vaccine::bench
