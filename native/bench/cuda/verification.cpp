#include "verification.h"

#include <cstdio>

namespace vaccine::bench {
namespace {

double rounding_of(DType type) {
    return type == DType::BF16 ? kHalfError : type == DType::F32 ? 1.0 / (1 << 23) : 1e-12;
}

}  // namespace

Copy::Copy(Device& device, const View& view) : view_(view), bytes_(static_cast<size_t>(view.bytes())) {
    device.download(bytes_.data(), view.data, view.bytes());
}

double Copy::at(int64_t index) const {
    return testing::number_at(view_.dtype, bytes_.data(), index);
}

double Copy::rounded(int64_t row, int64_t column) const {
    return testing::round_to_bf16((*this)(row, column));
}

std::vector<int64_t> places(int64_t n) {
    std::vector<int64_t> chosen;
    for (const int64_t place : {int64_t{0}, n / 3 + 1, n * 2 / 3 - 1, n - 1})
        if (place >= 0 && place < n && (chosen.empty() || place > chosen.back())) chosen.push_back(place);
    return chosen;
}

std::string first_difference(Device& device, const Expectations& expectations, bool by_cublas) {
    for (const Expected& e : expectations) {
        const View one{static_cast<char*>(e.view.data) + (e.row * e.view.columns + e.column) * size_of(e.view.dtype), e.view.dtype, 1, 1};
        const double rounded = std::abs(e.value) + (by_cublas ? std::abs(e.product) : 0);
        const double got = Copy(device, one).at(0), allowed = e.slack + rounding_of(e.view.dtype) * rounded;
        if (std::abs(got - e.value) <= allowed) continue;  // so that NaN differs
        char text[200];
        std::snprintf(text, sizeof text, "%s[%lld, %lld] is %.8g, expected %.8g within %.2g", e.name, static_cast<long long>(e.row),
                      static_cast<long long>(e.column), got, e.value, allowed);
        return text;
    }
    return "";
}

}  // namespace vaccine::bench
