// The linear layers: with their adapters, the head, and with as few rows as decoding has.
#include "cases.h"
#include "references.h"

namespace vaccine::bench {
namespace {

constexpr DType kActivation = DType::BF16, kWeight = DType::BF16;

double bytes_of(std::initializer_list<View> views) {
    double sum = 0;
    for (const View& view : views) sum += static_cast<double>(view.bytes());
    return sum;
}

}  // namespace

void Cases::add_linear(const char* name, int64_t in, int64_t out, bool weight_gradients) {
    struct Set {
        View x, w, y, scratch, da, db;
        ops::Lora lora;
    };
    const auto make = [this, in, out] {
        Set s;
        s.x = numbers(rows_, in, kActivation);
        s.y = numbers(rows_, out, kActivation);
        s.w = numbers(out, in, kWeight);
        s.lora.a = numbers(model_.rank, in, DType::F32);
        s.lora.b = numbers(out, model_.rank, DType::F32);
        s.lora.h = numbers(rows_, model_.rank, DType::F32);
        s.lora.scale = 0.5f;
        s.lora.dropout = {0.1f, {1, 2, 3}};
        s.scratch = numbers(rows_, model_.rank, DType::F32);
        s.da = numbers(model_.rank, in, DType::F32);
        s.db = numbers(out, model_.rank, DType::F32);
        return s;
    };
    const auto define = [=](const char* what, double flops, bool reads_weights, auto call, auto gives) {
        definitions_.push_back({std::string(name) + what, [=] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    c.flops = flops;
                                    c.multiplies = reads_weights;
                                    for (int i = 0; i < copies_; ++i) {
                                        const Set s = make();
                                        c.bytes_of_rows = bytes_of({s.x, s.y});
                                        c.bytes = c.bytes_of_rows + (reads_weights ? bytes_of({s.w}) : 0);
                                        c.add([=] { call(stream(), s); }, [=] { return gives(device_, s); });
                                    }
                                    return c;
                                }});
    };
    const double flops = 2.0 * static_cast<double>(rows_ * in * out);
    define(
        " forward", flops, true, [](Stream& stream, const Set& s) { ops::linear_forward(stream, s.x, s.w, {}, s.lora, s.y, {}); },
        [](Device& device, const Set& s) { return linear_forward_gives(device, s.x, s.w, s.lora, s.y); });
    define(
        " backward", flops, true,
        [](Stream& stream, const Set& s) {
            ops::linear_backward(stream, s.y, s.x, s.w, s.lora, {s.x, false, {}, {}, {}, {}}, s.scratch);
        },
        [](Device& device, const Set& s) { return linear_backward_gives(device, s.y, s.w, s.lora, s.x); });
    if (!weight_gradients) return;
    define(
        " adapter gradients", 6.0 * static_cast<double>(rows_ * model_.rank * in), false,
        [](Stream& stream, const Set& s) {
            ops::linear_backward(stream, s.y, s.x, s.w, s.lora, {{}, false, {}, {}, s.da, s.db}, s.scratch);
        },
        [](Device& device, const Set& s) { return adapter_gradients_give(device, s.y, s.x, s.lora, s.da, s.db); });
}

void Cases::square(int64_t side, const std::function<void(const Case&)>& f) {
    Case c;
    c.flops = 2.0 * static_cast<double>(side) * static_cast<double>(side) * static_cast<double>(side);
    const View x = numbers(side, side, kActivation), w = numbers(side, side, kWeight), y = numbers(side, side, kActivation);
    c.runs.push_back([=] { ops::linear_forward(stream(), x, w, {}, {}, y, {}); });
    f(c);
    release();
}

/// Logits in fp32 of bf16 rows, and the way back.
void Cases::add_head() {
    const auto define = [this](const char* name, bool forward) {
        definitions_.push_back({name, [this, forward] {
                                    Case c;
                                    c.rows = static_cast<double>(rows_);
                                    c.flops = 2.0 * static_cast<double>(rows_ * model_.C * model_.V);
                                    c.multiplies = true;
                                    const View w = numbers(model_.V, model_.C, kWeight);
                                    for (int i = 0; i < copies_; ++i) {
                                        const View x = numbers(rows_, model_.C, kActivation), y = numbers(rows_, model_.V, DType::F32);
                                        c.bytes_of_rows = bytes_of({x, y});
                                        c.bytes = c.bytes_of_rows + bytes_of({w});
                                        c.add(
                                            [this, forward, x, y, w] {
                                                ops::LinearGradients gradients;
                                                gradients.dx = x;
                                                if (forward)
                                                    ops::linear_forward(stream(), x, w, {}, {}, y, {});
                                                else
                                                    ops::linear_backward(stream(), y, x, w, {}, gradients, {});
                                            },
                                            [this, forward, x, y, w] {
                                                return forward ? linear_forward_gives(device_, x, w, {}, y)
                                                               : linear_backward_gives(device_, y, w, {}, x);
                                            });
                                    }
                                    return c;
                                }});
    };
    define("head forward", true);
    define("head backward", false);
}

void Cases::add_decoding() {
    for (const int64_t rows : {1, 8}) {
        definitions_.push_back({"linear C -> F, " + std::to_string(rows) + " rows", [this, rows] {
                                    Case c;
                                    c.rows = static_cast<double>(rows);
                                    c.flops = 2.0 * static_cast<double>(rows * model_.C * model_.F);
                                    c.multiplies = true;
                                    for (int i = 0; i < copies_; ++i) {
                                        const View x = numbers(rows, model_.C, kActivation), y = numbers(rows, model_.F, kActivation);
                                        const View w = numbers(model_.F, model_.C, kWeight);
                                        c.bytes_of_rows = bytes_of({x, y});
                                        c.bytes = c.bytes_of_rows + bytes_of({w});
                                        c.add([this, x, w, y] { ops::linear_forward(stream(), x, w, {}, {}, y, {}); },
                                              [this, x, w, y] { return linear_forward_gives(device_, x, w, {}, y); });
                                    }
                                    return c;
                                }});
    }
}

}  // namespace vaccine::bench
