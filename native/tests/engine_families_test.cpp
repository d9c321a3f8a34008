// What the fields of a shape mean, each alone and all at once: the engine's activations and logits against the textbook in double.
#include <algorithm>
#include <functional>

#include "engine_model.h"

using namespace vaccine;
using namespace vaccine::testing;

namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

/// The network of a shape, row by row, over the weights that a session holds. Exact, or with every activation rounded to bf16 as it is
/// made.
class Textbook {
public:
    Textbook(vaccine_session* session, const vaccine_model_shape& shape, double lora_scale, bool rounds)
        : shape_(shape), session_(session), lora_scale_(lora_scale), rounds_(rounds) {}

    Rows residual, attention, mlp, logits;  // residual, attention and mlp: layer after layer, T rows each

    void run(const TestBatch& batch) {
        const Rows table = matrix(VACCINE_TENSOR_EMBEDDING, -1, -1);
        Rows x;
        for (const int32_t id : batch.ids) x.push_back(stored(scaled(table[static_cast<size_t>(id)], or_one(shape_.embedding_scale))));
        append(residual, x);
        for (int32_t l = 0; l < shape_.layers; ++l) {
            const Rows mixed = attend(l, normed(x, VACCINE_TENSOR_ATTENTION_NORM, l), batch.offsets);
            join(x, attention, mixed, VACCINE_TENSOR_ATTENTION_OUTPUT_NORM, l);
            join(x, mlp, gated(l, normed(x, VACCINE_TENSOR_MLP_NORM, l)), VACCINE_TENSOR_MLP_OUTPUT_NORM, l);
            append(residual, x);
        }
        const Rows head = matrix(shape_.tied_embeddings ? VACCINE_TENSOR_EMBEDDING : VACCINE_TENSOR_HEAD, -1, -1);
        for (const Row& row : normed(x, VACCINE_TENSOR_FINAL_NORM, -1)) logits.push_back(capped(product(row, head), shape_.logit_cap));
    }

private:
    static double or_one(float value) { return value == 0 ? 1.0 : static_cast<double>(value); }
    static void append(Rows& to, const Rows& from) { to.insert(to.end(), from.begin(), from.end()); }
    static Row scaled(Row row, double factor) {
        for (double& v : row) v *= factor;
        return row;
    }
    static double capped(double value, float cap) {
        return cap == 0 ? value : static_cast<double>(cap) * std::tanh(value / static_cast<double>(cap));
    }
    static Row capped(Row row, float cap) {
        for (double& v : row) v = capped(v, cap);
        return row;
    }
    Row stored(Row row) const {
        for (double& v : row)
            if (rounds_) v = static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>(v))));
        return row;
    }
    static Row product(const Row& x, const Rows& w) {
        Row y;
        for (const Row& row : w) y.push_back(std::inner_product(row.begin(), row.end(), x.begin(), 0.0));
        return y;
    }

    /// Empty where the session has no such tensor.
    Rows matrix(int32_t kind, int32_t layer, int32_t projection) const {
        int32_t tensors = 0, trainable = 0;
        ok(vaccine_session_get_tensor_count(session_, &tensors, &trainable));
        for (int32_t i = 0; i < tensors; ++i) {
            vaccine_tensor_info t{};
            t.struct_size = sizeof t;
            ok(vaccine_session_get_tensor(session_, i, &t));
            if (t.kind != kind || t.layer != layer || t.projection != projection) continue;
            std::vector<float> values(static_cast<size_t>(t.rows * t.columns));
            ok(vaccine_session_read_tensor(session_, i, 0, t.rows * t.columns, values.data()));
            Rows rows;
            for (int64_t r = 0; r < t.rows; ++r) rows.emplace_back(values.begin() + r * t.columns, values.begin() + (r + 1) * t.columns);
            return rows;
        }
        return {};
    }

    Row normed(const Row& x, const Row& w) const {
        const double square = std::inner_product(x.begin(), x.end(), x.begin(), 0.0) / static_cast<double>(x.size());
        Row y = scaled(x, 1 / std::sqrt(square + static_cast<double>(shape_.rms_epsilon)));
        for (size_t c = 0; c < y.size(); ++c) y[c] *= w[c] + (shape_.norm_offset ? 1 : 0);
        return stored(y);
    }
    Rows normed(Rows x, int32_t kind, int32_t layer) const {
        const Rows w = matrix(kind, layer, -1);
        for (Row& row : x) row = normed(row, w[0]);
        return x;
    }

    Rows linear(const Rows& x, int32_t layer, int32_t projection) const {
        const Rows w = matrix(VACCINE_TENSOR_WEIGHT, layer, projection), bias = matrix(VACCINE_TENSOR_BIAS, layer, projection);
        const Rows a = matrix(VACCINE_TENSOR_LORA_A, layer, projection), b = matrix(VACCINE_TENSOR_LORA_B, layer, projection);
        Rows y;
        for (const Row& row : x) {
            y.push_back(product(row, w));
            const Row low = b.empty() ? Row(w.size(), 0) : product(product(row, a), b);
            for (size_t c = 0; c < w.size(); ++c) y.back()[c] += lora_scale_ * low[c] + (bias.empty() ? 0 : bias[0][c]);
            y.back() = stored(y.back());
        }
        return y;
    }

    vaccine_layer_shape layer_shape(int32_t layer) const {
        return shape_.layer_shapes != nullptr ? shape_.layer_shapes[layer] : vaccine_layer_shape{0, shape_.sliding_window, 0};
    }

    /// Angles per position are theta^(-2i/HD), a factor less where scaling is linear.
    double angle(int32_t layer, size_t position, size_t i) const {
        const bool local = layer_shape(layer).rope == 1;
        const double theta = local ? shape_.local_rope_theta : shape_.rope_theta;
        const bool linear = (local ? shape_.local_rope_scaling : shape_.rope_scaling) == VACCINE_ROPE_LINEAR;
        const double factor = linear ? (local ? shape_.local_rope_factor : shape_.rope_factor) : 1;
        return static_cast<double>(position) * std::pow(theta, -2.0 * static_cast<double>(i) / shape_.head_size) / factor;
    }

    /// Heads of q or k: cut out, normalised, turned. By row, then by head.
    std::vector<Rows> heads(const Rows& x, int32_t layer, int32_t norm, const std::vector<size_t>& positions) const {
        const size_t HD = static_cast<size_t>(shape_.head_size);
        std::vector<Rows> result;
        for (size_t t = 0; t < x.size(); ++t) {
            Rows of_row;
            for (size_t at = 0; at < x[t].size(); at += HD) {
                Row head(x[t].begin() + static_cast<int64_t>(at), x[t].begin() + static_cast<int64_t>(at + HD));
                if (norm >= 0 && shape_.query_key_norms) head = normed(head, matrix(norm, layer, -1)[0]);
                for (size_t i = 0; norm >= 0 && i < HD / 2; ++i) {
                    const double c = std::cos(angle(layer, positions[t], i)), s = std::sin(angle(layer, positions[t], i));
                    const double low = head[i], high = head[i + HD / 2];
                    head[i] = low * c - high * s;
                    head[i + HD / 2] = high * c + low * s;
                }
                of_row.push_back(stored(head));
            }
            result.push_back(of_row);
        }
        return result;
    }

    Rows attend(int32_t layer, const Rows& x, const std::vector<int32_t>& offsets) const {
        std::vector<size_t> positions;
        for (size_t s = 0; s + 1 < offsets.size(); ++s)
            for (int32_t i = 0; i < offsets[s + 1] - offsets[s]; ++i) positions.push_back(static_cast<size_t>(i));
        const auto q = heads(linear(x, layer, 0), layer, VACCINE_TENSOR_QUERY_NORM, positions);
        const auto k = heads(linear(x, layer, 1), layer, VACCINE_TENSOR_KEY_NORM, positions);
        const auto v = heads(linear(x, layer, 2), layer, -1, positions);
        const double scale = shape_.attention_scale != 0 ? static_cast<double>(shape_.attention_scale)
                                                         : 1 / std::sqrt(static_cast<double>(shape_.head_size));
        const size_t group = static_cast<size_t>(shape_.heads / shape_.kv_heads), window = static_cast<size_t>(layer_shape(layer).window);
        Rows out;
        for (size_t t = 0; t < x.size(); ++t) {
            Row row;
            const size_t first = t - (window > 0 ? std::min(positions[t], window - 1) : positions[t]);
            for (size_t h = 0; h < q[t].size(); ++h) {
                Row sum(static_cast<size_t>(shape_.head_size), 0);
                double total = 0;
                for (size_t j = first; j <= t; ++j) {
                    const Row& key = k[j][h / group];
                    const double weight =
                        std::exp(capped(scale * std::inner_product(key.begin(), key.end(), q[t][h].begin(), 0.0), shape_.attention_cap));
                    total += weight;
                    for (size_t d = 0; d < sum.size(); ++d) sum[d] += weight * v[j][h / group][d];
                }
                sum = stored(scaled(sum, 1 / total));
                row.insert(row.end(), sum.begin(), sum.end());
            }
            out.push_back(row);
        }
        return linear(out, layer, 3);
    }

    Rows gated(int32_t layer, const Rows& x) const {
        Rows gate = linear(x, layer, 4);
        const Rows up = linear(x, layer, 5);
        for (size_t t = 0; t < gate.size(); ++t) {
            for (size_t c = 0; c < gate[t].size(); ++c) {
                const double g = gate[t][c], root = std::sqrt(2 / std::acos(-1.0));
                const double active =
                    shape_.activation == VACCINE_SILU ? g / (1 + std::exp(-g)) : g / 2 * (1 + std::tanh(root * (g + 0.044715 * g * g * g)));
                gate[t][c] = active * up[t][c];
            }
            gate[t] = stored(gate[t]);
        }
        return linear(gate, layer, 6);
    }

    void join(Rows& x, Rows& site, const Rows& output, int32_t norm, int32_t layer) const {
        append(site, output);
        const Rows added = shape_.block_output_norms ? normed(output, norm, layer) : output;
        for (size_t t = 0; t < x.size(); ++t) {
            for (size_t c = 0; c < x[t].size(); ++c) x[t][c] += added[t][c];
            x[t] = stored(x[t]);
        }
    }

    const vaccine_model_shape& shape_;
    vaccine_session* session_;
    double lora_scale_;
    bool rounds_;
};

