#include "cuda/cases.h"
#include "cuda/references.h"

namespace vaccine::bench {
namespace {

constexpr DType kActivation = DType::BF16;
constexpr int64_t kSamples = 4;  // of a Gram matrix

double size(const View& view) {
    return static_cast<double>(view.bytes());
}

}  // namespace

/// What sites, perturbation and optimizer do.
void Cases::add_vectors() {
    const auto define = [this](const char* name, auto bytes, auto call, auto gives) {
        definitions_.push_back({name, [this, bytes, call, gives] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    const View out{numbers(1, 2, DType::F32).data, DType::F64, 1, 1};
                                    ops::fill_zero(stream(), out);
                                    for (int i = 0; i < copies_; ++i) {
                                        const View half = numbers(rows_, model_.C, kActivation),
                                                   full = numbers(rows_, model_.C, DType::F32);
                                        c.bytes = c.bytes_of_rows = bytes(size(half), size(full));
                                        c.add([=] { call(stream(), half, full, out); }, [=] { return gives(device_, half, full, out); });
                                    }
                                    return c;
                                }});
    };
    define(
        "site read (copy)", [](double half, double full) { return half + full; },
        [](Stream& s, View half, View full, View) { ops::copy(s, half, full); },
        [](Device& d, View half, View full, View) { return combination_gives(d, 1, half, 0, full); });
    define(
        "site norm (sum of squares)", [](double, double full) { return full; },
        [](Stream& s, View, View full, View out) { ops::sum_of_squares(s, full, out); },
        [](Device& d, View, View full, View out) { return sum_of_squares_gives(d, full, out); });
    define(
        "perturbation scale", [](double, double full) { return 2 * full; },
        [](Stream& s, View, View full, View out) { ops::scale_to_norm(s, full, 3, out, 1); },  // the sum in `out` is 0
        [](Device& d, View, View full, View) { return combination_gives(d, 0, full, 3, full); });
    define(
        "perturbation add (axpy)", [](double half, double full) { return 2 * half + full; },
        [](Stream& s, View half, View full, View) { ops::axpy(s, 1, full, half); },
        [](Device& d, View half, View full, View) { return combination_gives(d, 1, full, 1, half); });
    definitions_.push_back({"step to a norm (axpy)", [this] {
                                Case c;
                                c.rows = static_cast<double>(rows_);
                                const View out{numbers(1, 2, DType::F32).data, DType::F64, 1, 1};
                                ops::fill_zero(stream(), out);
                                for (int i = 0; i < copies_; ++i) {
                                    const View x = numbers(rows_, model_.C, DType::F32), y = numbers(rows_, model_.C, DType::F32);
                                    c.bytes = c.bytes_of_rows = 3 * size(x);
                                    c.add([=] { ops::axpy_to_norm(stream(), 3, out, 1, x, y); },  // the sum in `out` is 0
                                          [=] { return combination_gives(device_, 3, x, 1, y); });
                                }
                                return c;
                            }});
    definitions_.push_back({"adamw", [this] {
                                Case c;
                                c.rows = static_cast<double>(rows_);
                                for (int i = 0; i < copies_; ++i) {
                                    View v[4];
                                    for (View& view : v) view = numbers(rows_, model_.C, DType::F32);
                                    ops::fill_zero(stream(), v[3]);
                                    c.bytes = c.bytes_of_rows = 7 * size(v[0]);
                                    const View p = v[0], g = v[1], m = v[2], second = v[3];
                                    const ops::AdamW options{1e-3, 0.9, 0.999, 1e-8, 0.1, 3};
                                    c.add([=] { ops::adamw(stream(), p, g, m, second, options, {}, 0); },
                                          [=] { return adamw_gives(device_, p, g, m, second, options); });
                                }
                                return c;
                            }});
    add_samples();
}

/// Products and combinations of site tensors' samples.
void Cases::add_samples() {
    const auto define = [this](const char* name, double reads_of_x, auto call, auto gives) {
        definitions_.push_back(
            {name, [this, reads_of_x, call, gives] {
                 Case c;
                 const int64_t length = rows_ / kSamples;
                 c.rows = static_cast<double>(kSamples * length);
                 std::vector<int32_t> first(kSamples + 1);
                 for (int64_t s = 0; s <= kSamples; ++s) first[static_cast<size_t>(s)] = static_cast<int32_t>(s * length);
                 const View offsets = integers(first);
                 const View matrix{device_.allocate(kSamples * kSamples * 8), DType::F64, kSamples, kSamples};
                 taken_.push_back(matrix.data);
                 std::vector<double> factors;
                 for (int64_t f = 0; f < matrix.count(); ++f) factors.push_back(0.25 * static_cast<double>(f) - 1);
                 device_.upload(matrix.data, factors.data(), matrix.bytes());
                 for (int i = 0; i < copies_; ++i) {
                     const View x = numbers(kSamples * length, model_.C, DType::F32), y = numbers(kSamples * length, model_.C, DType::F32);
                     c.bytes = c.bytes_of_rows = reads_of_x * size(x);
                     c.add([=] { call(stream(), x, y, offsets, length, matrix); }, [=] { return gives(device_, x, y, length, matrix); });
                 }
                 return c;
             }});
    };
    define(
        "products of samples (gram)", 2,
        [](Stream& s, View x, View y, View offsets, int64_t length, View out) { ops::gram(s, x, offsets, y, offsets, length, out); },
        gram_gives);
    define(
        "combination of samples", 3,
        [](Stream& s, View x, View y, View offsets, int64_t length, View matrix) {
            ops::add_combination(s, x, offsets, matrix, y, offsets, length);
        },
        [](Device& d, View x, View y, int64_t length, View matrix) { return add_combination_gives(d, x, matrix, y, length); });
}

}  // namespace vaccine::bench
