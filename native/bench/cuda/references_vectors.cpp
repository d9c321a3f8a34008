#include "references.h"

namespace vaccine::bench {

Expectations combination_gives(Device& device, double x_factor, View x, double y_factor, View y) {
    const Copy in(device, x), before(device, y);
    Expectations all;
    for (const int64_t t : places(y.rows))
        for (const int64_t c : places(y.columns)) all.push_back({"y", y, t, c, x_factor * in(t, c) + y_factor * before(t, c), 1e-6});
    return all;
}

Expectations gram_gives(Device& device, View x, View y, int64_t length, View out) {
    const Copy left(device, x), right(device, y);
    const int64_t n = length * x.columns;
    Expectations all;
    for (const int64_t a : places(out.rows))
        for (const int64_t b : places(out.columns)) {
            Sum sum;
            for (int64_t i = 0; i < n; ++i) sum.add(left.at(a * n + i) * right.at(b * n + i));
            all.push_back({"out", out, a, b, sum.value, 1e-10 * sum.size});
        }
    return all;
}

Expectations add_combination_gives(Device& device, View x, View coefficients, View y, int64_t length) {
    const Copy in(device, x), factors(device, coefficients), before(device, y);
    Expectations all;
    for (const int64_t t : places(y.rows))
        for (const int64_t c : places(y.columns)) {
            double sum = before(t, c);
            for (int64_t b = 0; b < coefficients.columns; ++b) sum += factors(t / length, b) * in(b * length + t % length, c);
            all.push_back({"y", y, t, c, sum, 1e-7 * std::abs(sum)});
        }
    return all;
}

Expectations sum_of_squares_gives(Device& device, View x, View out) {
    const Copy in(device, x);
    double sum = 0;
    for (int64_t i = 0; i < x.count(); ++i) sum += in.at(i) * in.at(i);
    return {{"out", out, 0, 0, sum, 1e-10 * sum}};  // in fp64, in another order
}

Expectations adamw_gives(Device& device, View p, View g, View m, View v, const ops::AdamW& options) {
    const Copy parameter(device, p), gradient(device, g), first(device, m), second(device, v);
    const double step = static_cast<double>(options.step);
    Expectations all;
    for (const int64_t t : places(p.rows))
        for (const int64_t c : places(p.columns)) {
            const double slope = gradient(t, c);
            const double mean = options.beta1 * first(t, c) + (1 - options.beta1) * slope;
            const double square = options.beta2 * second(t, c) + (1 - options.beta2) * slope * slope;
            const double root = std::sqrt(square / (1 - std::pow(options.beta2, step))) + options.epsilon;
            const double change = options.learning_rate / (1 - std::pow(options.beta1, step)) * mean / root;
            const double kept = parameter(t, c) * (1 - options.learning_rate * options.weight_decay);
            all.push_back({"p", p, t, c, kept - change, 1e-6 * (std::abs(kept) + std::abs(change))});
            all.push_back({"m", m, t, c, mean, 1e-6 * (std::abs(mean) + std::abs(slope))});
            all.push_back({"v", v, t, c, square, 1e-6 * square});
        }
    return all;
}

}  // namespace vaccine::bench
