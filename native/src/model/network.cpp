#include "model/network.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "model/rope_frequency.h"

namespace vaccine {

Network::Network(Device& device, const Plan& plan, const Buffers& buffers, Sites& sites)
    : device_(device),
      plan_(plan),
      shape_(plan.shape()),
      buffers_(buffers),
      sites_(sites),
      weights_(plan.tensors(), buffers),
      batch_(device, plan, buffers) {
    for (size_t i = 0; i < kRopes; ++i) {
        const RopeTable& table = buffers_.ropes[i];
        if (table.frequency.empty()) continue;
        const std::vector<float> frequency = rope_frequency(shape_.ropes[i], shape_.head_size);
        device_.upload(table.frequency.data, frequency.data(), static_cast<int64_t>(frequency.size()) * 4);
        ops::rope_table(stream(), table.frequency, table.cosine, table.sine);
    }
}

ops::AttentionShape Network::attention_shape(int64_t l) const {
    return {shape_.heads, shape_.kv_heads, shape_.head_size, shape_.layer(l).window, shape_.score_scale(), shape_.attention_cap};
}

/// Throws before anything has changed.
void Network::check(const BatchInput& input, const ForwardOptions& options) const {
    const int64_t from = options.from_layer, L = shape_.layers;
    require(from >= 0 && from < L, "from_layer is " + std::to_string(from) + ", expected 0 to " + std::to_string(L - 1));
    require(!options.for_backward || plan_.options().training, "for_backward needs a plan with training");
    require(from == 0 || plan_.options().training, "from_layer needs a plan with training");
    require(!options.adapter_off || !options.for_backward, "adapter_off is for evaluation: for_backward must be 0");
    require(from == 0 || options.adapter_off == now_.adapter_off, "from_layer needs adapter_off as in the forward pass before");
    if (options.loss_scalar >= 0) sites_.scalar(options.loss_scalar);
    for (int k = 0; k < kSites; ++k) {
        if (options.record[k] >= 0) sites_.get(k, options.record[k]);
        if (options.add[k] >= 0 && options.add[k] != options.record[k])
            require(sites_.get(k, options.add[k]).tokens() == input.tokens,
                    "the site tensor to add has " + std::to_string(sites_.get(k, options.add[k]).tokens()) + " tokens, expected " +
                        std::to_string(input.tokens) + " as the batch");
    }
    require(from == 0 || !extended_, "from_layer needs a forward pass before, not vaccine_decode_extend");
    if (from > 0)
        require(input.tokens == batch_.tokens() && input.samples == batch_.samples(),
                "from_layer needs the batch of the forward pass before");
    check_teacher(options, from > 0 ? batch_.labels() : batch_.check(input).labels);
}

int64_t Network::forward(const BatchInput& input, const ForwardOptions& options) {
    const int64_t from = options.from_layer, L = shape_.layers;
    std::vector<Head> heads = grouped(options.heads);
    check(input, options);
    if (from == 0) batch_.load(input);
    extended_ = false;
    for (int k = 0; k < kSites; ++k)
        if (options.record[k] >= 0) sites_.get(k, options.record[k]).set_tokens(input.tokens);

    now_ = options;
    heads_ = std::move(heads);
    ready_ = false;
    if (options.record_teacher) teacher_labels_ = -1;
    resident_first_ = -1;
    intact_from_ = from > consumed_from_ ? from : 0;
    consumed_from_ = L;
    const int64_t T = batch_.tokens();
    if (from == 0) embed(batch_.token_view());
    for (int64_t l = from; l < L; ++l) forward_layer(l, T, Caching::None);
    if (options.record_teacher) record_teacher();
    forward_heads();
    ready_ = options.for_backward;
    return batch_.labels();
}

void Network::forget() {
    batch_.forget();
    ready_ = false;
    recomputing_ = false;
    shared_layer_ = resident_first_ = -1;
    lengths_.clear();
    seen_.clear();
    decoding_.clear();
}

}  // namespace vaccine
