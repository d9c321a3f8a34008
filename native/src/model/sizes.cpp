#include "model/sizes.h"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace vaccine::sizes {
namespace {

constexpr int64_t kMost = int64_t{1} << 24;  // of any one size: products of two stay far from overflow

void in_range(const char* name, int64_t value, int64_t least, int64_t most = kMost) {
    require(value >= least && value <= most,
            std::string(name) + " is " + std::to_string(value) + ", expected " + std::to_string(least) + " to " + std::to_string(most));
}

/// Frequencies are computed in fp32: numbers near its limits would become infinite there, or 0.
void positive(const char* name, double value) {
    require(value >= 1e-15 && value <= 1e15, std::string(name) + " is " + std::to_string(value) + ", expected a number from 1e-15 to 1e15");
}

/// prefix: of the names of its fields.
void check_rope(const std::string& prefix, const Rope& rope) {
    const auto check = [&](const char* field, double value) { positive((prefix + field).c_str(), value); };
    check("rope_theta", rope.theta);
    if (rope.scaling != RopeScaling::Plain) check("rope_factor", rope.factor);
    if (rope.scaling != RopeScaling::Llama3) return;
    check("rope_low_frequency_factor", rope.low);
    check("rope_high_frequency_factor", rope.high);
    check("rope_original_positions", rope.original);
    require(rope.low < rope.high, prefix + "rope_low_frequency_factor is " + std::to_string(rope.low) + ", expected less than " + prefix +
                                      "rope_high_frequency_factor, which is " + std::to_string(rope.high));
}

void check_layers(const std::vector<LayerShape>& layers) {
    for (size_t l = 0; l < layers.size(); ++l) {
        in_range(("window of layer " + std::to_string(l)).c_str(), layers[l].window, 0, int64_t{1} << 31);
        in_range(("rope of layer " + std::to_string(l)).c_str(), layers[l].rope, 0, kRopes - 1);
    }
}

void check_shape(const ModelShape& s) {
    in_range("vocabulary", s.vocabulary, 1);
    in_range("hidden", s.hidden, 1);
    in_range("intermediate", s.intermediate, 1);
    in_range("layers", s.layers, 1, kMostLayers);
    in_range("heads", s.heads, 1);
    in_range("kv_heads", s.kv_heads, 1);
    in_range("head_size", s.head_size, 2, 512);
    require(s.head_size % 2 == 0, "head_size is " + std::to_string(s.head_size) + ", expected an even number");
    require(s.heads % s.kv_heads == 0,
            "heads is " + std::to_string(s.heads) + ", expected a multiple of kv_heads, which is " + std::to_string(s.kv_heads));
    in_range("heads * head_size", s.query_size(), 1);
    positive("rms_epsilon", static_cast<double>(s.rms_epsilon));
    if (s.attention_scale != 0) positive("attention_scale", static_cast<double>(s.attention_scale));
    if (s.attention_cap != 0) positive("attention_cap", static_cast<double>(s.attention_cap));
    if (s.logit_cap != 0) positive("logit_cap", static_cast<double>(s.logit_cap));
    positive("embedding_scale", static_cast<double>(s.embedding_scale));
    check_layers(s.layer_shapes);
    if (s.uses(0)) check_rope("", s.ropes[0]);
    if (s.uses(1)) check_rope("local_", s.ropes[1]);
}

}  // namespace

const ModelShape& checked(const ModelShape& shape, const PlanOptions& o) {
    check_shape(shape);
    in_range("max_tokens", o.max_tokens, 1);
    in_range("max_samples", o.max_samples, 1, o.max_tokens);
    in_range("longest_sample", o.longest_sample, 1, o.max_tokens);
    in_range("lora_rank", o.lora.rank, 0, 1024);
    in_range("lora_targets", o.lora.targets, 0, (1 << kProjections) - 1);
    require(std::isfinite(o.lora.alpha), "lora_alpha is not a finite number");
    require(o.lora.dropout >= 0 && o.lora.dropout < 1, "lora_dropout is not in [0, 1)");
    require(!(o.full && o.lora.rank > 0), "full and lora_rank exclude each other: either all weights train or adapters do");
    in_range("optimizers", o.optimizers, 0, 1024);
    in_range("extra_vectors", o.extra_vectors, 0, 1024);
    for (int k = 0; k < kSites; ++k) {
        in_range("site_tensors", o.site_tensors[k], 0, 1024);
        in_range("site_layers", o.site_layers[k], 0, shape.layers + (k == ResidualSite));
    }
    in_range("head_rows", o.head_rows, 0);
    in_range("teacher_rows", o.teacher_rows, 0, o.max_tokens);
    if (o.teacher_rows > 0 && o.full)
        throw Error(Status::Unsupported,
                    "teacher_rows is " + std::to_string(o.teacher_rows) +
                        " with full, expected 0: only where the final norm and lm_head are frozen do a teacher's logits follow from its "
                        "hidden rows");
    in_range("recomputed_layers", o.recomputed_layers, -1, shape.layers);
    in_range("memory_limit", o.memory_limit, 0, std::numeric_limits<int64_t>::max());
    in_range("decode_samples", o.decode_samples, 0, o.max_tokens);
    in_range("decode_capacity", o.decode_capacity, o.decode_samples > 0 ? 1 : 0);
    in_range("decode_samples * decode_capacity", o.decode_samples * o.decode_capacity, 0, int64_t{1} << 31);
    return shape;
}

}  // namespace vaccine::sizes
