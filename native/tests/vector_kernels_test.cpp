// The inner loops of the cpu ops, one instruction set after the other. What the op tests cover is not repeated here.
#include "ops/cpu/vector_kernels.h"

#include <limits>

#include "ops/cpu/vector_kernels_by_isa.h"
#include "testing.h"

using namespace vaccine;

namespace {

void for_each_isa(const std::function<void(const ops::VectorKernels&)>& run) {
    for (Isa isa : available_isas()) {
        force_isa(isa);
        try {
            run(ops::vector_kernels());
        } catch (const std::exception& error) {
            testing::fail(std::string(error.what()) + " (" + name_of(isa) + ")");
        }
    }
    force_isa(best_isa());
}

/// The table in use is the one of the instruction set that was asked for.
void dispatch() {
    force_isa(Isa::Plain);
    testing::check(&ops::vector_kernels() == &ops::kVectorKernelsPlain, "plain kernels are not in use");
#if defined(__x86_64__) || defined(_M_X64)
    for (Isa isa : available_isas()) {
        force_isa(isa);
        const ops::VectorKernels* expected = isa == Isa::Avx512 ? &ops::kVectorKernelsAvx512
                                             : isa == Isa::Avx2 ? &ops::kVectorKernelsAvx2
                                                                : &ops::kVectorKernelsPlain;
        testing::check(&ops::vector_kernels() == expected, std::string("other kernels are in use than those for ") + name_of(isa));
    }
#endif
    force_isa(best_isa());
}

/// exp is reached through scaled_exp, factor 1 and shift 0.
void exponential() {
    for_each_isa([](const ops::VectorKernels& kernels) {
        double worst = 0;
        std::vector<float> x;
        for (int64_t i = 0; i <= 2000000; ++i) x.push_back(static_cast<float>(-87.3 + 176.0 * static_cast<double>(i) / 2000000));
        const std::vector<float> at = x;
        kernels.scaled_exp(x.data(), 0, 1, static_cast<int64_t>(x.size()));
        for (size_t i = 0; i < x.size(); ++i) {
            const double want = std::exp(static_cast<double>(at[i]));
            const float rounded = static_cast<float>(want);
            const double unit =
                static_cast<double>(std::nextafter(rounded, std::numeric_limits<float>::infinity())) - static_cast<double>(rounded);
            worst = std::max(worst, std::abs(static_cast<double>(x[i]) - want) / unit);
        }
        testing::check(worst <= 1.5, "exp is wrong by " + std::to_string(worst) + " units in the last place");

        const float infinity = std::numeric_limits<float>::infinity();
        float special[] = {-infinity, -1000, -104.5f, -100, 0, 89, 1000, infinity, std::numeric_limits<float>::quiet_NaN()};
        kernels.scaled_exp(special, 0, 1, 9);
        testing::check(special[0] == 0 && special[1] == 0 && special[2] == 0, "exp of less than -104 is not 0");
        testing::near(special[3], 3.783506e-44, {1.5e-45, 0}, "exp(-100), subnormal");
        testing::check(special[4] == 1, "exp(0) is not 1");
        testing::check(special[5] == infinity && special[6] == infinity && special[7] == infinity, "exp of more than 88.8 is not infinite");
        testing::check(std::isnan(special[8]), "exp(NaN) is not NaN");
    });
}

/// tanh is reached through soft_cap, cap 1.
void hyperbolic_tangent() {
    for_each_isa([](const ops::VectorKernels& kernels) {
        std::vector<float> x;
        for (int64_t i = 0; i <= 1000000; ++i) x.push_back(static_cast<float>(-12 + 24.0 * static_cast<double>(i) / 1000000));
        for (float small = 1e-30f; small < 1; small *= 1.1f) x.push_back(small);
        const std::vector<float> at = x;
        kernels.soft_cap(x.data(), 1, static_cast<int64_t>(x.size()));
        for (size_t i = 0; i < x.size(); ++i)
            testing::near(static_cast<double>(x[i]), std::tanh(static_cast<double>(at[i])), {0, 3e-7}, "tanh", 0, static_cast<int64_t>(i));
        float nothing = std::numeric_limits<float>::quiet_NaN();
        kernels.soft_cap(&nothing, 1, 1);
        testing::check(std::isnan(nothing), "tanh(NaN) is not NaN");
    });
}

void product() {
    for_each_isa([](const ops::VectorKernels& kernels) {
        testing::Random random(4);
        for (int64_t m : {1, 2, 5, 6, 7, 8, 9, 23})
            for (int64_t n : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50})
                for (int64_t k : {0, 1, 13})
                    for (int variant = 0; variant < 4; ++variant) {
                        const bool transposed = (variant & 1) != 0, accumulate = (variant & 2) != 0;
                        const int64_t b_row = n + 3, c_row = n + 2;
                        std::vector<float> a(static_cast<size_t>((m + 1) * (k + 1))), b(static_cast<size_t>((k + 1) * b_row));
                        std::vector<float> c(static_cast<size_t>(m * c_row));
                        for (auto* matrix : {&a, &b, &c})
                            for (float& value : *matrix) value = static_cast<float>(random.value());
                        const std::vector<float> before = c;
                        ops::Product q;
                        q.m = m, q.n = n, q.k = k, q.accumulate = accumulate;
                        q.a = a.data(), q.a_row = transposed ? 1 : k + 1, q.a_column = transposed ? m + 1 : 1;
                        q.b = b.data(), q.b_row = b_row, q.c = c.data(), q.c_row = c_row;
                        kernels.product(q);
                        for (int64_t i = 0; i < m; ++i)
                            for (int64_t j = 0; j < c_row; ++j) {
                                const size_t at = static_cast<size_t>(i * c_row + j);
                                double want = accumulate || j >= n ? static_cast<double>(before[at]) : 0;
                                for (int64_t l = 0; j < n && l < k; ++l)
                                    want += static_cast<double>(q.a[i * q.a_row + l * q.a_column]) * static_cast<double>(b[l * b_row + j]);
                                testing::near(c[at], want, {1e-6, 1e-6}, "c", i, j);
                            }
                    }
    });
}

