#include "core/cpu_features.h"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/error.h"

#if defined(__x86_64__) || defined(_M_X64)
#define VACCINE_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace vaccine {
namespace {

#if defined(VACCINE_X86)

struct Registers {
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
    Registers r;
#if defined(_MSC_VER)
    int out[4];
    __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
    std::memcpy(&r, out, sizeof r);
#else
    __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
#endif
    return r;
}

/// Which registers the operating system saves when it switches threads (XCR0).
uint64_t saved_state() {
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<uint64_t>(high) << 32 | low;
#endif
}

Isa detect() {
    constexpr uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28;                 // leaf 1, ecx
    constexpr uint32_t kAvx2 = 1u << 5, kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // leaf 7, ebx: F, DQ, BW, VL
    constexpr uint64_t kYmmState = 0x6, kZmmState = 0xE6;                                     // XCR0
    if (cpuid(0).a < 7) return Isa::Plain;
    const uint32_t basic = cpuid(1).c, extended = cpuid(7).b;
    if ((basic & (kFma | kOsxsave | kAvx)) != (kFma | kOsxsave | kAvx) || !(extended & kAvx2)) return Isa::Plain;
    const uint64_t state = saved_state();
    if ((state & kYmmState) != kYmmState) return Isa::Plain;
    return (extended & kAvx512) == kAvx512 && (state & kZmmState) == kZmmState ? Isa::Avx512 : Isa::Avx2;
}

#else

Isa detect() {
    return Isa::Plain;
}

#endif

std::atomic<Isa>& active() {
    static std::atomic<Isa> isa{best_isa()};
    return isa;
}

}  // namespace

const char* name_of(Isa isa) {
    return isa == Isa::Avx512 ? "avx512" : isa == Isa::Avx2 ? "avx2" : "plain";
}

Isa best_isa() {
    static const Isa best = detect();
    return best;
}

Isa active_isa() {
    return active().load(std::memory_order_relaxed);
}

void force_isa(Isa isa) {
    if (isa > best_isa()) throw Error(Status::Unsupported, std::string("force_isa: this machine has no ") + name_of(isa));
    active().store(isa, std::memory_order_relaxed);
}

std::vector<Isa> available_isas() {
    std::vector<Isa> list;
    for (Isa isa : {Isa::Plain, Isa::Avx2, Isa::Avx512})
        if (isa <= best_isa()) list.push_back(isa);
    return list;
}

std::string cpu_brand() {
    char text[49] = {};
#if defined(VACCINE_X86)
    if (cpuid(0x80000000u).a >= 0x80000004u)
        for (uint32_t part = 0; part < 3; ++part) {
            const Registers r = cpuid(0x80000002u + part);
            std::memcpy(text + 16 * part, &r, sizeof r);
        }
#endif
    return text;
}

}  // namespace vaccine
