#include <cmath>

#include "abi/guard.h"

using namespace nv::abi;

namespace {

nv::BatchInput input_of(const nv_batch* batch, const char* name) {
    check_struct(batch, name);
    return {batch->tokens, batch->samples, batch->input_ids, batch->labels, batch->offsets};
}

nv::Network::Sampling sampling_of(const nv_sampling* sampling) {
    check_struct(sampling, "sampling");
    nv::require(sampling->temperature >= 0 && sampling->top_k >= 0 && sampling->top_p > 0 && sampling->top_p <= 1,
                "sampling wants temperature >= 0, top_k >= 0 and top_p in (0, 1]");
    nv::require(
        sampling->repetition_penalty > 0 && std::isfinite(sampling->repetition_penalty),
        "sampling.repetition_penalty is " + std::to_string(sampling->repetition_penalty) + ", expected a positive number; 1 is none");
    return {sampling->temperature, sampling->top_k, sampling->top_p, sampling->repetition_penalty, sampling->seed};
}

}  // namespace

extern "C" {

nv_status nv_session_interrupt(nv_session* session, int32_t on) noexcept {
    return guard("nv_session_interrupt", [&] {
        not_null(session, "session");
        session->interrupted.store(on != 0, std::memory_order_relaxed);
    });
}

nv_status nv_session_forward(nv_session* session, const nv_batch* batch, const nv_forward_options* options, int64_t* out_labels) noexcept {
    return guard_pass("nv_session_forward", session, [&](nv::Session& s) {
        check_struct(options, "options");
        not_null(out_labels, "out_labels");
        nv::ForwardOptions o;
        o.dropout = options->dropout != 0;
        o.seed = options->seed;
        o.step = options->step;
        o.pass = options->pass;
        o.for_backward = options->for_backward != 0;
        o.from_layer = options->from_layer;
        for (size_t k = 0; k < NV_SITE_KINDS; ++k) {
            o.record[k] = options->record_site[k];
            o.add[k] = options->add_site[k];
        }
        o.loss_scalar = options->loss_scalar;
        if (options->head_weights != nullptr)
            o.head_weights.assign(options->head_weights, options->head_weights + s.plan().shape().layers + 1);
        *out_labels = s.network.forward(input_of(batch, "batch"), o);
    });
}

nv_status nv_session_backward(nv_session* session, const nv_backward_options* options) noexcept {
    return guard_pass("nv_session_backward", session, [&](nv::Session& s) {
        check_struct(options, "options");
        nv::BackwardOptions o;
        o.loss_scale = options->loss_scale;
        o.gradient_vector = options->gradient_vector;
        o.floor = options->floor;
        o.tensors = options->tensors;
        for (size_t k = 0; k < NV_SITE_KINDS; ++k) {
            o.read[k] = options->read_site[k];
            o.add[k] = options->add_site[k];
            o.norm_scalar[k] = options->norm_scalar[k];
        }
        s.network.backward(o);
    });
}

nv_status nv_session_read_losses(nv_session* session, int64_t count, float* out_losses) noexcept {
    return guard_session("nv_session_read_losses", session, [&](nv::Session& s) {
        not_null(out_losses, "out_losses");
        s.network.read_losses(count, out_losses);
    });
}

nv_status nv_session_read_logits(nv_session* session, int32_t first_row, int32_t rows, float* out_logits) noexcept {
    return guard_session("nv_session_read_logits", session, [&](nv::Session& s) {
        not_null(out_logits, "out_logits");
        s.network.read_logits(first_row, rows, out_logits);
    });
}

nv_status nv_decode_begin(nv_session* session, const nv_batch* prompts, const nv_sampling* sampling, int32_t* out_tokens) noexcept {
    return guard_pass("nv_decode_begin", session, [&](nv::Session& s) {
        not_null(out_tokens, "out_tokens");
        s.network.decode_begin(input_of(prompts, "prompts"), sampling_of(sampling), out_tokens);
    });
}

nv_status nv_decode_next(nv_session* session, int32_t count, const int32_t* samples, const int32_t* tokens, const nv_sampling* sampling,
                         int32_t* out_tokens) noexcept {
    return guard_pass("nv_decode_next", session, [&](nv::Session& s) {
        not_null(samples, "samples");
        not_null(tokens, "tokens");
        not_null(out_tokens, "out_tokens");
        s.network.decode_next(count, samples, tokens, sampling_of(sampling), out_tokens);
    });
}

}  // extern "C"
