// ldmatrix and mma.sync. The fragments are those of the PTX manual: lane l holds row l/4 and columns 2*(l%4) of each 8x8 piece.
// A sum is made in double and rounded once; the card's own order and rounding differ in the last bits.
#include <algorithm>
#include <cstring>

#include "block.h"
#include "handlers.h"

namespace vaccine::ptx {

namespace {

constexpr int kRows = 16, kColumns = 8, kDeepest = 32;

uint32_t piece(const Warp& w, const Operand& operand, size_t k, int lane) {
    const Operand& part = operand.form == Operand::Form::Vector ? operand.parts[k] : operand;
    return lanes_of<uint32_t>(w, part)[lane];
}

size_t pieces(const Operand& operand) {
    return operand.form == Operand::Form::Vector ? operand.parts.size() : 1;
}

struct Fragments {
    float a[kRows][kDeepest], b[kDeepest][kColumns];
    double sum[kRows][kColumns];
    int depth = 0;
};

/// Fills the factors with elements of W to a register; `element` takes one out of its bits.
template <int W, class Element> void unpack_factors(const Warp& w, const Instruction& i, Fragments& f, Element element) {
    const auto each = [&](const Operand& operand, size_t k, auto put) {
        const Operand& part = operand.form == Operand::Form::Vector ? operand.parts[k] : operand;
        const uint32_t* bits = lanes_of<uint32_t>(w, part);
        for (int row = 0; row < kWarpSize / 4; ++row)
            for (int pair = 0; pair < 4; ++pair)
                for (int e = 0; e < W; ++e) put(row, pair * W + e, element(bits[4 * row + pair], e));
    };
    const size_t in_a = pieces(i.operands[1]), in_b = pieces(i.operands[2]);
    f.depth = static_cast<int>(in_b) * 4 * W;
    for (size_t k = 0; k < in_a; ++k) {
        const int row = 8 * static_cast<int>(k % 2), column = 4 * W * static_cast<int>(k / 2);
        each(i.operands[1], k, [&](int r, int c, float value) { f.a[row + r][column + c] = value; });
    }
    for (size_t k = 0; k < in_b; ++k) {
        const int row = 4 * W * static_cast<int>(k);
        each(i.operands[2], k, [&](int c, int r, float value) { f.b[row + r][c] = value; });
    }
}

void read_factors(const Warp& w, const Instruction& i, Fragments& f) {
    if (i.factors == Type::TF32)
        unpack_factors<1>(w, i, f, [](uint32_t bits, int) { return bits_to<float>(bits & 0xFFFFE000); });
    else if (i.factors == Type::BF16)
        unpack_factors<2>(w, i, f, [](uint32_t bits, int e) { return bits_to<float>(e == 0 ? bits << 16 : bits & 0xFFFF0000); });
    else
        unpack_factors<2>(w, i, f, [](uint32_t bits, int e) { return f16_to_float(static_cast<uint16_t>(bits >> (16 * e))); });
}

void read_sum(const Warp& w, const Operand& c, Fragments& f) {
    const bool half = pieces(c) == 2;
    for (int l = 0; l < kWarpSize; ++l)
        for (int e = 0; e < 4; ++e) {
            const uint32_t bits =
                half ? piece(w, c, static_cast<size_t>(e / 2), l) >> (16 * (e % 2)) : piece(w, c, static_cast<size_t>(e), l);
            f.sum[l / 4 + 8 * (e / 2)][l % 4 * 2 + e % 2] = half ? f16_to_float(static_cast<uint16_t>(bits)) : bits_to<float>(bits);
        }
}

void write_sum(const Warp& w, const Operand& d, const Fragments& f) {
    const bool half = pieces(d) == 2;
    for (int l = 0; l < kWarpSize; ++l)
        for (int r = 0; r < 2; ++r) {
            const double *row = f.sum[l / 4 + 8 * r], left = row[l % 4 * 2], right = row[l % 4 * 2 + 1];
            const auto at = static_cast<size_t>(r);
            if (half) {
                write_lane(w, d.parts[at], l,
                           float_to_f16(static_cast<float>(left)) | uint32_t{float_to_f16(static_cast<float>(right))} << 16);
            } else {
                write_lane(w, d.parts[2 * at], l, bits_to<uint32_t>(static_cast<float>(left)));
                write_lane(w, d.parts[2 * at + 1], l, bits_to<uint32_t>(static_cast<float>(right)));
            }
        }
}

}  // namespace

void multiply_matrices(Warp& w, const Instruction& i, LaneMask) {
    Fragments f;
    read_factors(w, i, f);
    read_sum(w, i.operands[3], f);
    for (int r = 0; r < kRows; ++r) {
        double row[kColumns];  // one vector register
        std::copy(f.sum[r], f.sum[r] + kColumns, row);
        for (int k = 0; k < f.depth; ++k)
            for (int c = 0; c < kColumns; ++c) row[c] += static_cast<double>(f.a[r][k]) * static_cast<double>(f.b[k][c]);
        std::copy(row, row + kColumns, f.sum[r]);
    }
    write_sum(w, i.operands[0], f);
}

/// Signed bytes, four in a register.
void multiply_integer_matrices(Warp& w, const Instruction& i, LaneMask) {
    int32_t a[kRows][kDeepest], b[kDeepest][kColumns];
    const size_t in_a = pieces(i.operands[1]), in_b = pieces(i.operands[2]);
    const int depth = static_cast<int>(in_b) * 16;
    const auto byte = [&](size_t operand, size_t k, int l, int e) {
        return static_cast<int8_t>(piece(w, i.operands[operand], k, l) >> (8 * e));
    };
    for (int l = 0; l < kWarpSize; ++l)
        for (int e = 0; e < 4; ++e) {
            for (size_t k = 0; k < in_a; ++k)
                a[l / 4 + 8 * static_cast<int>(k % 2)][l % 4 * 4 + e + 16 * static_cast<int>(k / 2)] = byte(1, k, l, e);
            for (size_t k = 0; k < in_b; ++k) b[l % 4 * 4 + e + 16 * static_cast<int>(k)][l / 4] = byte(2, k, l, e);
        }
    for (int l = 0; l < kWarpSize; ++l)
        for (size_t e = 0; e < 4; ++e) {
            const int r = l / 4 + 8 * static_cast<int>(e / 2), c = l % 4 * 2 + static_cast<int>(e % 2);
            int64_t sum = static_cast<int32_t>(piece(w, i.operands[3], e, l));
            for (int k = 0; k < depth; ++k) sum += a[r][k] * b[k][c];
            if (i.saturate) sum = std::min<int64_t>(std::max<int64_t>(sum, INT32_MIN), INT32_MAX);
            write_lane(w, i.operands[0].parts[e], l, static_cast<uint32_t>(sum));
        }
}

/// Lanes 0-7 name the rows of the first 8x8 matrix of 16-bit elements, lanes 8-15 of the second, and so on.
void load_matrix(Warp& w, const Instruction& i, LaneMask lanes) {
    const Operand &value = i.operands[0], &from = i.operands[1];
    const LaneMask naming = i.vector == 4 ? kAllLanes : (LaneMask{1} << (8 * i.vector)) - 1;
    uint64_t addresses[kWarpSize] = {};
    uint8_t rows[kWarpSize][16];
    std::memset(rows, 0xFF, sizeof rows);
    for_lanes(lanes, [&](int l) { addresses[l] = (read_lane(w, from, l) + static_cast<uint64_t>(from.value)) & 0xFFFFFFFF; });
    count_shared(w.block->count(i), addresses, naming & lanes, 16);
    for (LaneMask rest = naming & lanes; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        const uint8_t* row = w.block->access(w, i, l, {Space::Shared, addresses[l], 16, false, false, nullptr});
        if (row != nullptr) std::memcpy(rows[l], row, 16);
    }
    for (int k = 0; k < i.vector; ++k)
        for_lanes(lanes, [&](int l) {
            uint32_t bits;
            if (!i.transposed) {
                std::memcpy(&bits, rows[8 * k + l / 4] + 4 * (l % 4), 4);
            } else {
                uint16_t first, second;
                std::memcpy(&first, rows[8 * k + 2 * (l % 4)] + 2 * (l / 4), 2);
                std::memcpy(&second, rows[8 * k + 2 * (l % 4) + 1] + 2 * (l / 4), 2);
                bits = first | uint32_t{second} << 16;
            }
            write_lane(w, value.form == Operand::Form::Vector ? value.parts[static_cast<size_t>(k)] : value, l, bits);
        });
}

}  // namespace vaccine::ptx
