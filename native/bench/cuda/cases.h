#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "cuda/verification.h"
#include "ops/ops.h"

namespace vaccine::bench {

/// The model whose widths the cases have: Llama-2-7B.
struct Model {
    int64_t C = 4096, F = 11008, V = 32000, layers = 32, heads = 32, kv_heads = 32, head_size = 128, rank = 8;
};

/// One call at a model's widths.
struct Case {
    std::string name;
    double rows = 0;           // of this run
    double bytes = 0;          // that it must move once between memory and chip, at these rows
    double bytes_of_rows = 0;  // the part of `bytes` that grows with the rows (the rest are weights)
    double flops = 0;
    bool multiplies = false;                  // cuBLAS could, and running it again gives the same
    std::vector<std::function<void()>> runs;  // the same call on different buffers, so that no cache holds them
    std::function<Expectations()> gives;      // what the first run will have given; asked before it

    void add(std::function<void()> run, std::function<Expectations()> run_gives) {
        if (runs.empty()) gives = std::move(run_gives);
        runs.push_back(std::move(run));
    }
};

/// Memory for the cases of one run, and the cases.
class Cases {
public:
    /// rows: tokens of a case. copies: of its buffers.
    Cases(Device& device, const Model& model, int64_t rows, int copies);
    ~Cases();
    Cases(const Cases&) = delete;
    Cases& operator=(const Cases&) = delete;

    /// Calls f for each case whose name contains `only`; its memory is given back afterwards.
    void for_each(const std::string& only, const std::function<void(const Case&)>& f);

    /// Calls f for y = x w^T of square matrices of this side.
    void square(int64_t side, const std::function<void(const Case&)>& f);

private:
    struct Definition {
        std::string name;
        std::function<Case()> make;
    };

    View numbers(int64_t rows, int64_t columns, DType type);
    View integers(const std::vector<int32_t>& values);
    void release();
    Stream& stream() { return device_.stream(); }

    // cases_linear.cpp
    void add_linear(const char* name, int64_t in, int64_t out, bool weight_gradients);
    void add_head();
    void add_decoding();
    // cases_vectors.cpp
    void add_vectors();
    void add_samples();
    // cases_layers.cpp
    void add_norms();
    void add_activations();
    void add_attention();
    void add_loss();
    void add_weighted_losses();

    Device& device_;
    const Model model_;
    const int64_t rows_;
    const int copies_;
    std::vector<void*> taken_;
    void* workspace_ = nullptr;
    std::vector<Definition> definitions_;
};

}  // namespace vaccine::bench
