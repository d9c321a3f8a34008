// The linear layers that linear_test.cpp tries.
#pragma once
#include <utility>

#include "testing.h"

namespace vaccine::testing::linear {

enum class Addend { None, Own, Other };  // none, y itself, another buffer

struct Case {
    int64_t T, in, out, rank;  // rank 0: no adapter
    float dropout = 0;
    DType type = DType::F32, w_type = DType::F32;
    bool bias = false;
    Addend addend = Addend::None;
    bool dx = true, weights = false;  // which gradients
    bool logits = false;              // y and dy in fp32 whatever the activations' type
    DType y_type() const { return logits ? DType::F32 : type; }
};

inline std::string name(const Case& k) {
    return std::string(name_of(k.type)) + " T=" + std::to_string(k.T) + " in=" + std::to_string(k.in) + " out=" + std::to_string(k.out) +
           " r=" + std::to_string(k.rank) + " p=" + std::to_string(k.dropout) + " w " + name_of(k.w_type) + (k.bias ? " bias" : "") +
           (k.addend == Addend::Own     ? " onto itself"
            : k.addend == Addend::Other ? " onto another"
                                        : "") +
           (k.dx ? " dx" : "") + (k.weights ? " dw" : "") + (k.logits ? " logits" : "");
}

/// Every kind of size with every kind of adapter, in fp32.
inline void add_fp32_cases(std::vector<Case>& list) {
    const bool slow = activation_types().size() > 1;  // a simulated GPU
    for (int64_t T : {0, 1, 4, 31, 32, 33, 130})
        for (auto [in, out] : {std::pair<int64_t, int64_t>{1, 1}, {31, 33}, {32, 32}, {33, 70}, {64, 31}})
            for (int64_t rank : {0, 1, 8, 33})
                for (float dropout : {0.0f, 0.3f}) {
                    if (rank == 0 && dropout > 0) continue;
                    if (slow && (T + in + rank + (dropout > 0)) % 7 != 0) continue;
                    list.push_back({T, in, out, rank, dropout, DType::F32, (T + rank) % 2 ? DType::BF16 : DType::F32, rank % 2 == 0,
                                    T % 3 == 1 ? (rank == 8 ? Addend::Other : Addend::Own) : Addend::None, rank != 1,
                                    rank != 8 || T == 33});
                }
    // dropout(x) takes more than one piece
    if (!slow) list.push_back({300, 4000, 5, 4, 0.1f, DType::F32, DType::F32, false, Addend::None, true, true});
}

/// Sizes that tensor cores can take and ones that they cannot, with every kind of adapter; then tiles of every size.
inline void add_bf16_cases(std::vector<Case>& list) {
    constexpr DType kType = DType::BF16;
    int64_t turn = 0;
    for (int64_t T : {1, 31, 32, 33, 64, 130})
        for (auto [in, out] : {std::pair<int64_t, int64_t>{8, 8}, {64, 128}, {136, 72}, {264, 40}, {33, 70}, {40, 1}})
            for (int64_t rank : {0, 1, 8, 33, 64}) {
                if ((++turn + T) % 3 != 0) continue;  // every T meets every size, every rank every size
                list.push_back({T, in, out, rank, rank > 0 && turn % 2 == 0 ? 0.3f : 0.0f, kType, turn % 4 == 0 ? DType::F32 : kType,
                                turn % 5 < 2, static_cast<Addend>(turn / 3 % 3), turn % 7 != 0, turn % 2 == 0, turn % 11 == 0});
            }
    list.push_back({31, 520, 264, 12, 0.25f, kType, kType, true, Addend::Own});  // every warp has a share of an adapter's product
    list.push_back({17, 264, 520, 24, 0.25f, kType, kType, false, Addend::None});
    list.push_back({17, 72, 136, 32, 0.25f, kType, kType, false, Addend::None, true, true});
    list.push_back({24, 136, 72, 70, 0.25f, kType, kType, true, Addend::Own});         // a rank of several steps in the small tile
    list.push_back({648, 24, 1040, 8, 0.25f, kType, kType, true, Addend::Other});      // the large tile
    list.push_back({648, 1040, 24, 70, 0.25f, kType, kType, true, Addend::Other});     // and in dx; a rank of several steps
    list.push_back({24, 1040, 648, 0, 0, kType, DType::F32, false, {}, false, true});  // and in dw
}

inline std::vector<Case> cases() {
    std::vector<Case> list;
    add_fp32_cases(list);
    if (activation_types().size() > 1) add_bf16_cases(list);
    return list;
}

}  // namespace vaccine::testing::linear
