#include "verification.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/bf16.h"

namespace nv::bench {
namespace {

template <class T> T element(const unsigned char* bytes, int64_t index) {
    T value;
    std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof value), sizeof value);
    return value;
}

double number(DType type, const unsigned char* bytes, int64_t index) {
    switch (type) {
        case DType::F32:
            return static_cast<double>(element<float>(bytes, index));
        case DType::BF16:
            return static_cast<double>(bf16_to_float(element<uint16_t>(bytes, index)));
        case DType::I32:
            return element<int32_t>(bytes, index);
        case DType::F64:
            return element<double>(bytes, index);
    }
    return 0;
}

double rounding_of(DType type) {
    return type == DType::BF16 ? kHalfError : type == DType::F32 ? 1.0 / (1 << 23) : 1e-12;
}

}  // namespace

Copy::Copy(Device& device, const View& view) : view_(view), bytes_(static_cast<size_t>(view.bytes())) {
    device.download(bytes_.data(), view.data, view.bytes());
}

double Copy::at(int64_t index) const {
    return number(view_.dtype, bytes_.data(), index);
}

double Copy::rounded(int64_t row, int64_t column) const {
    return static_cast<double>(bf16_to_float(bf16_from_float(static_cast<float>((*this)(row, column)))));
}

std::vector<int64_t> places(int64_t n) {
    std::vector<int64_t> chosen;
    for (const int64_t place : {int64_t{0}, n / 3 + 1, n * 2 / 3 - 1, n - 1})
        if (place >= 0 && place < n && (chosen.empty() || place > chosen.back())) chosen.push_back(place);
    return chosen;
}

std::string first_difference(Device& device, const Expectations& expectations) {
    for (const Expected& e : expectations) {
        const View one{static_cast<char*>(e.view.data) + (e.row * e.view.columns + e.column) * size_of(e.view.dtype), e.view.dtype, 1, 1};
        const double got = Copy(device, one).at(0), allowed = e.slack + rounding_of(e.view.dtype) * std::abs(e.value);
        if (std::abs(got - e.value) <= allowed) continue;  // so that NaN differs
        char text[200];
        std::snprintf(text, sizeof text, "%s[%lld, %lld] is %.8g, expected %.8g within %.2g", e.name, static_cast<long long>(e.row),
                      static_cast<long long>(e.column), got, e.value, allowed);
        return text;
    }
    return "";
}

}  // namespace nv::bench
