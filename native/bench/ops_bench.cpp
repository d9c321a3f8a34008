// Speed of every op but the linear layers (gemm_bench): a model of 1M parameters on a batch of short samples, and the width of a 7B model
// on few rows. GB/s counts what an op must read and write once, GFLOP/s the products that causal attention needs.
// Usage: ops_bench [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "core/cpu_features.h"
#include "core/device.h"
#include "ops/ops.h"

using namespace vaccine;

namespace {

struct Shape {
    const char* name;
    int64_t samples, length, C, F, V, heads, kv_heads, head_size;
};

const Shape kShapes[] = {{"1M", 16, 48, 128, 384, 512, 4, 4, 32}, {"7B", 1, 256, 4096, 11008, 32000, 32, 32, 128}};

using Clock = std::chrono::steady_clock;

struct Seconds {
    double median, best;
};

/// Of one call, over about a third of a second.
Seconds time_of(const std::function<void()>& call) {
    call();
    std::vector<double> times;
    const auto end = Clock::now() + std::chrono::milliseconds(300);
    do {
        const auto start = Clock::now();
        call();
        times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    } while (Clock::now() < end);
    std::sort(times.begin(), times.end());
    return {times[times.size() / 2], times[0]};
}

class Bench {
public:
    Bench(Device& device, const Shape& shape) : device_(device), k_(shape), T_(shape.samples * shape.length) {
        ops::WorkspaceNeed need;
        need.tokens = T_;
        need.largest_width = std::max(k_.F, k_.V);
        need.heads = k_.heads;
        need.kv_heads = k_.kv_heads;
        need.head_size = k_.head_size;
        need.longest_sample = need.cache_capacity = k_.length;
        stream().workspace_bytes = ops::workspace_bytes(stream(), need);
        stream().workspace = take(stream().workspace_bytes);
    }
    ~Bench() {
        for (void* memory : taken_) device_.release(memory);
    }

    void run() {
        vectors();
        layers();
        attention();
        loss();
    }

private:
    Stream& stream() { return device_.stream(); }
    void* take(int64_t bytes) {
        taken_.push_back(device_.allocate(bytes));
        return taken_.back();
    }
    View numbers(int64_t rows, int64_t columns) {
        const View view{take(rows * columns * 4), DType::F32, rows, columns};
        ops::fill_uniform(stream(), view, -1, 1, {1, 2, static_cast<uint32_t>(taken_.size())});
        return view;
    }
    View integers(const std::vector<int32_t>& values) {
        const int64_t n = static_cast<int64_t>(values.size());
        const View view{take(n * 4), DType::I32, 1, n};
        device_.upload(view.data, values.data(), n * 4);
        return view;
    }
    View counting(int64_t n, int64_t modulus, int64_t step = 1) {
        std::vector<int32_t> values;
        for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<int32_t>(i * step % modulus));
        return integers(values);
    }

    /// bytes: read and written once. flops: 0 where memory is what counts.
    void row(const char* op, double bytes, double flops, const std::function<void()>& call) {
        const Seconds seconds = time_of(call);
        const double work = (flops > 0 ? flops : bytes) * 1e-9;
        std::printf("%-4s %-24s %10.1f us  %8.1f %-8s (best %.1f)\n", k_.name, op, seconds.median * 1e6, work / seconds.median,
                    flops > 0 ? "GFLOP/s" : "GB/s", work / seconds.best);
    }

    void vectors() {
        const View x = numbers(T_, k_.C), y = numbers(T_, k_.C), z = numbers(T_, k_.C), out{take(8), DType::F64, 1, 1};
        const View p = numbers(k_.C, k_.C), g = numbers(k_.C, k_.C), m = numbers(k_.C, k_.C), v = numbers(k_.C, k_.C);
        ops::fill_zero(stream(), v);
        const double bytes = static_cast<double>(x.bytes());
        row("scale", 2 * bytes, 0, [&] { ops::scale(stream(), x, -1); });
        row("axpy", 3 * bytes, 0, [&] { ops::axpy(stream(), 1e-6f, x, y); });
        row("multiply_add", 4 * bytes, 0, [&] { ops::multiply_add(stream(), 1e-6f, x, y, z); });
        row("dot", 2 * bytes, 0, [&] { ops::dot(stream(), x, y, out); });
        row("sum_of_squares", bytes, 0, [&] { ops::sum_of_squares(stream(), x, out); });
        row("fill_normal", bytes, 0, [&] { ops::fill_normal(stream(), x, 1, {1, 2, 3}); });
        row("fill_uniform", bytes, 0, [&] { ops::fill_uniform(stream(), x, 0, 1, {1, 2, 3}); });
        row("adamw", 7 * static_cast<double>(p.bytes()), 0, [&] { ops::adamw(stream(), p, g, m, v, {}, {}, 0); });
    }

