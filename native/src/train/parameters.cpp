#include "train/parameters.h"

#include <string>

#include "core/error.h"
#include "ops/ops.h"

namespace vaccine {

View Parameters::get(int vector) const {
    require(vector >= 0 && vector < static_cast<int>(buffers_.vectors.size()) && !buffers_.vectors[static_cast<size_t>(vector)].empty(),
            "vector is " + std::to_string(vector) + ", and the plan has no such parameter vector");
    return buffers_.vectors[static_cast<size_t>(vector)];
}

void Parameters::for_runs(const uint8_t* mask, const std::function<bool(int, int)>& same,
                          const std::function<void(int64_t, int64_t, int)>& f) const {
    const TensorTable& tensors = plan_.tensors();
    const int n = tensors.trainable_count();
    const auto end_of = [&](int i) { return i + 1 < n ? tensors.trainable(i + 1).offset : tensors.vector_length(); };
    for (int i = 0; i < n;) {
        if (mask != nullptr && mask[i] == 0) {
            ++i;
            continue;
        }
        int last = i;
        while (last + 1 < n && (mask == nullptr || mask[last + 1] != 0) && same(i, last + 1)) ++last;
        f(tensors.trainable(i).offset, end_of(last) - tensors.trainable(i).offset, i);
        i = last + 1;
    }
}

void Parameters::for_all(const uint8_t* mask, const std::function<void(int64_t, int64_t)>& f) const {
    for_runs(
        mask, [](int, int) { return true; }, [&](int64_t first, int64_t count, int) { f(first, count); });
}

void Parameters::zero(int vector, const uint8_t* mask) {
    const View x = get(vector);
    for_all(mask, [&](int64_t first, int64_t n) { ops::fill_zero(device_.stream(), x.slice(first, n)); });
}

void Parameters::copy(int from, int to, const uint8_t* mask) {
    const View x = get(from), y = get(to);
    if (from == to) return;
    for_all(mask, [&](int64_t first, int64_t n) { ops::copy(device_.stream(), x.slice(first, n), y.slice(first, n)); });
}

void Parameters::scale(int vector, float factor, const uint8_t* mask) {
    const View x = get(vector);
    for_all(mask, [&](int64_t first, int64_t n) { ops::scale(device_.stream(), x.slice(first, n), factor); });
}

void Parameters::axpy(float alpha, int from, int to, const uint8_t* mask) {
    const View x = get(from), y = get(to);
    require(from != to, "x and y are the same vector");
    for_all(mask, [&](int64_t first, int64_t n) { ops::axpy(device_.stream(), alpha, x.slice(first, n), y.slice(first, n)); });
}

void Parameters::scale_to_norm(int vector, float numerator, View sum_of_squares, float epsilon, const uint8_t* mask) {
    const View x = get(vector);
    for_all(mask,
            [&](int64_t first, int64_t n) { ops::scale_to_norm(device_.stream(), x.slice(first, n), numerator, sum_of_squares, epsilon); });
}

void Parameters::axpy_to_norm(float numerator, View sum_of_squares, float epsilon, int from, int to, const uint8_t* mask) {
    const View x = get(from), y = get(to);
    require(from != to, "x and y are the same vector");
    for_all(mask, [&](int64_t first, int64_t n) {
        ops::axpy_to_norm(device_.stream(), numerator, sum_of_squares, epsilon, x.slice(first, n), y.slice(first, n));
    });
}

void Parameters::multiply_add(float alpha, int a_index, int b_index, int y_index, const uint8_t* mask) {
    const View a = get(a_index), b = get(b_index), y = get(y_index);
    require(y_index != a_index && y_index != b_index, "y is also a or b");
    for_all(mask, [&](int64_t first, int64_t n) {
        ops::multiply_add(device_.stream(), alpha, a.slice(first, n), b.slice(first, n), y.slice(first, n));
    });
}

void Parameters::dot(int x_index, int y_index, const uint8_t* mask, View out) {
    const View x = get(x_index), y = get(y_index);
    int64_t runs = 0;
    for_all(mask, [&](int64_t first, int64_t n) {
        const View part = buffers_.scratch_scalars.slice(runs++, 1);
        if (x_index == y_index)
            ops::sum_of_squares(device_.stream(), x.slice(first, n), part);
        else
            ops::dot(device_.stream(), x.slice(first, n), y.slice(first, n), part);
    });
    if (runs == 0)
        ops::fill_zero(device_.stream(), out);
    else
        ops::sum(device_.stream(), buffers_.scratch_scalars.slice(0, runs), out);
}

}  // namespace vaccine
