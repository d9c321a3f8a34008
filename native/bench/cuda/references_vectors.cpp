#include "references.h"

namespace vaccine::bench {

Expectations combination_gives(Device& device, double x_factor, View x, double y_factor, View y) {
    const Copy in(device, x), before(device, y);
    Expectations all;
    for (const int64_t t : places(y.rows))
        for (const int64_t c : places(y.columns)) all.push_back({"y", y, t, c, x_factor * in(t, c) + y_factor * before(t, c), 1e-6});
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
