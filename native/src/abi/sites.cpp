#include "model/sites.h"

#include "abi/guard.h"
#include "ops/ops.h"

using namespace nv::abi;

namespace {

/// One layer of a site tensor, of `count` floats.
nv::View layer_of(nv::Session& s, int32_t kind, int32_t site, int32_t layer, int64_t count) {
    nv::SiteTensor& x = s.sites.get(kind, site);
    nv::require(layer >= 0 && layer < x.points() && x.holds(layer),
                "layer " + std::to_string(layer) + " is not one that the site tensor holds");
    const nv::View view = x.layer(layer);
    nv::require(count == view.count(),
                "count is " + std::to_string(count) + ", expected " + std::to_string(view.count()) + " (tokens * hidden)");
    return view;
}

}  // namespace

extern "C" {

nv_status nv_site_select(nv_session* session, int32_t kind, int32_t site, const uint8_t* layers) noexcept {
    return guard_session("nv_site_select", session, [&](nv::Session& s) {
        not_null(layers, "layers");
        s.sites.get(kind, site).select(layers);
    });
}

nv_status nv_site_zero(nv_session* session, int32_t kind, int32_t site) noexcept {
    return guard_session("nv_site_zero", session,
                         [&](nv::Session& s) { nv::ops::fill_zero(s.device().stream(), s.sites.get(kind, site).storage()); });
}

nv_status nv_site_fill_normal(nv_session* session, int32_t kind, int32_t site, int32_t tokens, float deviation, uint64_t seed,
                              uint32_t step) noexcept {
    return guard_session("nv_site_fill_normal", session,
                         [&](nv::Session& s) { s.sites.fill_normal(s.sites.get(kind, site), kind, tokens, deviation, seed, step); });
}

nv_status nv_site_scale(nv_session* session, int32_t kind, int32_t site, float factor) noexcept {
    return guard_session("nv_site_scale", session,
                         [&](nv::Session& s) { nv::ops::scale(s.device().stream(), s.sites.get(kind, site).whole(), factor); });
}

nv_status nv_site_axpy(nv_session* session, int32_t kind, float alpha, int32_t x, int32_t y) noexcept {
    return guard_session("nv_site_axpy", session, [&](nv::Session& s) { s.sites.axpy(kind, alpha, x, y); });
}

nv_status nv_site_dot(nv_session* session, int32_t kind, int32_t x, int32_t y, int32_t scalar) noexcept {
    return guard_session("nv_site_dot", session, [&](nv::Session& s) { s.sites.dot(kind, x, y, s.sites.scalar(scalar)); });
}

nv_status nv_site_norms(nv_session* session, int32_t kind, int32_t site, int32_t first_scalar) noexcept {
    return guard_session("nv_site_norms", session, [&](nv::Session& s) { s.sites.norms(s.sites.get(kind, site), first_scalar); });
}

nv_status nv_site_scale_to_norm(nv_session* session, int32_t kind, int32_t site, float numerator, float epsilon, int32_t scalar) noexcept {
    return guard_session("nv_site_scale_to_norm", session, [&](nv::Session& s) {
        nv::ops::scale_to_norm(s.device().stream(), s.sites.get(kind, site).whole(), numerator, s.sites.scalar(scalar), epsilon);
    });
}

nv_status nv_site_write(nv_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count, const float* values) noexcept {
    return guard_session("nv_site_write", session, [&](nv::Session& s) {
        not_null(values, "values");
        s.write(layer_of(s, kind, site, layer, count), 0, count, values);
    });
}

nv_status nv_site_read(nv_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count, float* out_values) noexcept {
    return guard_session("nv_site_read", session, [&](nv::Session& s) {
        not_null(out_values, "out_values");
        s.read(layer_of(s, kind, site, layer, count), 0, count, out_values);
    });
}

}  // extern "C"
