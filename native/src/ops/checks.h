#pragma once
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/view.h"
#include "ops/ops.h"

namespace vaccine::ops {

/// Checks the arguments of one op. Each throws Error(InvalidArgument) that says op, argument, what was expected and what came.
class Check {
public:
    explicit Check(const char* op) : op_(op) {}

    void matrix(const char* argument, const View& view, DType type, int64_t rows, int64_t columns) const;
    /// `count` elements in any shape.
    void vector(const char* argument, const View& view, DType type, int64_t count) const;
    /// fp32 or bf16.
    void number_matrix(const char* argument, const View& view, int64_t rows, int64_t columns) const;
    void number_vector(const char* argument, const View& view, int64_t count) const;
    /// fp32 or bf16, whatever its shape: the type of a call's activations.
    void activation(const char* argument, const View& view) const;
    /// Any other rule, for a number.
    template <class Number> void that(bool good, const char* argument, const char* expected, Number got) const {
        if (!good) refuse(argument, expected, std::to_string(got));
    }

    [[noreturn]] void refuse(const char* argument, const std::string& expected, const std::string& got) const;

private:
    [[noreturn]] void refuse(const char* argument, const std::string& expected, const View& got) const;
    void has_data(const char* argument, const View& view) const;

    const char* op_;
};

// The rules that ops.h gives for the arguments of some ops, as far as both builds share them.
void check_cap(const Check& check, float cap);  // 0 or a positive number
void check_adamw(const Check& check, const View& p, const View& g, const View& m, const View& v, const AdamW& options,
                 const View& sum_of_squares);
void check_samples(const Check& check, const View& x, const View& x_offsets, const View& y, const View& y_offsets, int64_t longest);
void check_attention_shape(const Check& check, const AttentionShape& shape);
void check_cross_entropy(const Check& check, const View& logits, const View& targets, const View& lse);
void check_divergence(const Check& check, const View& logits, const View& teacher, const View& loss, const View& lse,
                      const View& teacher_lse);
void check_negative_entropy(const Check& check, const View& logits, const View& loss, const View& lse);
void check_weighted_losses(const Check& check, const View& logits, const View& lse, const WeightedLosses& losses);
void check_rope(const Check& check, const View& x, const View& positions, const View& cosine, const View& sine, int64_t head_size);
void check_rope_table(const Check& check, const View& frequency, const View& cosine, const View& sine);
void check_argmax(const Check& check, const View& logits, const View& out);
void check_repetition(const Check& check, const View& logits, const View& tokens, const View& offsets, float penalty);
void check_sampling(const Check& check, const View& logits, float temperature, int32_t top_k, float top_p, const View& out);

}  // namespace vaccine::ops
