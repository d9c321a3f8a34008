// The linear layer with cublasLt in place of our products, against our own: forward, input gradient and weight gradient, with all that
// cuBLAS does not do. Run with a stand-in cublasLt, or on a GPU with the real one.
#include "testing.h"

using namespace vaccine;
using testing::Buffer;
using testing::Machine;

namespace {

struct Layer {
    Buffer x, w, bias, y, addend, dy, dx, dw, a, b, h, da, db, scratch;

    Layer(Machine& machine, int64_t T, int64_t in, int64_t out, int64_t rank)
        : x(machine, T, in, DType::BF16),
          w(machine, out, in, DType::BF16),
          bias(machine, 1, out),
          y(machine, T, out, DType::BF16),
          addend(machine, T, out, DType::BF16),
          dy(machine, T, out, DType::BF16),
          dx(machine, T, in, DType::BF16),
          dw(machine, out, in),
          a(machine, rank, in),
          b(machine, out, rank),
          h(machine, T, rank),
          da(machine, rank, in),
          db(machine, out, rank),
          scratch(machine, T, rank) {
        testing::Random random(5);
        for (Buffer* buffer : {&x, &w, &bias, &addend, &dy, &a, &b}) buffer->fill(random);
    }

    /// Everything that a linear layer computes.
    std::vector<std::vector<double>> run(Machine& machine, GemmChoice choice) {
        ops::choose_gemm(machine.stream(), choice);
        for (Buffer* buffer : {&dx, &dw, &da, &db}) buffer->fill_with(0.25);
        ops::Lora lora;
        lora.a = a;
        lora.b = b;
        lora.h = h;
        lora.scale = 0.5f;
        lora.dropout = {0.25f, {1, 2, 3}};
        ops::linear_forward(machine.stream(), x, w, bias, lora, y, addend);
        ops::LinearGradients gradients;
        gradients.dx = dx;
        gradients.accumulate_dx = true;
        gradients.dw = dw;
        gradients.da = da;
        gradients.db = db;
        ops::linear_backward(machine.stream(), dy, x, w, lora, gradients, scratch);
        return {y.values(), dx.values(), dw.values(), da.values(), db.values()};
    }
};

/// cuBLAS's product is rounded to bf16 before bias and adapter are added, so y and dx have one rounding more.
void same_layer() {
    Machine machine;
    Layer layer(machine, 37, 72, 104, 8);
    const auto own = layer.run(machine, GemmChoice::Own), cublas = layer.run(machine, GemmChoice::Cublas);
    const char* const names[] = {"y", "dx", "dw", "da", "db"};
    for (size_t i = 0; i < own.size(); ++i) {
        double largest = 0;
        for (const double value : own[i]) largest = std::max(largest, std::abs(value));
        const testing::Tolerance allowed = i < 2 ? testing::Tolerance{largest / 128, 0} : testing::Tolerance{largest * 1e-5, 0};
        for (size_t k = 0; k < own[i].size(); ++k) testing::near(cublas[i][k], own[i][k], allowed, names[i], 0, static_cast<int64_t>(k));
    }
}

/// Only where cuBLAS was measured to be faster.
void automatic() {
    Machine machine;
    Layer layer(machine, 37, 72, 104, 8);
    const bool hopper = machine.device().info().compute_major == 9;
    const GemmChoice expected = hopper ? GemmChoice::Cublas : GemmChoice::Own;
    testing::check(layer.run(machine, GemmChoice::Auto) == layer.run(machine, expected), "auto chose the other one");
}

/// Each has a handle and a workspace of its own: two devices' queues may work at the same time. The stand-in refuses a workspace that
/// serves two handles, or a handle that is no more, and the program fails if one is left.
void two_devices() {
    Machine first, second;
    Layer left(first, 37, 72, 104, 8), right(second, 37, 72, 104, 8);
    const auto expected = left.run(first, GemmChoice::Cublas);
    const auto* kept = first.stream().cublas.get();
    testing::check(right.run(second, GemmChoice::Cublas) == expected, "the second device computes something else");
    testing::check(left.run(first, GemmChoice::Cublas) == expected, "the first device computes something else");
    testing::check(first.stream().cublas.get() == kept, "choosing cuBLAS again made another handle");
}

}  // namespace

int main() {
    return testing::run_all("cublas", {{"the same layer", same_layer}, {"auto", automatic}, {"two devices", two_devices}});
}
