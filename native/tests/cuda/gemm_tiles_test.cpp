// Every tile gives the same bits, whichever a GPU's table picks: here all of them run, also those that this GPU would not get.
#include "ops/cuda/gemm_tiles.h"
#include "testing.h"

using namespace vaccine;
using ops::Gemm;
using ops::GemmKind;
using testing::Buffer;
using testing::Machine;

namespace {

constexpr int kRank = 24;

/// A product with everything that its kind may have.
struct Product {
    Machine& machine;
    const GemmKind kind;
    const DType c_type;
    const int M, N, K;
    Buffer a, b, left, right, bias, addend, c;

    Product(Machine& on, GemmKind which, DType type, int rows, int columns, int depth)
        : machine(on),
          kind(which),
          c_type(type),
          M(rows),
          N(columns),
          K(depth),
          a(on, kind == GemmKind::WeightGradient ? K : M, kind == GemmKind::WeightGradient ? M : K, DType::BF16),
          b(on, kind == GemmKind::Forward ? N : K, kind == GemmKind::Forward ? K : N, DType::BF16),
          left(on, M, kRank),
          right(on, kind == GemmKind::Forward ? N : kRank, kind == GemmKind::Forward ? kRank : N),
          bias(on, 1, N),
          addend(on, M, N, type),
          c(on, M, N, type) {
        testing::Random random(7);
        for (Buffer* buffer : {&a, &b, &left, &right, &bias, &addend}) buffer->fill(random);
    }

    template <class Tile> std::vector<double> in() {
        Gemm gemm;
        gemm.M = M;
        gemm.N = N;
        gemm.K = K;
        gemm.a = View(a).data;
        gemm.a_row = View(a).columns;
        gemm.b = View(b).data;
        gemm.b_row = View(b).columns;
        gemm.addend = View(addend).data;
        gemm.c = View(c).data;
        gemm.c_row = N;
        if (kind != GemmKind::WeightGradient) {
            gemm.bias = View(bias).as<float>();
            gemm.low = {View(left).as<float>(), View(right).as<float>(), View(right).columns, kRank, 0.5f, {}};
        }
        if (kind == GemmKind::InputGradient) gemm.low.mask = ops::dropout_mask({0.25f, {1, 2, 3}}, N);
        c.fill_with(-7);
        ops::gemm_with<Tile>("gemm", machine.stream(), kind, c_type, gemm);
        return c.values();
    }
};

void same_bits(GemmKind kind, DType type) {
    Machine machine;
    constexpr int kDepth = 3 * 128 + 72;  // every step of every stage of the deepest tile has numbers
    for (const int rows : {8, 136}) {
        Product product(machine, kind, type, rows, 264, kDepth);
        const std::vector<double> large = product.in<ops::LargeTile>();
        testing::check(product.in<ops::DeepTile>() == large, "the deep tile differs from the large one");
        testing::check(product.in<ops::MiddleTile>() == large, "the middle tile differs from the large one");
        testing::check(product.in<ops::SmallTile>() == large, "the small tile differs from the large one");
    }
}

}  // namespace

int main() {
    return testing::run_all("gemm tiles", {{"forward", [] { same_bits(GemmKind::Forward, DType::BF16); }},
                                           {"forward to fp32", [] { same_bits(GemmKind::Forward, DType::F32); }},
                                           {"input gradient", [] { same_bits(GemmKind::InputGradient, DType::BF16); }},
                                           {"weight gradient", [] { same_bits(GemmKind::WeightGradient, DType::F32); }}});
}
