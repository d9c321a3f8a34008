#include "model/sites.h"

#include "abi/guard.h"
#include "ops/ops.h"

using namespace vaccine::abi;

namespace {

/// One layer of a site tensor, of `count` floats.
vaccine::View layer_of(vaccine::Session& s, int32_t kind, int32_t site, int32_t layer, int64_t count) {
    vaccine::SiteTensor& x = s.sites.get(kind, site);
    vaccine::require(layer >= 0 && layer < x.points() && x.holds(layer),
                     "layer " + std::to_string(layer) + " is not one that the site tensor holds");
    const vaccine::View view = x.layer(layer);
    vaccine::require(count == view.count(),
                     "count is " + std::to_string(count) + ", expected " + std::to_string(view.count()) + " (tokens * hidden)");
    return view;
}

}  // namespace

extern "C" {

vaccine_status vaccine_site_select(vaccine_session* session, int32_t kind, int32_t site, const uint8_t* layers) noexcept {
    return guard_session("vaccine_site_select", session, [&](vaccine::Session& s) {
        not_null(layers, "layers");
        s.sites.get(kind, site).select(layers);
    });
}

vaccine_status vaccine_site_zero(vaccine_session* session, int32_t kind, int32_t site) noexcept {
    return guard_session("vaccine_site_zero", session,
                         [&](vaccine::Session& s) { vaccine::ops::fill_zero(s.device().stream(), s.sites.get(kind, site).storage()); });
}

vaccine_status vaccine_site_fill_normal(vaccine_session* session, int32_t kind, int32_t site, int32_t tokens, float deviation,
                                        uint64_t seed, uint32_t step) noexcept {
    return guard_session("vaccine_site_fill_normal", session,
                         [&](vaccine::Session& s) { s.sites.fill_normal(s.sites.get(kind, site), kind, tokens, deviation, seed, step); });
}

vaccine_status vaccine_site_scale(vaccine_session* session, int32_t kind, int32_t site, float factor) noexcept {
    return guard_session("vaccine_site_scale", session,
                         [&](vaccine::Session& s) { vaccine::ops::scale(s.device().stream(), s.sites.get(kind, site).whole(), factor); });
}

vaccine_status vaccine_site_axpy(vaccine_session* session, int32_t kind, float alpha, int32_t x, int32_t y) noexcept {
    return guard_session("vaccine_site_axpy", session, [&](vaccine::Session& s) { s.sites.axpy(kind, alpha, x, y); });
}

vaccine_status vaccine_site_dot(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int32_t scalar) noexcept {
    return guard_session("vaccine_site_dot", session, [&](vaccine::Session& s) { s.sites.dot(kind, x, y, s.sites.scalar(scalar)); });
}

vaccine_status vaccine_site_norms(vaccine_session* session, int32_t kind, int32_t site, int32_t first_scalar) noexcept {
    return guard_session("vaccine_site_norms", session, [&](vaccine::Session& s) { s.sites.norms(s.sites.get(kind, site), first_scalar); });
}

vaccine_status vaccine_site_scale_to_norm(vaccine_session* session, int32_t kind, int32_t site, float numerator, float epsilon,
                                          int32_t scalar) noexcept {
    return guard_session("vaccine_site_scale_to_norm", session, [&](vaccine::Session& s) {
        vaccine::ops::scale_to_norm(s.device().stream(), s.sites.get(kind, site).whole(), numerator, s.sites.scalar(scalar), epsilon);
    });
}

vaccine_status vaccine_site_mask_rows(vaccine_session* session, int32_t kind, int32_t site, const uint8_t* rows) noexcept {
    return guard_session("vaccine_site_mask_rows", session, [&](vaccine::Session& s) {
        not_null(rows, "rows");
        s.sites.mask_rows(s.sites.get(kind, site), rows);
    });
}

vaccine_status vaccine_site_gram(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int64_t count, double* out_gram) noexcept {
    return guard_session("vaccine_site_gram", session, [&](vaccine::Session& s) {
        not_null(out_gram, "out_gram");
        s.sites.gram(kind, x, y, s.network.batch(), count, out_gram);
    });
}

vaccine_status vaccine_site_add_combination(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int64_t count,
                                            const double* coefficients) noexcept {
    return guard_session("vaccine_site_add_combination", session, [&](vaccine::Session& s) {
        not_null(coefficients, "coefficients");
        s.sites.add_combination(kind, x, y, s.network.batch(), count, coefficients);
    });
}

vaccine_status vaccine_site_write(vaccine_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count,
                                  const float* values) noexcept {
    return guard_session("vaccine_site_write", session, [&](vaccine::Session& s) {
        not_null(values, "values");
        s.write(layer_of(s, kind, site, layer, count), 0, count, values);
    });
}

vaccine_status vaccine_site_read(vaccine_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count,
                                 float* out_values) noexcept {
    return guard_session("vaccine_site_read", session, [&](vaccine::Session& s) {
        not_null(out_values, "out_values");
        s.read(layer_of(s, kind, site, layer, count), 0, count, out_values);
    });
}

}  // extern "C"
