// Which tile multiplies fastest on this GPU: every candidate at the shapes of Llama-2-7B, 2,000 rows and few. All must give the same bits.
//   gemm_tiles [--small]   small: shapes that ptxmachine can multiply, whose times mean nothing
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/bf16.h"
#include "core/device.h"
#include "core/philox.h"
#include "cuda/timing.h"
#include "ops/cuda/gemm_bf16.cuh"

using namespace vaccine;
using namespace vaccine::ops;

namespace {

struct Shape {
    const char* name;
    int M, N, K;
};

constexpr int kFewRows = 64;

using Launch = void (*)(const char*, const Stream&, const Gemm&);

struct Candidate {
    const char* name;
    bool for_few_rows;
    Launch forward, backward;
};

template <class Tile> Candidate candidate(const char* name, bool for_few_rows) {
    return {name, for_few_rows, launch_gemm<Tile, GemmKind::Forward, bf16>, launch_gemm<Tile, GemmKind::InputGradient, bf16>};
}

#define VACCINE_TILE(...) candidate<GemmTile<__VA_ARGS__>>(#__VA_ARGS__, false)
#define VACCINE_FEW_ROWS(...) candidate<GemmTile<__VA_ARGS__>>(#__VA_ARGS__, true)

std::vector<Candidate> candidates() {
    return {
        VACCINE_TILE(128, 128, 32, 64, 64, 3, 2),   VACCINE_TILE(128, 128, 32, 64, 64, 4, 2),   VACCINE_TILE(128, 128, 64, 64, 64, 3, 2),
        VACCINE_TILE(128, 128, 32, 64, 32, 4, 2),   VACCINE_TILE(256, 128, 32, 64, 64, 4, 1),   VACCINE_TILE(128, 256, 32, 64, 64, 4, 1),
        VACCINE_TILE(128, 256, 32, 64, 64, 3, 1),   VACCINE_TILE(256, 128, 64, 64, 64, 4, 1),   VACCINE_TILE(128, 256, 64, 64, 64, 4, 1),
        VACCINE_TILE(64, 64, 32, 32, 32, 4, 3),     VACCINE_TILE(64, 128, 32, 32, 64, 4, 2),    VACCINE_TILE(64, 128, 64, 32, 64, 3, 2),
        VACCINE_FEW_ROWS(32, 32, 64, 16, 16, 4, 3), VACCINE_FEW_ROWS(32, 64, 64, 16, 32, 4, 3), VACCINE_FEW_ROWS(32, 64, 64, 32, 16, 6, 2),
        VACCINE_FEW_ROWS(16, 64, 64, 16, 16, 6, 3), VACCINE_FEW_ROWS(32, 32, 128, 16, 16, 3, 3)};
}

/// Normal weights would do as well; zeros would be faster than real numbers.
void fill(Device& device, void* to, int64_t count, uint64_t seed) {
    std::vector<uint16_t> values(static_cast<size_t>(std::min<int64_t>(count, 1048583)));
    for (size_t i = 0; i < values.size(); ++i)
        values[i] = bf16_from_float(2 * random_uniform(random_block(RandomKey{seed}, i / 4).word[i % 4]) - 1);
    for (int64_t i = 0; i < count; i += static_cast<int64_t>(values.size()))
        device.upload(static_cast<uint16_t*>(to) + i, values.data(), std::min<int64_t>(count - i, static_cast<int64_t>(values.size())) * 2);
}

/// Rows of the table for one shape and kind.
void compare(Device& device, const Shape& shape, bool forward) {
    const int64_t a_size = int64_t{shape.M} * shape.K, b_size = int64_t{shape.N} * shape.K, c_size = int64_t{shape.M} * shape.N;
    void* const a = device.allocate(a_size * 2);
    void* const c = device.allocate(c_size * 2);
    constexpr int kCopies = 2;  // of the weights: few rows wait for these alone
    void* b[kCopies];
    fill(device, a, a_size, 1);
    for (void*& each : b) fill(device, each = device.allocate(b_size * 2), b_size, 2);
    std::vector<uint16_t> first, found(static_cast<size_t>(c_size));
    for (const Candidate& tile : candidates()) {
        if (tile.for_few_rows != (shape.M <= kFewRows)) continue;
        std::vector<std::function<void()>> runs;
        for (void* each : b) {
            Gemm gemm;
            gemm.M = shape.M, gemm.N = shape.N, gemm.K = shape.K;
            gemm.a = a, gemm.b = each, gemm.c = c;
            gemm.a_row = shape.K, gemm.b_row = forward ? shape.K : shape.N, gemm.c_row = shape.N;
            runs.push_back([gemm, &device, call = forward ? tile.forward : tile.backward] { call("gemm", device.stream(), gemm); });
        }
        std::printf("| %s | %s | %d | %s |", shape.name, forward ? "forward" : "backward", shape.M, tile.name);
        try {
            runs[0]();
            device.download(found.data(), c, c_size * 2);
            if (first.empty()) first = found;
            const double seconds = bench::seconds_of(device.stream(), runs);
            const double flops = 2.0 * shape.M * shape.N * shape.K, bytes = 2.0 * static_cast<double>(a_size + b_size + c_size);
            std::printf(" %.1f | %.1f | %.0f | %s |\n", seconds * 1e6, flops / seconds * 1e-12, bytes / seconds * 1e-9,
                        found == first ? "same" : "DIFFERENT");
        } catch (const Error& error) {  // more shared memory than this GPU has
            std::printf(" - | - | - | %s |\n", error.what());
        }
        std::fflush(stdout);
    }
    device.release(a);
    device.release(c);
    for (void* each : b) device.release(each);
}

}  // namespace

int main(int count, char** arguments) try {
    const bool small = count == 2 && std::strcmp(arguments[1], "--small") == 0;
    require(small || count == 1, "expected --small or nothing");
    const auto device = Device::open(0, 0);
    std::printf("%s\n\n| shape | kind | rows | tile | us | TFLOP/s | GB/s | bits |\n|---|---|--:|---|--:|--:|--:|---|\n",
                device->info().name.c_str());
    const std::vector<Shape> of_llama{{"C -> C", 2000, 4096, 4096}, {"C -> F", 2000, 11008, 4096}, {"F -> C", 2000, 4096, 11008},
                                      {"square", 8192, 8192, 8192}, {"C -> F", 1, 11008, 4096},    {"C -> F", 16, 11008, 4096},
                                      {"C -> C", 16, 4096, 4096}};
    for (const Shape& shape : small ? std::vector<Shape>{{"small", 136, 264, 200}, {"few", 8, 72, 264}} : of_llama)
        for (const bool forward : {true, false}) compare(*device, shape, forward);
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "gemm_tiles: %s\n", error.what());
    return 1;
}
