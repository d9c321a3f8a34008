#include "ops/checks.h"

#include <cmath>
#include <utility>

namespace vaccine::ops {
namespace {

const char* name_of(DType type) {
    switch (type) {
        case DType::F32:
            return "fp32";
        case DType::BF16:
            return "bf16";
        case DType::I32:
            return "int32";
        case DType::F64:
            return "fp64";
    }
    return "an unknown type";
}

std::string shape(int64_t rows, int64_t columns) {
    return " (" + std::to_string(rows) + ", " + std::to_string(columns) + ")";
}

bool is_number(DType type) {
    return type == DType::F32 || type == DType::BF16;
}

}  // namespace

void Check::refuse(const char* argument, const std::string& expected, const std::string& got) const {
    throw Error(Status::InvalidArgument, std::string(op_) + ": " + argument + ": expected " + expected + ", got " + got);
}

void Check::refuse(const char* argument, const std::string& expected, const View& got) const {
    refuse(argument, expected, name_of(got.dtype) + shape(got.rows, got.columns));
}

void Check::has_data(const char* argument, const View& view) const {
    if (view.count() > 0 && view.empty()) refuse(argument, "data", "none");
}

void Check::matrix(const char* argument, const View& view, DType type, int64_t rows, int64_t columns) const {
    if (view.dtype != type || view.rows != rows || view.columns != columns) refuse(argument, name_of(type) + shape(rows, columns), view);
    has_data(argument, view);
}

void Check::vector(const char* argument, const View& view, DType type, int64_t count) const {
    if (view.dtype != type || view.count() != count) refuse(argument, std::to_string(count) + " elements of " + name_of(type), view);
    has_data(argument, view);
}

void Check::number_matrix(const char* argument, const View& view, int64_t rows, int64_t columns) const {
    if (!is_number(view.dtype) || view.rows != rows || view.columns != columns)
        refuse(argument, "fp32 or bf16" + shape(rows, columns), view);
    has_data(argument, view);
}

void Check::number_vector(const char* argument, const View& view, int64_t count) const {
    if (!is_number(view.dtype) || view.count() != count) refuse(argument, std::to_string(count) + " elements of fp32 or bf16", view);
    has_data(argument, view);
}

void Check::activation(const char* argument, const View& view) const {
    if (!is_number(view.dtype)) refuse(argument, "fp32 or bf16", view);
}

void check_cap(const Check& check, float cap) {
    check.that(cap >= 0 && std::isfinite(cap), "cap", "0 (none) or a positive number", cap);
}

void check_adamw(const Check& check, const View& p, const View& g, const View& m, const View& v, const AdamW& options,
                 const View& sum_of_squares) {
    const int64_t n = p.count();
    check.vector("p", p, DType::F32, n);
    check.vector("g", g, DType::F32, n);
    check.vector("m", m, DType::F32, n);
    check.vector("v", v, DType::F32, n);
    check.that(options.step >= 1, "step", "1 or more", options.step);
    if (!sum_of_squares.empty()) check.vector("sum_of_squares", sum_of_squares, DType::F64, 1);
}

void check_samples(const Check& check, const View& x, const View& x_offsets, const View& y, const View& y_offsets, int64_t longest) {
    check.matrix("x", x, DType::F32, x.rows, x.columns);
    check.matrix("y", y, DType::F32, y.rows, x.columns);
    for (const auto& [name, offsets] : {std::pair{"x_offsets", &x_offsets}, std::pair{"y_offsets", &y_offsets}}) {
        check.that(offsets->count() > 0, name, "1 or more elements", offsets->count());
        check.vector(name, *offsets, DType::I32, offsets->count());
    }
    check.that(longest >= 0, "longest", "0 or more", longest);
}

void check_attention_shape(const Check& check, const AttentionShape& shape) {
    check.that(shape.kv_heads > 0, "kv_heads", "a positive number", shape.kv_heads);
    check.that(shape.heads > 0 && shape.heads % shape.kv_heads == 0, "heads", "a multiple of kv_heads", shape.heads);
    check.that(shape.head_size > 0, "head_size", "a positive number", shape.head_size);
    check.that(shape.window >= 0, "window", "0 or a positive number", shape.window);
    check_cap(check, shape.cap);
}

void check_cross_entropy(const Check& check, const View& logits, const View& targets, const View& lse) {
    check.matrix("logits", logits, DType::F32, logits.rows, logits.columns);
    check.vector("targets", targets, DType::I32, logits.rows);
    check.vector("lse", lse, DType::F32, logits.rows);
}

void check_negative_entropy(const Check& check, const View& logits, const View& loss, const View& lse) {
    check.matrix("logits", logits, DType::F32, logits.rows, logits.columns);
    check.vector("loss", loss, DType::F32, logits.rows);
    check.vector("lse", lse, DType::F32, logits.rows);
}

void check_divergence(const Check& check, const View& logits, const View& teacher, const View& loss, const View& lse,
                      const View& teacher_lse) {
    check_negative_entropy(check, logits, loss, lse);
    check.matrix("teacher", teacher, DType::F32, logits.rows, logits.columns);
    check.vector("teacher_lse", teacher_lse, DType::F32, logits.rows);
}

void check_weighted_losses(const Check& check, const View& logits, const View& lse, const WeightedLosses& losses) {
    check.matrix("logits", logits, DType::F32, logits.rows, logits.columns);
    check.vector("lse", lse, DType::F32, logits.rows);
    if (losses.labels != 0) check.vector("targets", losses.targets, DType::I32, logits.rows);
    if (losses.divergence != 0) {
        check.matrix("teacher", losses.teacher, DType::F32, logits.rows, logits.columns);
        check.vector("teacher_lse", losses.teacher_lse, DType::F32, logits.rows);
    }
    if (losses.negative_entropy != 0) check.vector("negative_entropies", losses.negative_entropies, DType::F32, logits.rows);
}

void check_rope(const Check& check, const View& x, const View& positions, const View& cosine, const View& sine, int64_t head_size) {
    check.that(head_size > 0 && head_size % 2 == 0, "head_size", "a positive even number", head_size);
    check.that(x.columns % head_size == 0, "x", "columns of whole heads", x.columns);
    check.number_matrix("x", x, x.rows, x.columns);
    check.vector("positions", positions, DType::I32, x.rows);
    check.matrix("cosine", cosine, DType::F32, cosine.rows, head_size / 2);
    check.matrix("sine", sine, DType::F32, cosine.rows, head_size / 2);
}

void check_rope_table(const Check& check, const View& frequency, const View& cosine, const View& sine) {
    check.vector("frequency", frequency, DType::F32, cosine.columns);
    check.matrix("cosine", cosine, DType::F32, cosine.rows, cosine.columns);
    check.matrix("sine", sine, DType::F32, cosine.rows, cosine.columns);
}

void check_argmax(const Check& check, const View& logits, const View& out) {
    check.that(logits.columns > 0, "logits", "at least one column", logits.columns);
    check.matrix("logits", logits, DType::F32, logits.rows, logits.columns);
    check.vector("out", out, DType::I32, logits.rows);
}

void check_repetition(const Check& check, const View& logits, const View& tokens, const View& offsets, float penalty) {
    check.matrix("logits", logits, DType::F32, logits.rows, logits.columns);
    check.vector("tokens", tokens, DType::I32, tokens.count());
    check.vector("offsets", offsets, DType::I32, logits.rows + 1);
    check.that(penalty > 0 && std::isfinite(penalty), "penalty", "a positive number", penalty);
}

void check_sampling(const Check& check, const View& logits, float temperature, int32_t top_k, float top_p, const View& out) {
    check_argmax(check, logits, out);
    check.that(temperature > 0, "temperature", "a positive number", temperature);
    check.that(top_k >= 0, "top_k", "0 (all) or a positive number", top_k);
    check.that(top_p > 0 && top_p <= 1, "top_p", "a number in (0, 1]", top_p);
}

}  // namespace vaccine::ops
