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
    return {sampling->temperature, sampling->top_k, sampling->top_p, sampling->repetition_penalty, sampling->seed};
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
        if (options->head_weights != nullptr)
            o.head_weights.assign(options->head_weights, options->head_weights + s.plan().shape().layers + 1);
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

vaccine_status vaccine_decode_next(vaccine_session* session, int32_t count, const int32_t* samples, const int32_t* tokens,
                                   const vaccine_sampling* sampling, int32_t* out_tokens) noexcept {
    return guard_pass("vaccine_decode_next", session, [&](vaccine::Session& s) {
        not_null(samples, "samples");
        not_null(tokens, "tokens");
        not_null(out_tokens, "out_tokens");
        s.network.decode_next(count, samples, tokens, sampling_of(sampling), out_tokens);
    });
}

}  // extern "C"