    void layers() {
        const View x = numbers(T_, k_.C), y = numbers(T_, k_.C), w = numbers(1, k_.C), dw = numbers(1, k_.C), rstd = numbers(1, T_);
        const View table = numbers(k_.V, k_.C), tokens = counting(T_, k_.V, 31), positions = counting(T_, k_.length);
        const View cosine = numbers(k_.length, k_.head_size / 2), sine = numbers(k_.length, k_.head_size / 2);
        const View gate = numbers(T_, k_.F), up = numbers(T_, k_.F), out = numbers(T_, k_.F);
        const double bytes = static_cast<double>(x.bytes()), wide = static_cast<double>(gate.bytes());
        row("embedding_forward", 2 * bytes, 0, [&] { ops::embedding_forward(stream(), tokens, table, 1, x); });
        row("embedding_backward", 3 * bytes, 0, [&] { ops::embedding_backward(stream(), tokens, x, 1, table); });
        row("rmsnorm_forward", 2 * bytes, 0, [&] { ops::rmsnorm_forward(stream(), x, {w, 0}, 1e-5f, y, rstd); });
        row("rmsnorm_backward", 4 * bytes, 0, [&] { ops::rmsnorm_backward(stream(), x, y, {w, 0}, rstd, y, {}); });
        row("rmsnorm_backward + dw", 6 * bytes, 0, [&] { ops::rmsnorm_backward(stream(), x, y, {w, 0}, rstd, y, dw); });
        row("rope_forward", 2 * bytes, 0, [&] { ops::rope_forward(stream(), x, positions, cosine, sine, k_.head_size); });
        row("glu_forward, silu", 3 * wide, 0, [&] { ops::glu_forward(stream(), ops::Activation::Silu, gate, up, out); });
        row("glu_backward, silu", 5 * wide, 0, [&] { ops::glu_backward(stream(), ops::Activation::Silu, out, gate, up); });
    }

    void attention() {
        const int64_t wide = k_.heads * k_.head_size, narrow = k_.kv_heads * k_.head_size;
        const View q = numbers(T_, wide), k = numbers(T_, narrow), v = numbers(T_, narrow), out = numbers(T_, wide),
                   lse = numbers(T_, k_.heads);
        const View dout = numbers(T_, wide), dq = numbers(T_, wide), dk = numbers(T_, narrow), dv = numbers(T_, narrow);
        const View delta = numbers(T_, k_.heads), offsets = counting(k_.samples + 1, T_ + 1, k_.length);
        const View one = numbers(k_.samples, wide),
                   lengths = integers(std::vector<int32_t>(static_cast<size_t>(k_.samples), static_cast<int32_t>(k_.length)));
        const ops::AttentionShape shape{k_.heads, k_.kv_heads, k_.head_size, 0, 0.1f};
        const double pairs = static_cast<double>(k_.samples * k_.length * (k_.length + 1) / 2),
                     product = 2 * pairs * static_cast<double>(wide);
        row("attention_forward", 0, 2 * product, [&] { ops::attention_forward(stream(), q, k, v, offsets, k_.length, shape, out, lse); });
        row("attention_backward", 0, 5 * product,
            [&] { ops::attention_backward(stream(), dout, q, k, v, out, lse, offsets, k_.length, shape, dq, dk, dv, delta); });
        row("attention_decode", 2 * static_cast<double>(k.bytes()), 0,
            [&] { ops::attention_decode(stream(), one, k, v, lengths, k_.length, shape, one); });
    }

    void loss() {
        const View logits = numbers(T_, k_.V), targets = counting(T_, k_.V, 7), losses = numbers(1, T_), lse = numbers(1, T_);
        const View few = numbers(4, k_.V), drawn{take(16), DType::I32, 1, 4};
        const double bytes = static_cast<double>(logits.bytes());
        row("cross_entropy_forward", bytes, 0, [&] { ops::cross_entropy_forward(stream(), logits, targets, losses, lse); });
        row("cross_entropy_backward", 2 * bytes, 0, [&] { ops::cross_entropy_backward(stream(), logits, targets, lse, 1e-3f, 0); });
        const View teacher = numbers(T_, k_.V), teacher_lse = numbers(1, T_);
        row("divergence_forward", 2 * bytes, 0, [&] { ops::divergence_forward(stream(), logits, teacher, losses, lse, teacher_lse); });
        row("negative_entropy_forward", bytes, 0, [&] { ops::negative_entropy_forward(stream(), logits, losses, lse); });
        const ops::WeightedLosses weighted{1e-3f, targets, 1e-3f, teacher, teacher_lse, 1e-3f, losses};
        row("weighted_losses_backward", 3 * bytes, 0, [&] { ops::weighted_losses_backward(stream(), logits, lse, weighted, 0); });
        row("sample_rows, 4 rows", static_cast<double>(few.bytes()), 0, [&] {
            ops::sample_rows(stream(), few, 1, 50, 0.9f, {1, 2, 3}, drawn);
        });
    }

    Device& device_;
    const Shape& k_;
    const int64_t T_;
    std::vector<void*> taken_;
};

}  // namespace

int main(int count, char** arguments) {
    const auto device = Device::open(0, count > 1 ? std::atoi(arguments[1]) : 0);
    std::printf("%s, %d threads, %s\n", device->info().name.c_str(), device->info().threads, name_of(active_isa()));
    for (const Shape& shape : kShapes) Bench(*device, shape).run();
}
