// Decoding through the C ABI, on a small random model, against forward passes over the whole text.
#include <algorithm>
#include <set>

#include "engine_model.h"

using namespace vaccine::testing;

namespace {

vaccine_sampling greedy_sampling() {
    vaccine_sampling sampling{};
    sampling.struct_size = sizeof sampling;
    sampling.top_p = sampling.repetition_penalty = 1;
    return sampling;
}

/// Greedy decoding token by token must choose what a forward pass over the whole text chooses.
void decoding_agrees_with_forward(const Setup& setup) {
    Model model(setup);
    TestBatch texts;
    vaccine_batch prompts = texts.view();
    prompts.labels = nullptr;
    const vaccine_sampling greedy = greedy_sampling();
    std::vector<std::vector<int32_t>> all(3);
    for (size_t s = 0; s < 3; ++s) all[s].assign(texts.ids.begin() + texts.offsets[s], texts.ids.begin() + texts.offsets[s + 1]);
    int32_t next[3];
    ok(vaccine_decode_begin(model.session, &prompts, &greedy, next));
    for (int i = 0; i < 3; ++i) all[static_cast<size_t>(i)].push_back(next[i]);
    const int32_t some[] = {0, 2};  // the second sample is done early
    for (int step = 0; step < 2; ++step) {
        const int32_t tokens[] = {all[0].back(), all[2].back()};
        ok(vaccine_decode_next(model.session, 2, some, tokens, &greedy, next));
        all[0].push_back(next[0]);
        all[2].push_back(next[1]);
    }
    for (const size_t s : {size_t{0}, size_t{2}}) {
        TestBatch whole;
        whole.ids.assign(all[s].begin(), all[s].end() - 1);
        whole.labels.assign(whole.ids.size(), -100);
        whole.offsets = {0, static_cast<int32_t>(whole.ids.size())};
        vaccine_forward_options forward = Model::forward_options();
        forward.for_backward = 0;
        const vaccine_batch view = whole.view();
        int64_t labels = 0;
        ok(vaccine_session_forward(model.session, &view, &forward, &labels));
        std::vector<float> logits(whole.ids.size() * Model::kVocabulary);
        ok(vaccine_session_read_logits(model.session, 0, static_cast<int32_t>(whole.ids.size()), logits.data()));
        for (size_t i = s == 0 ? 0 : 11; i < whole.ids.size(); ++i) {
            const auto row = logits.begin() + static_cast<int64_t>(i) * Model::kVocabulary;
            check(std::max_element(row, row + Model::kVocabulary) - row == all[s][i + 1],
                  "another token at position " + std::to_string(i + 1));
        }
    }
}

/// A prompt that takes the place of another goes on as it does alone, and so do those beside it.
void joining_changes_no_token(const Setup& setup) {
    Model model(setup);
    const TestBatch texts;
    const auto prompt = [&](std::vector<size_t> which) {
        TestBatch some;
        some.ids.clear();
        some.offsets = {0};
        for (const size_t s : which) {
            some.ids.insert(some.ids.end(), texts.ids.begin() + texts.offsets[s], texts.ids.begin() + texts.offsets[s + 1]);
            some.offsets.push_back(static_cast<int32_t>(some.ids.size()));
        }
        return some;
    };
    vaccine_sampling sampling = greedy_sampling();
    sampling.temperature = 0.8f;
    sampling.repetition_penalty = 1.3f;
    const uint64_t seeds[] = {7, 8, 9};  // of the texts
    std::vector<std::vector<int32_t>> alone(3), together(3);
    for (size_t s = 0; s < 3; ++s) {
        const TestBatch one = prompt({s});
        vaccine_batch view = one.view();
        view.labels = nullptr;
        sampling.seeds = &seeds[s];
        int32_t token = 0;
        const int32_t sample = 0;
        ok(vaccine_decode_begin(model.session, &view, &sampling, &token));
        alone[s].push_back(token);
        for (int step = 0; step < 4; ++step) {
            ok(vaccine_decode_next(model.session, 1, &sample, &token, &sampling, &token));
            alone[s].push_back(token);
        }
    }
    std::vector<size_t> at{0, 1};  // the text in each place of the cache
    uint64_t seed_at[] = {seeds[0], seeds[1], 0};
    sampling.seeds = seed_at;
    const auto read = [&](std::vector<size_t> which, const int32_t* places) {
        const TestBatch some = prompt(which);
        vaccine_batch view = some.view();
        view.labels = nullptr;
        std::vector<int32_t> next(which.size());
        if (places == nullptr)
            ok(vaccine_decode_begin(model.session, &view, &sampling, next.data()));
        else
            ok(vaccine_decode_join(model.session, &view, places, &sampling, next.data()));
        for (size_t i = 0; i < which.size(); ++i) together[which[i]].push_back(next[i]);
    };
    const auto go_on = [&](std::vector<int32_t> places) {
        std::vector<int32_t> tokens, next(places.size());
        for (const int32_t place : places) tokens.push_back(together[at[static_cast<size_t>(place)]].back());
        ok(vaccine_decode_next(model.session, static_cast<int32_t>(places.size()), places.data(), tokens.data(), &sampling, next.data()));
        for (size_t i = 0; i < places.size(); ++i) together[at[static_cast<size_t>(places[i])]].push_back(next[i]);
    };
    read({0, 1}, nullptr);
    go_on({0, 1});
    go_on({1});
    const int32_t first = 0;
    at[0] = 2;
    seed_at[0] = seeds[2];
    read({2}, &first);
    go_on({0, 1});
    go_on({0, 1});
    for (size_t s = 0; s < 3; ++s) {
        alone[s].resize(together[s].size());
        check(together[s] == alone[s], "text " + std::to_string(s) + " goes on otherwise beside others");
    }
    check(together[0].size() == 2 && together[1].size() == 5 && together[2].size() == 3, "a token is missing");
}

void wrong_joins_are_refused() {
    Model model({});
    const TestBatch texts;
    vaccine_batch prompts = texts.view();
    prompts.labels = nullptr;
    const vaccine_sampling greedy = greedy_sampling();
    int32_t next[3];
    const auto join = [&](std::vector<int32_t> samples, const vaccine_batch& batch) {
        return vaccine_decode_join(model.session, &batch, samples.data(), &greedy, next);
    };
    ok(join({0, 1, 2}, prompts));  // nothing need come before
    check(join({0, 2, 1}, prompts) == VACCINE_INVALID_ARGUMENT, "samples that do not ascend were taken");
    check(join({-1, 0, 1}, prompts) == VACCINE_INVALID_ARGUMENT, "a sample below 0 was taken");
    check(join({0, 1, 1 << 20}, prompts) == VACCINE_INVALID_ARGUMENT, "a sample beyond the plan's was taken");
    check(join({0, 1, 2}, texts.view()) == VACCINE_INVALID_ARGUMENT, "prompts with labels were taken");
    const int32_t all[] = {0, 1, 2}, tokens[] = {1, 1, 1}, starts[] = {0, 0, 0};
    ok(vaccine_decode_next(model.session, 3, all, tokens, &greedy, next));  // what was refused has changed nothing
    int64_t labels = 0;
    ok(vaccine_decode_extend(model.session, &prompts, all, starts, &labels));
    check(join({0, 1, 2}, prompts) == VACCINE_WRONG_STATE, "prompts joined a cache that was extended");

    const int32_t last = 2, token = 1;
    vaccine_batch one = prompts;
    one.samples = 1;
    one.tokens = texts.offsets[1];
    ok(vaccine_decode_begin(model.session, &one, &greedy, next));
    ok(vaccine_decode_join(model.session, &one, &last, &greedy, next));
    const int32_t between = 1;
    check(vaccine_decode_next(model.session, 1, &between, &token, &greedy, next) == VACCINE_INVALID_ARGUMENT,
          "a place without a prompt went on");
}

/// A penalty changes each logit of the tokens that a sample has, prompt and continuation, once; then the choice is made.
void repetition_is_penalized(float temperature) {
    Model model({});
    TestBatch texts;
    vaccine_batch prompts = texts.view();
    prompts.labels = nullptr;
    vaccine_sampling sampling = greedy_sampling();
    sampling.temperature = temperature;
    sampling.top_k = temperature > 0 ? 1 : 0;
    sampling.repetition_penalty = 1.7f;
    std::vector<std::vector<int32_t>> all(3);
    for (size_t s = 0; s < 3; ++s) all[s].assign(texts.ids.begin() + texts.offsets[s], texts.ids.begin() + texts.offsets[s + 1]);
    int32_t next[3];
    ok(vaccine_decode_begin(model.session, &prompts, &sampling, next));
    for (size_t s = 0; s < 3; ++s) all[s].push_back(next[s]);
    const int32_t some[] = {0, 2};  // the second sample is done early
    for (int step = 0; step < 7; ++step) {
        const int32_t tokens[] = {all[0].back(), all[2].back()};
        ok(vaccine_decode_next(model.session, 2, some, tokens, &sampling, next));
        all[0].push_back(next[0]);
        all[2].push_back(next[1]);
    }
    bool mattered = false;
    for (size_t s = 0; s < 3; ++s)
        for (size_t length = static_cast<size_t>(texts.offsets[s + 1] - texts.offsets[s]); length < all[s].size(); ++length) {
            if (length > 14) break;  // the plan's longest sample
            TestBatch whole;
            whole.ids.assign(all[s].begin(), all[s].begin() + static_cast<int64_t>(length));
            whole.labels.assign(length, -100);
            whole.offsets = {0, static_cast<int32_t>(length)};
            const vaccine_batch view = whole.view();
            const vaccine_forward_options forward = Model::forward_options();
            int64_t labels = 0;
            ok(vaccine_session_forward(model.session, &view, &forward, &labels));
            std::vector<float> logits(Model::kVocabulary);
            ok(vaccine_session_read_logits(model.session, static_cast<int32_t>(length) - 1, 1, logits.data()));
            const auto likeliest = [&] { return std::max_element(logits.begin(), logits.end()) - logits.begin(); };
            const int64_t plain = likeliest();
            for (const int32_t token : std::set<int32_t>(whole.ids.begin(), whole.ids.end())) {
                float& logit = logits[static_cast<size_t>(token)];
                logit = logit < 0 ? logit * 1.7f : logit / 1.7f;
            }
            check(likeliest() == all[s][length], "another token at position " + std::to_string(length));
            mattered = mattered || plain != likeliest();
        }
    check(mattered, "the penalty changed no choice");
}

/// The losses of a text that was read in pieces, some of them twice, are those of the text read whole.
void extending_agrees_with_forward(const Setup& setup) {
    Model model(setup);
    const TestBatch whole;
    const vaccine_batch view = whole.view();
    vaccine_forward_options forward = Model::forward_options();
    forward.for_backward = 0;
    int64_t labels = 0;
    ok(vaccine_session_forward(model.session, &view, &forward, &labels));
    std::vector<float> expected(static_cast<size_t>(labels)), found;
    ok(vaccine_session_read_losses(model.session, labels, expected.data()));

    const auto length = [&](size_t s) { return whole.offsets[s + 1] - whole.offsets[s]; };
    const auto extend = [&](int32_t sample, size_t text, int32_t start, int32_t end, int32_t wrong = 0) {
        TestBatch piece;
        const auto first = whole.offsets[text] + start, last = whole.offsets[text] + end;
        piece.ids.assign(whole.ids.begin() + first, whole.ids.begin() + last);
        piece.labels.assign(whole.labels.begin() + first, whole.labels.begin() + last);
        for (int32_t& id : piece.ids) id = (id + wrong) % static_cast<int32_t>(Model::kVocabulary);
        piece.offsets = {0, end - start};
        const vaccine_batch batch = piece.view();
        ok(vaccine_decode_extend(model.session, &batch, &sample, &start, &labels));
        std::vector<float> losses(static_cast<size_t>(labels));
        if (labels > 0) ok(vaccine_session_read_losses(model.session, labels, losses.data()));
        return losses;
    };
    for (size_t text = 0; text < 3; ++text) {
        const auto sample = static_cast<int32_t>(2 - text);
        const int32_t end = length(text), cut = end / 2;
        extend(sample, text, 0, cut + 1);
        extend(sample, text, cut, end, 1);  // another continuation, to be forgotten
        const std::vector<float> first = extend(sample, text, 0, cut + 1), second = extend(sample, text, cut, end);
        found.insert(found.end(), first.begin(), first.end());
        found.insert(found.end(), second.begin(), second.end());
    }
    check(found.size() == expected.size(), std::to_string(found.size()) + " losses of " + std::to_string(expected.size()));
    for (size_t i = 0; i < found.size(); ++i) near(found[i], expected[i], {1e-5, 1e-5}, "loss", 0, static_cast<int64_t>(i));
}

/// What the cache does not hold is refused, and so is going on as if it had not been extended.
void wrong_extensions_are_refused() {
    Model model({});
    const TestBatch texts;
    vaccine_batch batch = texts.view();
    int64_t labels = 0;
    const auto refused = [&](std::vector<int32_t> samples, std::vector<int32_t> starts) {
        return vaccine_decode_extend(model.session, &batch, samples.data(), starts.data(), &labels) == VACCINE_INVALID_ARGUMENT;
    };
    check(refused({0, 1, 2}, {0, 1, 0}), "a start behind an empty sample was taken");
    check(refused({0, 1, 2}, {0, -1, 0}), "a start below 0 was taken");
    check(refused({0, 2, 1}, {0, 0, 0}), "samples that do not ascend were taken");
    check(refused({0, 1, 1 << 20}, {0, 0, 0}), "a sample beyond the plan's was taken");
    const std::vector<int32_t> samples{0, 1, 2}, starts{0, 0, 0};
    ok(vaccine_decode_extend(model.session, &batch, samples.data(), starts.data(), &labels));
    check(refused({0, 1, 2}, {texts.offsets[1] + 1, 0, 0}), "a start behind what is cached was taken");
    vaccine_forward_options forward = Model::forward_options();
    forward.from_layer = 1;
    check(vaccine_session_forward(model.session, &batch, &forward, &labels) != VACCINE_OK, "a pass from a layer was taken");
    const vaccine_sampling greedy = greedy_sampling();
    const int32_t sample = 0, token = 1;
    int32_t next = 0;
    check(vaccine_decode_next(model.session, 1, &sample, &token, &greedy, &next) == VACCINE_WRONG_STATE, "a next token was given");
}

}  // namespace

int main() {
    Setup frozen, varied;
    frozen.training = varied.training = false;
    varied.varied = true;
    return run_all("engine decoding", std::vector<NamedTest>{
                                          {"decoding", [] { decoding_agrees_with_forward({}); }},
                                          {"decoding without training memory", [=] { decoding_agrees_with_forward(frozen); }},
                                          {"decoding, varied layers", [=] { decoding_agrees_with_forward(varied); }},
                                          {"joining", [] { joining_changes_no_token({}); }},
                                          {"joining, varied layers", [=] { joining_changes_no_token(varied); }},
                                          {"wrong joins", [] { wrong_joins_are_refused(); }},
                                          {"extending the cache", [] { extending_agrees_with_forward({}); }},
                                          {"extending the cache, varied layers", [=] { extending_agrees_with_forward(varied); }},
                                          {"wrong extensions", [] { wrong_extensions_are_refused(); }},
                                          {"repetition penalty, greedy", [] { repetition_is_penalized(0); }},
                                          {"repetition penalty before the draw", [] { repetition_is_penalized(0.8f); }},
                                      });
}