/// The textbook exactly, and as bf16 has it.
struct Expected {
    Rows exact, rounded;
};

/// In bf16 roundings add up from layer to layer: what is allowed is twice as long an error as that of the textbook with the same roundings.
void near_rows(const std::vector<float>& got, const Expected& want, size_t first, DType type, const std::string& what) {
    const size_t columns = want.exact[first].size();
    double error = 0, usual = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        const size_t row = first + i / columns, column = i % columns;
        const double expected = want.exact[row][column];
        if (type == DType::F32) near(got[i], expected, {2e-5, 2e-5}, what, static_cast<int64_t>(row), static_cast<int64_t>(column));
        error += std::pow(static_cast<double>(got[i]) - expected, 2);
        usual += std::pow(want.rounded[row][column] - expected, 2);
    }
    check(type == DType::F32 || error <= 4 * usual,
          what + " is off by " + std::to_string(std::sqrt(error)) + ", and the textbook in bf16 by " + std::to_string(std::sqrt(usual)));
}

void is_the_textbook(const Setup& setup) {
    Model model(setup);
    const TestBatch batch;
    const vaccine_model_shape shape = Model::shape(setup);
    Textbook exact(model.session, shape, 2, false), rounded(model.session, shape, 2, true);  // alpha 6, rank 3
    exact.run(batch);
    rounded.run(batch);
    vaccine_forward_options forward = Model::forward_options();
    for (int k = 0; k < VACCINE_SITE_KINDS; ++k) forward.record_site[k] = 0;
    model.forward(batch, forward);
    const size_t T = batch.ids.size();
    const auto compare = [&](const Expected& want, int kind, int points, const std::string& what) {
        for (int l = 0; l < points; ++l)
            near_rows(model.site(kind, 0, l), want, static_cast<size_t>(l) * T, setup.activations, what + " " + std::to_string(l));
    };
    compare({exact.residual, rounded.residual}, VACCINE_SITE_RESIDUAL, Model::kLayers + 1, "residual stream");
    compare({exact.attention, rounded.attention}, VACCINE_SITE_ATTENTION, Model::kLayers, "attention output");
    compare({exact.mlp, rounded.mlp}, VACCINE_SITE_MLP, Model::kLayers, "MLP output");
    std::vector<float> logits(T * Model::kVocabulary);
    ok(vaccine_session_read_logits(model.session, 0, static_cast<int32_t>(T), logits.data()));
    near_rows(logits, {exact.logits, rounded.logits}, 0, setup.activations, "logits");
}

