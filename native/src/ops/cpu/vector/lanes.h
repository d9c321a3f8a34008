// How many elements of a vector register a load or store touches. Included by files compiled for different instruction sets, so everything
// here has internal linkage and nothing comes from the standard library's inline functions.
#pragma once
#include <cstdint>

#if defined(_MSC_VER)
#define VACCINE_INLINE __forceinline
#else
#define VACCINE_INLINE inline __attribute__((always_inline))
#endif

namespace vaccine::ops {
namespace {

struct Full {};
struct Part {
    int64_t count;  // 1 .. width-1; the other lanes load as zero and are not stored
};

}  // namespace
}  // namespace vaccine::ops
