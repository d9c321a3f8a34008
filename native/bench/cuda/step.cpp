// The step is preset `paper`: 8 of 32 layers chosen, fresh dropout masks in the second pass, backward down to the lowest chosen layer.
#include "step.h"

#include <cstdio>
#include <vector>

#include "cards.h"

namespace vaccine::bench {
namespace {

constexpr double kTokens = 2000, kLabelled = 800, kLayers = 32, kChosen = 8;
constexpr double kBackwardLayers = 30;                               // the lowest of 8 layers drawn evenly from 0..31 is 2.7 on average
constexpr double kAdapterParameters = 19988480 * kChosen / kLayers;  // rank 8 on seven projections

/// `times` calls of a case, each with `rows` rows.
struct Item {
    const char* group;
    const char* name;
    double times, rows;
};

std::vector<Item> items() {
    const double forward = 2 * kLayers, backward = 2 * kBackwardLayers;
    return {
        {"forward", "linear C -> C forward", 4 * forward, kTokens},
        {"forward", "linear C -> F forward", 2 * forward, kTokens},
        {"forward", "linear F -> C forward", forward, kTokens},
        {"forward", "attention forward", forward, kTokens},
        {"forward", "rmsnorm forward", 2 * forward, kTokens},
        {"forward", "rope", 2 * forward, kTokens},
        {"forward", "swiglu forward", forward, kTokens},
        {"forward", "embedding forward", 2, kTokens},
        {"loss", "head forward", 2, kLabelled},
        {"loss", "cross entropy forward", 2, kLabelled},
        {"loss", "cross entropy backward", 2, kLabelled},
        {"loss", "head backward", 2, kLabelled},
        {"backward", "linear C -> C backward", 4 * backward, kTokens},
        {"backward", "linear F -> C backward", backward, kTokens},
        {"backward", "linear C -> F backward", 2 * backward, kTokens},
        {"backward", "attention backward", backward, kTokens},
        {"backward", "rmsnorm backward + residual", 2 * backward, kTokens},
        {"backward", "rmsnorm forward", 2 * kChosen, kTokens},
        {"backward", "rope", 2 * backward, kTokens},
        {"backward", "swiglu backward", backward, kTokens},
        {"backward", "swiglu forward", kChosen, kTokens},
        {"backward", "linear C -> C adapter gradients", 10 * kChosen, kTokens},  // 4, and 3 of 2.7 times the width
        {"perturbation", "site read (copy)", kChosen, kTokens},
        {"perturbation", "site norm (sum of squares)", 2 * kChosen, kTokens},
        {"perturbation", "perturbation scale", kChosen, kTokens},
        {"perturbation", "perturbation add (axpy)", kChosen, kTokens},
        {"optimizer", "adamw", 1, kAdapterParameters / 4096},
    };
}

Work work_of(const Counted& counted, double rows) {
    const double growth = rows / counted.what.rows;
    Work work;
    work.bytes = counted.what.bytes - counted.what.bytes_of_rows + counted.what.bytes_of_rows * growth;
    work.mma = counted.counters.mma * growth;
    work.warp_instructions = counted.counters.warp_instructions * growth;
    work.launches = counted.counters.launches;
    return work;
}

}  // namespace

void print_step(const std::map<std::string, Counted>& counted) {
    std::printf("| part | item | calls | rows | MB a call | M mma a call |");
    for (const Card& card : cards()) std::printf(" %s ms | bound |", card.name);
    std::printf("\n|---|---|--:|--:|--:|--:|");
    for (size_t i = 0; i < cards().size(); ++i) std::printf("--:|---|");
    std::printf("\n");
    std::vector<double> total(cards().size(), 0);
    for (const Item& item : items()) {
        const auto found = counted.find(item.name);
        if (found == counted.end()) {
            std::printf("| %s | %s | not counted |\n", item.group, item.name);
            continue;
        }
        const Work work = work_of(found->second, item.rows);
        std::printf("| %s | %s | %.0f | %.0f | %.1f | %.2f |", item.group, item.name, item.times, item.rows, work.bytes * 1e-6,
                    work.mma * 1e-6);
        for (size_t i = 0; i < cards().size(); ++i) {
            const Prediction prediction = predict(cards()[i], work);
            total[i] += prediction.microseconds * item.times;
            std::printf(" %.2f | %s |", prediction.microseconds * item.times * 1e-3, prediction.bound);
        }
        std::printf("\n");
    }
    std::printf("| **step** | | | | | |");
    for (const double microseconds : total) std::printf(" **%.0f** | |", microseconds * 1e-3);
    std::printf("\n");
}

}  // namespace vaccine::bench
