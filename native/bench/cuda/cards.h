#pragma once
#include <string>
#include <vector>

namespace vaccine::bench {

/// What a prediction assumes of a card.
struct Card {
    const char* name;
    double multiprocessors, gigahertz;
    double gigabytes_per_second;  // of its data sheet
    double cycles_of_mma;         // of m16n8k16 bf16 with fp32 sums, on one of a multiprocessor's four parts
};

/// Boost clocks and bandwidths are NVIDIA's. 3090 and 4090: 64 multiply-adds a clock and part, which gives the 71 and 165 TFLOP/s of their
/// data sheets. H100 SXM: mma.sync is taken to reach half of the 512 that wgmma does.
inline const std::vector<Card>& cards() {
    static const std::vector<Card> list{
        {"RTX 3090", 82, 1.695, 936, 32}, {"RTX 4090", 128, 2.52, 1008, 32}, {"H100 SXM", 132, 1.83, 3350, 8}};
    return list;
}

/// Shares of a card's peaks that a good kernel is assumed to reach, and what a launch costs where kernels are short.
constexpr double kBandwidthShare = 0.88, kTensorShare = 0.85, kIssueShare = 0.7, kLaunchMicroseconds = 3;

struct Work {
    double bytes = 0, mma = 0, warp_instructions = 0, launches = 0;
};

struct Prediction {
    double microseconds = 0;
    const char* bound = "";
};

/// The slowest of memory, tensor cores and instruction issue, each at its share; a kernel takes at least what its launch costs.
inline Prediction predict(const Card& card, const Work& work) {
    const double memory = work.bytes / (card.gigabytes_per_second * kBandwidthShare * 1e3);
    const double parts = card.multiprocessors * 4 * card.gigahertz * 1e3;  // cycles of a part in a microsecond, over all parts
    const double tensor = work.mma * card.cycles_of_mma / (parts * kTensorShare);
    const double issue = work.warp_instructions / (parts * kIssueShare);
    Prediction result{memory, "memory"};
    if (tensor > result.microseconds) result = {tensor, "tensor"};
    if (issue > result.microseconds) result = {issue, "issue"};
    if (work.launches * kLaunchMicroseconds > result.microseconds) result = {work.launches * kLaunchMicroseconds, "launch"};
    return result;
}

}  // namespace vaccine::bench
