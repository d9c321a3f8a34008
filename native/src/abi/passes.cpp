#include <cmath>

#include "abi/guard.h"

using namespace vaccine::abi;

namespace {

vaccine::BatchInput input_of(const vaccine_batch* given, const char* name) {
    const Known<vaccine_batch> batch(given, name);
    return {batch->tokens, batch->samples, batch->input_ids, batch->labels, batch->offsets};
}

vaccine::Network::Sampling sampling_of(const vaccine_sampling* given) {
    const Known<vaccine_sampling> sampling(given, "sampling");
    vaccine::require(sampling->temperature >= 0 && sampling->top_k >= 0 && sampling->top_p > 0 && sampling->top_p <= 1,
                     "sampling wants temperature >= 0, top_k >= 0 and top_p in (0, 1]");
    vaccine::require(
        sampling->repetition_penalty > 0 && std::isfinite(sampling->repetition_penalty),
        "sampling.repetition_penalty is " + std::to_string(sampling->repetition_penalty) + ", expected a positive number; 1 is none");
    return {sampling->temperature, sampling->top_k, sampling->top_p, sampling->repetition_penalty, sampling->seed, sampling->seeds};
}

/// The heads of a model with so many layers, each checked as far as its struct goes.
std::vector<vaccine::LossHead> heads_of(const vaccine_forward_options& options, int64_t layers) {
    if (options.heads == nullptr) return {{layers, vaccine::LossKind::Labels, 1, 1, -1}};
    const int64_t most = (layers + 1) * VACCINE_LOSS_KINDS * VACCINE_LOSS_NORMS;
    vaccine::require(options.head_count >= 0 && options.head_count <= most,
                     "options.head_count is " + std::to_string(options.head_count) + ", expected 0 to " + std::to_string(most));
    std::vector<vaccine::LossHead> heads;
    const auto* bytes = reinterpret_cast<const unsigned char*>(options.heads);
    for (int32_t i = 0; i < options.head_count; ++i) {
        const std::string name = "options.heads[" + std::to_string(i) + "]";
        const Known<vaccine_loss_head> known(reinterpret_cast<const vaccine_loss_head*>(bytes), name.c_str());
        const vaccine_loss_head& in = *known;
        bytes += in.struct_size;  // the array is the caller's, of structs as it knows them
        vaccine::require(in.kind >= 0 && in.kind < VACCINE_LOSS_KINDS,
                         name + ".kind is " + std::to_string(in.kind) + ", expected 0 to " + std::to_string(VACCINE_LOSS_KINDS - 1));
        heads.push_back({in.point, static_cast<vaccine::LossKind>(in.kind), in.norms, in.weight, in.loss_scalar});
    }
    return heads;
}

}  // namespace

extern "C" {

vaccine_status vaccine_session_interrupt(vaccine_session* session, int32_t on) noexcept {
    return guard("vaccine_session_interrupt", [&] {
        not_null(session, "session");
        session->interrupted.store(on != 0, std::memory_order_relaxed);
    });
}

vaccine_status vaccine_session_forward(vaccine_session* session, const vaccine_batch* batch, const vaccine_forward_options* given,
                                       int64_t* out_labels) noexcept {
    return guard_pass("vaccine_session_forward", session, [&](vaccine::Session& s) {
        const Known<vaccine_forward_options> options(given, "options");
        not_null(out_labels, "out_labels");
        vaccine::ForwardOptions o;
        o.dropout = options->dropout != 0;
        o.seed = options->seed;
        o.step = options->step;
        o.pass = options->pass;
        o.for_backward = options->for_backward != 0;
        o.from_layer = options->from_layer;
        for (size_t k = 0; k < VACCINE_SITE_KINDS; ++k) {
            o.record[k] = options->record_site[k];
            o.add[k] = options->add_site[k];
        }
        o.loss_scalar = options->loss_scalar;
        o.heads = heads_of(*options, s.plan().shape().layers);
        o.record_teacher = options->record_teacher != 0;
        o.adapter_off = options->adapter_off != 0;
        *out_labels = s.network.forward(input_of(batch, "batch"), o);
    });
}

vaccine_status vaccine_session_backward(vaccine_session* session, const vaccine_backward_options* given) noexcept {
    return guard_pass("vaccine_session_backward", session, [&](vaccine::Session& s) {
        const Known<vaccine_backward_options> options(given, "options");
        vaccine::BackwardOptions o;
        o.loss_scale = options->loss_scale;
        o.gradient_vector = options->gradient_vector;
        o.floor = options->floor;
        o.tensors = options->tensors;
        for (size_t k = 0; k < VACCINE_SITE_KINDS; ++k) {
            o.read[k] = options->read_site[k];
            o.add[k] = options->add_site[k];
            o.norm_scalar[k] = options->norm_scalar[k];
        }
        s.network.backward(o);
    });
}

vaccine_status vaccine_session_read_losses(vaccine_session* session, int64_t count, float* out_losses) noexcept {
    return guard_session("vaccine_session_read_losses", session, [&](vaccine::Session& s) {
        not_null(out_losses, "out_losses");
        s.network.read_losses(count, out_losses);
    });
}

vaccine_status vaccine_session_read_logits(vaccine_session* session, int32_t first_row, int32_t rows, float* out_logits) noexcept {
    return guard_session("vaccine_session_read_logits", session, [&](vaccine::Session& s) {
        not_null(out_logits, "out_logits");
        s.network.read_logits(first_row, rows, out_logits);
    });
}

vaccine_status vaccine_decode_begin(vaccine_session* session, const vaccine_batch* prompts, const vaccine_sampling* sampling,
                                    int32_t* out_tokens) noexcept {
    return guard_pass("vaccine_decode_begin", session, [&](vaccine::Session& s) {
        not_null(out_tokens, "out_tokens");
        s.network.decode_begin(input_of(prompts, "prompts"), sampling_of(sampling), out_tokens);
    });
}

vaccine_status vaccine_decode_join(vaccine_session* session, const vaccine_batch* prompts, const int32_t* samples,
                                   const vaccine_sampling* sampling, int32_t* out_tokens) noexcept {
    return guard_pass("vaccine_decode_join", session, [&](vaccine::Session& s) {
        not_null(samples, "samples");
        not_null(out_tokens, "out_tokens");
        s.network.decode_join(input_of(prompts, "prompts"), samples, sampling_of(sampling), out_tokens);
    });
}

vaccine_status vaccine_decode_next(vaccine_session* session, int32_t count, const int32_t* samples, const int32_t* tokens,
                                   const vaccine_sampling* sampling, int32_t* out_tokens) noexcept {
    return guard_pass("vaccine_decode_next", session, [&](vaccine::Session& s) {
        not_null(samples, "samples");
        not_null(tokens, "tokens");
        not_null(out_tokens, "out_tokens");
        s.network.decode_next(count, samples, tokens, sampling_of(sampling), out_tokens);
    });
}

vaccine_status vaccine_decode_extend(vaccine_session* session, const vaccine_batch* batch, const int32_t* samples, const int32_t* starts,
                                     int64_t* out_labels) noexcept {
    return guard_pass("vaccine_decode_extend", session, [&](vaccine::Session& s) {
        not_null(samples, "samples");
        not_null(starts, "starts");
        not_null(out_labels, "out_labels");
        *out_labels = s.network.decode_extend(input_of(batch, "batch"), samples, starts);
    });
}

}  // extern "C"
