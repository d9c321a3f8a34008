// The counters, against what these kernels are known to do.
#include "checking.h"

namespace {

using checking::Buffer;

__global__ void consecutive(const float* in, float* out) {
    out[threadIdx.x] = in[threadIdx.x];
}
__global__ void strided(const float* in, float* out) {
    out[threadIdx.x] = in[threadIdx.x * 8];
}
template <int STRIDE> __global__ void shared_column(float* out) {
    __shared__ float s[32 * STRIDE];
    s[threadIdx.x * STRIDE] = 1;
    __syncwarp();
    out[threadIdx.x] = s[threadIdx.x * STRIDE];
}
__global__ void tensor_product(float* out) {
    float c[4] = {};
    for (int i = 0; i < 3; ++i)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(0));
    out[threadIdx.x] = c[0];
}
__global__ void parting(float* out) {
    if (threadIdx.x < 5) asm volatile("st.global.f32 [%0], 0f3F800000;" ::"l"(out + threadIdx.x) : "memory");
    else asm volatile("st.global.f32 [%0], 0f40000000;" ::"l"(out + threadIdx.x) : "memory");
}

struct Want {
    const char* kernel;
    const char* counter;
    int value;
};
// Sectors are of 32 bytes: a warp of consecutive floats touches 4, with a stride of 8 floats 32.
const Want kWants[] = {
    {"consecutive", "sectors", 8},        {"consecutive", "ideal_sectors", 8},     {"strided", "sectors", 36},       {"strided", "ideal_sectors", 8},
    {"column<1>", "wavefronts", 2},     {"column<1>", "ideal_wavefronts", 2},  {"column<32>", "wavefronts", 64},
    {"column<32>", "ideal_wavefronts", 2}, {"column<33>", "wavefronts", 2},    {"tensor_product", "mma", 3},     {"tensor_product", "launches", 1},
    {"parting", "divergent_branches", 1}, {"consecutive", "divergent_branches", 0},
};

/// The number behind "counter" in the line of the kernel.
int counter(const std::string& json, const std::string& kernel, const std::string& name) {
    std::istringstream lines(json);
    for (std::string line; std::getline(lines, line);) {
        if (line.find(kernel) == std::string::npos) continue;
        const size_t at = line.find("\"" + name + "\": ");
        checking::check(at != std::string::npos, "no counter " + name);
        return std::atoi(line.c_str() + at + name.size() + 4);
    }
    throw std::runtime_error("no kernel " + kernel);
}

}  // namespace

int main() {
    Buffer<float> in(std::vector<float>(256, 1.0f)), out(256);
    consecutive<<<1, 32>>>(in.data(), out.data());
    strided<<<1, 32>>>(in.data(), out.data());
    shared_column<1><<<1, 32>>>(out.data());
    shared_column<32><<<1, 32>>>(out.data());
    shared_column<33><<<1, 32>>>(out.data());
    tensor_product<<<1, 32>>>(out.data());
    parting<<<1, 32>>>(out.data());
    static char json[1 << 16];
    ptxmachine_counters(json, sizeof json);
    std::vector<checking::Test> tests = {{"runs", [] { checking::ok(cudaDeviceSynchronize()); }}};
    for (const Want& want : kWants)
        tests.push_back({std::string(want.kernel) + " " + want.counter, [want] {
                             const int got = counter(json, want.kernel, want.counter);
                             checking::check(got == want.value, "is " + std::to_string(got) + ", expected " + std::to_string(want.value));
                         }});
    return checking::run_all("ptxmachine_counters", tests);
}
