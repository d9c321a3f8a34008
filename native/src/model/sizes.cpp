#include "model/sizes.h"

#include <string>

#include "core/error.h"

namespace nv::sizes {
namespace {

constexpr int64_t kMost = int64_t{1} << 24;  // of any one size: products of two stay far from overflow

void in_range(const char* name, int64_t value, int64_t least, int64_t most = kMost) {
    require(value >= least && value <= most,
            std::string(name) + " is " + std::to_string(value) + ", expected " + std::to_string(least) + " to " + std::to_string(most));
}

void check_shape(const ModelShape& s) {
    in_range("vocabulary", s.vocabulary, 1);
    in_range("hidden", s.hidden, 1);
    in_range("intermediate", s.intermediate, 1);
    in_range("layers", s.layers, 1, 0xFFFF);
    in_range("heads", s.heads, 1);
    in_range("kv_heads", s.kv_heads, 1);
    in_range("head_size", s.head_size, 2, 512);
    in_range("sliding_window", s.sliding_window, 0, int64_t{1} << 31);
    require(s.head_size % 2 == 0, "head_size is " + std::to_string(s.head_size) + ", expected an even number");
    require(s.heads % s.kv_heads == 0,
            "heads is " + std::to_string(s.heads) + ", expected a multiple of kv_heads, which is " + std::to_string(s.kv_heads));
    require(s.rms_epsilon > 0, "rms_epsilon is not above 0");
    require(s.rope_theta > 0, "rope_theta is not above 0");
    require(s.rope_scaling == RopeScaling::Plain || s.rope_factor > 0, "rope_factor is not above 0");
}

}  // namespace

void check(const ModelShape& shape, const PlanOptions& o) {
    check_shape(shape);
    in_range("max_tokens", o.max_tokens, 1);
    in_range("max_samples", o.max_samples, 1, o.max_tokens);
    in_range("longest_sample", o.longest_sample, 1, o.max_tokens);
    in_range("lora_rank", o.lora.rank, 0, 1024);
    in_range("lora_targets", o.lora.targets, 0, (1 << kProjections) - 1);
    require(o.lora.dropout >= 0 && o.lora.dropout < 1, "lora_dropout is not in [0, 1)");
    require(!(o.full && o.lora.rank > 0), "full and lora_rank exclude each other: either all weights train or adapters do");
    in_range("extra_vectors", o.extra_vectors, 0, 1024);
    for (int k = 0; k < kSites; ++k) {
        in_range("site_tensors", o.site_tensors[k], 0, 1024);
        in_range("site_layers", o.site_layers[k], 0, shape.layers + (k == ResidualSite));
    }
    in_range("head_rows", o.head_rows, 0);
    in_range("recomputed_layers", o.recomputed_layers, -1, shape.layers);
    in_range("decode_samples", o.decode_samples, 0, o.max_tokens);
    in_range("decode_capacity", o.decode_capacity, o.decode_samples > 0 ? 1 : 0);
    in_range("decode_samples * decode_capacity", o.decode_samples * o.decode_capacity, 0, int64_t{1} << 31);
}

}  // namespace nv::sizes
