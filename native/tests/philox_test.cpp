// Philox4x32-10 against the known answers that its authors publish (Random123, kat_vectors), and what is built on it.
#include "core/philox.h"

#include <set>

#include "testing.h"

using namespace vaccine;

namespace {

struct Answer {
    uint32_t counter[4], key[2], words[4];
};

// The first three are Random123's; the digits of pi make up the third.
const std::vector<Answer> kAnswers{
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

void known_answers() {
    for (const Answer& k : kAnswers) {
        const RandomBlock block =
            philox(k.counter[0], k.counter[1], k.counter[2], k.counter[3], PhiloxKeys(k.key[0] | uint64_t{k.key[1]} << 32));
        for (int i = 0; i < 4; ++i) testing::check(block.word[i] == k.words[i], "a word of Philox4x32-10 is wrong");
    }
}

/// Where the parts of a RandomKey go: the sequences of two keys that differ anywhere are different ones.
void key_layout() {
    const RandomKey key{0x299f31d0a4093822ull, 0x13198a2e, 0x03707344};
    const RandomBlock block = random_block(key, 0x85a308d3243f6a88ull);
    for (int i = 0; i < 4; ++i) testing::check(block.word[i] == kAnswers[2].words[i], "a part of the key is in the wrong place");
}

void purposes_differ() {
    std::set<uint32_t> seen;
    for (RandomUse use : {RandomUse::Dropout, RandomUse::SiteNoise, RandomUse::Sampling, RandomUse::Initialization})
        for (uint32_t pass : {0, 1, 15})
            for (uint32_t layer : {0, 1, 255, 65535})
                for (uint32_t place : {0, 1, 255})
                    testing::check(seen.insert(random_purpose(use, pass, layer, place)).second, "two purposes have one number");
}

void uniform() {
    testing::check(random_uniform(0) == 0.0f, "the least uniform is not 0");
    testing::check(random_uniform(0xFFFFFFFFu) == 1.0f - 1.0f / 16777216.0f, "the largest uniform is not 1 - 2^-24");
}

}  // namespace

int main() {
    return testing::run_all(
        "philox",
        {{"known answers", known_answers}, {"key layout", key_layout}, {"purposes differ", purposes_differ}, {"uniform", uniform}});
}
