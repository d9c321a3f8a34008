// What a case must give at some places, worked out in double on the host before the case runs.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/view.h"
#include "reference_numbers.h"

namespace vaccine::bench {

/// The numbers of a view as they are now.
class Copy {
public:
    Copy(Device& device, const View& view);
    double operator()(int64_t row, int64_t column) const { return at(row * view_.columns + column); }
    double at(int64_t element) const;
    /// As a product on tensor cores takes it: in bf16.
    double rounded(int64_t row, int64_t column) const;

private:
    View view_;
    std::vector<unsigned char> bytes_;
};

/// One element, and how far off it may be beyond its own rounding.
struct Expected {
    const char* name;
    View view;
    int64_t row, column;
    double value, slack;
    double product = 0;  // the part of a linear layer's output that cuBLAS rounds before an adapter's part is added
};
using Expectations = std::vector<Expected>;

/// A sum and the sum of its terms' sizes.
struct Sum {
    double value = 0, size = 0;
    void add(double term) {
        value += term;
        size += std::abs(term);
    }
};

using testing::kHalfError;
using testing::kSplitError;
using testing::kSplitProductError;
using testing::sum_error;

/// Some of 0 .. n-1: the first, the last, and some between that no tile begins with.
std::vector<int64_t> places(int64_t n);

/// Empty if every place has what is expected, else the first that has not. by_cublas: products may be rounded once more.
std::string first_difference(Device& device, const Expectations& expectations, bool by_cublas = false);

}  // namespace vaccine::bench