void transpose() {
    for_each_isa([](const ops::VectorKernels& kernels) {
        for (int64_t rows : {1, 7, 8, 9, 33})
            for (int64_t columns : {1, 8, 16, 18, 31}) {
                std::vector<float> from(static_cast<size_t>(rows * (columns + 1))), to(static_cast<size_t>(columns * (rows + 2)), -1.0f);
                for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
                kernels.transpose(from.data(), columns + 1, rows, columns, to.data(), rows + 2);
                for (int64_t c = 0; c < columns; ++c)
                    for (int64_t r = 0; r < rows + 2; ++r) {
                        const float want = r < rows ? from[static_cast<size_t>(r * (columns + 1) + c)] : -1.0f;
                        testing::check(to[static_cast<size_t>(c * (rows + 2) + r)] == want, "transposed wrongly");
                    }
            }
    });
}

/// Every bf16 survives the way to fp32 and back, and rounding goes to the nearest, ties to even, as the vector kernels' does.
void bfloat16() {
    std::vector<float> all_values, ties;
    for (uint32_t half = 0; half < 65536; ++half) all_values.push_back(bf16_to_float(static_cast<uint16_t>(half)));
    for (size_t i = 0; i < all_values.size(); ++i) {
        if (std::isnan(all_values[i])) {
            testing::check(std::isnan(bf16_to_float(bf16_from_float(all_values[i]))), "a NaN became a number");
            continue;
        }
        testing::check(bf16_from_float(all_values[i]) == i, "bf16 does not survive");
        for (uint32_t low : {0x7FFFu, 0x8000u, 0x8001u}) {
            const uint32_t bits = static_cast<uint32_t>(i) << 16 | low;
            float value;
            std::memcpy(&value, &bits, 4);
            const size_t want = low < 0x8000u ? i : low > 0x8000u ? i + 1 : i + (i & 1);
            testing::check(std::isnan(value) || bf16_from_float(value) == want, "bf16 is not rounded to nearest even");
            ties.push_back(value);
        }
    }
    for_each_isa([&](const ops::VectorKernels& kernels) {
        for (const std::vector<float>* values : {&all_values, &ties}) {
            const int64_t n = static_cast<int64_t>(values->size()) - 5;  // an odd end
            std::vector<uint16_t> rounded(values->size(), 0x1234);
            std::vector<float> back(values->size(), -7.0f);
            kernels.convert[0][1](values->data(), rounded.data(), n);
            kernels.convert[1][0](rounded.data(), back.data(), n);
            for (size_t i = 0; i < values->size(); ++i) {
                const bool inside = static_cast<int64_t>(i) < n;
                testing::check(rounded[i] == (inside ? bf16_from_float((*values)[i]) : 0x1234), "vectors round bf16 otherwise");
                const float want = inside ? bf16_to_float(rounded[i]) : -7.0f;
                testing::check(std::memcmp(&back[i], &want, 4) == 0, "vectors widen bf16 otherwise");
            }
        }
    });
}

void largest() {
    for_each_isa([](const ops::VectorKernels& kernels) {
        for (int64_t n = 1; n < 40; ++n)
            for (int64_t at = 0; at < n; ++at) {
                std::vector<float> x(static_cast<size_t>(n) + 1, -3.0f);
                x[static_cast<size_t>(at)] = -1;
                x[static_cast<size_t>(n)] = 9;
                testing::check(kernels.largest(x.data(), n) == -1, "largest of " + std::to_string(n) + " at " + std::to_string(at));
            }
    });
}

}  // namespace

int main() {
    return testing::run_all("vector kernels", {{"dispatch", dispatch},
                                               {"exponential", exponential},
                                               {"hyperbolic tangent", hyperbolic_tangent},
                                               {"product", product},
                                               {"transpose", transpose},
                                               {"bfloat16", bfloat16},
                                               {"largest", largest}});
}