/// A gradient at a block's output is that of what the block gives, before its norm: with scalars for it alone, the pass must still go
/// there.
void gradients_at_outputs_need_no_other_wish() {
    Setup setup;
    setup.varied = true;
    for (const int kind : {VACCINE_SITE_ATTENTION, VACCINE_SITE_MLP})
        for (const int32_t recomputed : {0, 4}) {
            setup.recomputed = recomputed;
            Model model(setup);
            model.forward(TestBatch());
            vaccine_backward_options backward = Model::backward_options(-1);
            backward.norm_scalar[kind] = 30;
            backward.read_site[kind] = 0;
            model.backward(backward);
            for (int l = 0; l < Model::kLayers; ++l) {
                double square = 0;
                for (const float g : model.site(kind, 0, l)) square += static_cast<double>(g) * static_cast<double>(g);
                check(square > 0, "the gradient at layer " + std::to_string(l) + " is 0");
                near(model.scalar(30 + l), square, {0, 1e-5}, "square of the norm", kind, l);
            }
        }
}

void mistakes_are_named() {
    vaccine_device* device = nullptr;
    ok(vaccine_device_create(0, 1, &device));
    Setup varied;
    varied.varied = true;
    std::vector<vaccine_layer_shape> layers;
    const auto refuses = [&](const char* word, const std::function<void(vaccine_model_shape&)>& change) {
        vaccine_model_shape shape = Model::shape(varied);
        layers.assign(shape.layer_shapes, shape.layer_shapes + Model::kLayers);
        shape.layer_shapes = layers.data();
        change(shape);
        const vaccine_plan_options options = Model::options({});
        vaccine_plan* plan = nullptr;
        refused(vaccine_plan_create(device, &shape, &options, &plan), VACCINE_INVALID_ARGUMENT, word);
    };
    refuses("shape.activation is 2, expected 0 to 1", [](auto& s) { s.activation = 2; });
    refuses("attention_cap is -1", [](auto& s) { s.attention_cap = -1; });
    refuses("logit_cap is nan", [](auto& s) { s.logit_cap = std::nanf(""); });
    refuses("attention_scale is", [](auto& s) { s.attention_scale = INFINITY; });
    refuses("embedding_scale is -3", [](auto& s) { s.embedding_scale = -3; });
    refuses("local_rope_theta is 0", [](auto& s) { s.local_rope_theta = 0; });
    refuses("local_rope_scaling is 3", [](auto& s) { s.local_rope_scaling = 3; });
    refuses("rope of layer 2 is 2", [&](auto&) { layers[2].rope = 2; });
    refuses("window of layer 3 is -1", [&](auto&) { layers[3].window = -1; });
    refuses("shape.layer_shapes[1].struct_size is 0", [&](auto&) { layers[1].struct_size = 0; });
    vaccine_device_destroy(device);
}

/// Llama, and all that a shape may choose beside it at once.
std::vector<NamedTest> cases() {
    Setup llama, full, varied, tied;
    full.full = tied.full = true;
    varied.varied = tied.varied = tied.tied = true;
    std::vector<NamedTest> list{
        {"adapters", [=] { is_the_textbook(llama); }},
        {"all weights", [=] { is_the_textbook(full); }},
        {"adapters, varied layers", [=] { is_the_textbook(varied); }},
        {"all weights, varied layers, tied", [=] { is_the_textbook(tied); }},
        {"gradients at outputs", gradients_at_outputs_need_no_other_wish},
        {"mistakes", mistakes_are_named},
    };
    if (activation_types().size() > 1) {
        llama.weights = llama.activations = varied.weights = varied.activations = DType::BF16;
        list.push_back({"bf16", [=] { is_the_textbook(llama); }});
        list.push_back({"bf16, varied layers", [=] { is_the_textbook(varied); }});
    }
    return list;
}

}  // namespace

int main() {
    return run_all("engine families", cases());
}
