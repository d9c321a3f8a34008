// Every instruction of the table against a reference in integers or double. A row that no case uses fails the test.
#include "checking.h"
#include "half_reference.h"

namespace {

using checking::Buffer;

constexpr int kCount = 1024;

/// Corner cases, then noise.
template <class T> std::vector<T> samples(uint64_t seed) {
    std::vector<T> values(kCount);
    uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
    for (int i = 0; i < kCount; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        const auto bits = state >> 13 ^ state << 29;
        if (std::is_floating_point<T>::value) values[i] = static_cast<T>((static_cast<double>(bits % 2000001) - 1000000) / 65536);
        else values[i] = static_cast<T>(i % 3 == 0 ? bits % 97 - 48 : bits);
    }
    const T corners[] = {T(0), T(1), T(-1), T(2), T(31), T(32), T(33), T(63), T(64), T(65), std::numeric_limits<T>::max(), std::numeric_limits<T>::lowest()};
    for (size_t i = 0; i < 144; ++i) values[i] = corners[seed % 3 == 0 ? i % 12 : seed % 3 == 1 ? i / 12 : (i + i / 12) % 12];
    return values;
}
template <class Case> __global__ void apply(const typename Case::A* a, const typename Case::B* b, const typename Case::C* c, typename Case::D* d) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    d[i] = Case::run(a[i], b[i], c[i]);
}

std::vector<checking::Test>& tests() {
    static std::vector<checking::Test> all;
    return all;
}

template <class T> bool same(T got, T want, double tolerance) {
    if (got == want || (got != got && want != want)) return true;
    return tolerance > 0 && std::fabs(static_cast<double>(got) - static_cast<double>(want)) <= tolerance * std::fabs(static_cast<double>(want));
}

template <class Case> void compare(const char* text, double tolerance) {
    const auto a = samples<typename Case::A>(1);
    const auto b = samples<typename Case::B>(3);
    const auto c = samples<typename Case::C>(5);
    Buffer<typename Case::A> A(a);
    Buffer<typename Case::B> B(b);
    Buffer<typename Case::C> C(c);
    Buffer<typename Case::D> D(static_cast<size_t>(kCount));
    apply<Case><<<kCount / 128, 128>>>(A.data(), B.data(), C.data(), D.data());
    checking::ok(cudaDeviceSynchronize());
    const auto d = D.values();
    for (int i = 0; i < kCount; ++i) {
        const typename Case::D want = Case::want(a[i], b[i], c[i]);
        if (same(d[i], want, tolerance)) continue;
        checking::check(false, std::string(text) + " of " + std::to_string(a[i]) + ", " + std::to_string(b[i]) + ", " + std::to_string(c[i]) +
                                   " is " + std::to_string(d[i]) + ", expected " + std::to_string(want));
    }
}

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
/// One case: PTX text with operands %0 = d, %1 = a, %2 = b, %3 = c, and what d is to be.
#define CASE_OF(id, TA, TB, TC, TD, la, lb, lc, ld, text, tolerance, ...)                                       \
    struct id {                                                                                                 \
        using A = TA;                                                                                           \
        using B = TB;                                                                                           \
        using C = TC;                                                                                           \
        using D = TD;                                                                                           \
        __device__ static D run(A a, B b, C c) {                                                                \
            D d;                                                                                                \
            asm volatile("{ " text " }" : "=" ld(d) : la(a), lb(b), lc(c));                                     \
            return d;                                                                                           \
        }                                                                                                       \
        static D want(A a, B b, C c) { return (void)a, (void)b, (void)c, static_cast<D>(__VA_ARGS__); }         \
    };                                                                                                          \
    [[maybe_unused]] const bool JOIN(id, _added) = (tests().push_back({text, [] { compare<id>(text, tolerance); }}), true);
#define CASE(TA, TB, TC, TD, la, lb, lc, ld, text, tolerance, ...) \
    CASE_OF(JOIN(Case, __COUNTER__), TA, TB, TC, TD, la, lb, lc, ld, text, tolerance, __VA_ARGS__)
#define SAME(T, letter, text, ...) CASE(T, T, T, T, letter, letter, letter, letter, text, 0, __VA_ARGS__)
#define NEAR(T, letter, text, ...) CASE(T, T, T, T, letter, letter, letter, letter, text, 4e-7, __VA_ARGS__)

using U16 = uint16_t;
using U32 = uint32_t;
using U64 = uint64_t;
using S16 = int16_t;
using S32 = int32_t;
using S64 = int64_t;
using U128 = unsigned __int128;
using S128 = __int128;

// The names are per integer type: unsigned and signed of each width.
#define INTEGERS(U, S, W, SW, NU, NS, NB, L, bits) \
    SAME(U, L, "add." NU " %0, %1, %2;", a + b) \
    SAME(U, L, "add." NS " %0, %1, %2;", a + b) \
    SAME(U, L, "sub." NU " %0, %1, %2;", a - b) \
    SAME(U, L, "sub." NS " %0, %1, %2;", a - b) \
    SAME(U, L, "mul.lo." NU " %0, %1, %2;", U64(a) * b) \
    SAME(U, L, "mul.lo." NS " %0, %1, %2;", U64(a) * b) \
    SAME(U, L, "mul.hi." NU " %0, %1, %2;", W(a) * W(b) >> bits) \
    SAME(S, L, "mul.hi." NS " %0, %1, %2;", SW(a) * SW(b) >> bits) \
    SAME(U, L, "mad.lo." NU " %0, %1, %2, %3;", U64(a) * b + c) \
    SAME(U, L, "mad.lo." NS " %0, %1, %2, %3;", U64(a) * b + c) \
    SAME(U, L, "div." NU " %0, %1, %2;", b == 0 ? U(-1) : U(a / b)) \
    SAME(S, L, "div." NS " %0, %1, %2;", b == 0 ? S(-1) : b == S(-1) ? S(U(0) - U(a)) : S(a / b)) \
    SAME(U, L, "rem." NU " %0, %1, %2;", b == 0 ? a : U(a % b)) \
    SAME(S, L, "rem." NS " %0, %1, %2;", b == 0 ? a : b == S(-1) ? S(0) : S(a % b)) \
    SAME(U, L, "min." NU " %0, %1, %2;", a < b ? a : b) \
    SAME(S, L, "min." NS " %0, %1, %2;", a < b ? a : b) \
    SAME(U, L, "max." NU " %0, %1, %2;", a > b ? a : b) \
    SAME(S, L, "max." NS " %0, %1, %2;", a > b ? a : b) \
    SAME(S, L, "abs." NS " %0, %1;", a < 0 ? S(U(0) - U(a)) : a) \
    SAME(U, L, "neg." NS " %0, %1;", U(0) - a) \
    SAME(U, L, "and." NB " %0, %1, %2;", a & b) \
    SAME(U, L, "or." NB " %0, %1, %2;", a | b) \
    SAME(U, L, "xor." NB " %0, %1, %2;", a ^ b) \
    SAME(U, L, "not." NB " %0, %1;", ~a) \
    CASE(U, U32, U, U, L, "r", L, L, "shl." NB " %0, %1, %2;", 0, b >= bits ? 0 : a << b) \
    CASE(U, U32, U, U, L, "r", L, L, "shr." NB " %0, %1, %2;", 0, b >= bits ? 0 : a >> b) \
    CASE(U, U32, U, U, L, "r", L, L, "shr." NU " %0, %1, %2;", 0, b >= bits ? 0 : a >> b) \
    CASE(S, U32, S, S, L, "r", L, L, "shr." NS " %0, %1, %2;", 0, a >> (b >= bits ? bits - 1 : b)) \
    SAME(U, L, ".reg .pred p; setp.eq." NB " p, %1, %2; selp." NB " %0, %2, %3, p;", a == b ? b : c) \
    SAME(U, L, ".reg .pred p; setp.lt." NU " p, %1, %2; selp." NU " %0, %2, %3, p;", a < b ? b : c) \
    SAME(S, L, ".reg .pred p; setp.ge." NS " p, %1, %2; selp." NS " %0, %2, %3, p;", a >= b ? b : c)

INTEGERS(U16, S16, U32, S32, "u16", "s16", "b16", "h", 16)
INTEGERS(U32, S32, U64, S64, "u32", "s32", "b32", "r", 32)
INTEGERS(U64, S64, U128, S128, "u64", "s64", "b64", "l", 64)

CASE(U16, U16, U32, U32, "h", "h", "r", "r", "mul.wide.u16 %0, %1, %2;", 0, U32(a) * b)
CASE(S16, S16, S32, S32, "h", "h", "r", "r", "mul.wide.s16 %0, %1, %2;", 0, S32(a) * b)
CASE(U32, U32, U64, U64, "r", "r", "l", "l", "mul.wide.u32 %0, %1, %2;", 0, U64(a) * b)
CASE(S32, S32, S64, S64, "r", "r", "l", "l", "mul.wide.s32 %0, %1, %2;", 0, S64(a) * b)
CASE(U16, U16, U32, U32, "h", "h", "r", "r", "mad.wide.u16 %0, %1, %2, %3;", 0, U32(a) * b + c)
CASE(S16, S16, U32, U32, "h", "h", "r", "r", "mad.wide.s16 %0, %1, %2, %3;", 0, U32(S32(a) * b) + c)
CASE(U32, U32, U64, U64, "r", "r", "l", "l", "mad.wide.u32 %0, %1, %2, %3;", 0, U64(a) * b + c)
CASE(S32, S32, U64, U64, "r", "r", "l", "l", "mad.wide.s32 %0, %1, %2, %3;", 0, U64(S64(a) * b) + c)
SAME(U32, "r", "mad.hi.u32 %0, %1, %2, %3;", (U64(a) * b >> 32) + c)
CASE(S32, S32, U32, U32, "r", "r", "r", "r", "mad.hi.s32 %0, %1, %2, %3;", 0, U32(S64(a) * b >> 32) + c)

// Bits.
SAME(U32, "r", "shf.l.wrap.b32 %0, %1, %2, %3;", (U64(b) << 32 | a) << (c & 31) >> 32)
SAME(U32, "r", "shf.l.clamp.b32 %0, %1, %2, %3;", (U64(b) << 32 | a) << (c > 32 ? 32 : c) >> 32)
SAME(U32, "r", "shf.r.wrap.b32 %0, %1, %2, %3;", (U64(b) << 32 | a) >> (c & 31))
SAME(U32, "r", "shf.r.clamp.b32 %0, %1, %2, %3;", (U64(b) << 32 | a) >> (c > 32 ? 32 : c))
U32 ones(U64 v) { return v == 0 ? 0 : 1 + ones(v & (v - 1)); }
int top_bit(U64 v) { return v == 0 ? -1 : 1 + top_bit(v >> 1); }
U64 reversed(U64 v, int bits) { return bits == 0 ? 0 : (v & 1) << (bits - 1) | reversed(v >> 1, bits - 1); }
CASE(U32, U32, U32, U32, "r", "r", "r", "r", "popc.b32 %0, %1;", 0, ones(a))
CASE(U64, U64, U64, U32, "l", "l", "l", "r", "popc.b64 %0, %1;", 0, ones(a))
CASE(U32, U32, U32, U32, "r", "r", "r", "r", "clz.b32 %0, %1;", 0, 31 - top_bit(a))
CASE(U64, U64, U64, U32, "l", "l", "l", "r", "clz.b64 %0, %1;", 0, 63 - top_bit(a))
SAME(U32, "r", "brev.b32 %0, %1;", reversed(a, 32))
SAME(U64, "l", "brev.b64 %0, %1;", reversed(a, 64))
SAME(U32, "r", "bfind.u32 %0, %1;", top_bit(a))
CASE(S32, S32, S32, U32, "r", "r", "r", "r", "bfind.s32 %0, %1;", 0, top_bit(U32(a < 0 ? ~a : a)))
CASE(U64, U64, U64, U32, "l", "l", "l", "r", "bfind.u64 %0, %1;", 0, top_bit(a))
CASE(S64, S64, S64, U32, "l", "l", "l", "r", "bfind.s64 %0, %1;", 0, top_bit(U64(a < 0 ? ~a : a)))
SAME(U32, "r", "bfind.shiftamt.u32 %0, %1;", a == 0 ? U32(-1) : U32(31 - top_bit(a)))
CASE(U64, U64, U64, U32, "l", "l", "l", "r", "bfind.shiftamt.u64 %0, %1;", 0, a == 0 ? U32(-1) : U32(63 - top_bit(a)))
U64 field(U64 v, U32 at, U32 count, int bits, bool sign) {
    U64 result = 0;
    at &= 255, count &= 255;
    for (int b = 63; b >= 0; --b) {  // the manual's own definition, bit by bit
        const U32 last = at + count - 1 < U32(bits - 1) ? at + count - 1 : U32(bits - 1);
        const bool fill = sign && count != 0 && (v >> last & 1) != 0;
        const bool bit = U32(b) < count && at + b < U32(bits) ? (v >> (at + b) & 1) != 0 : fill;
        result = result << 1 | U64(bit);
    }
    return result;
}
SAME(U32, "r", "bfe.u32 %0, %1, %2, %3;", field(a, b, c, 32, false))
CASE(S32, U32, U32, U32, "r", "r", "r", "r", "bfe.s32 %0, %1, %2, %3;", 0, field(U32(a), b, c, 32, true))
CASE(U64, U32, U32, U64, "l", "r", "r", "l", "bfe.u64 %0, %1, %2, %3;", 0, field(a, b, c, 64, false))
CASE(U64, U32, U32, U64, "l", "r", "r", "l", "bfe.s64 %0, %1, %2, %3;", 0, field(a, b, c, 64, true))
SAME(U32, "r", "bfi.b32 %0, %1, %2, 5, 9;", (b & ~(511u << 5)) | (a & 511) << 5)
SAME(U64, "l", "bfi.b64 %0, %1, %2, 40, 50;", (b & ((U64(1) << 40) - 1)) | a << 40)
U32 picked(U32 a, U32 b, U32 c) {
    U32 result = 0;
    for (int k = 0; k < 4; ++k) {
        const U32 byte = U32((U64(b) << 32 | a) >> 8 * (c >> 4 * k & 7)) & 255;
        result |= ((c >> 4 * k & 8) ? (byte & 128 ? 255u : 0u) : byte) << 8 * k;
    }
    return result;
}
SAME(U32, "r", "prmt.b32 %0, %1, %2, %3;", picked(a, b, c))
SAME(U32, "r", "lop3.b32 %0, %1, %2, %3, 0x96;", a ^ b ^ c)
SAME(U32, "r", "lop3.b32 %0, %1, %2, %3, 0xca;", (a & b) | (~a & c))
U32 dot(U32 a, U32 b, U32 c, bool sign) {
    for (int k = 0; k < 32; k += 8) c += sign ? U32(int8_t(a >> k) * int8_t(b >> k)) : (a >> k & 255) * (b >> k & 255);
    return c;
}
SAME(U32, "r", "dp4a.s32.s32 %0, %1, %2, %3;", dot(a, b, c, true))
SAME(U32, "r", "dp4a.u32.u32 %0, %1, %2, %3;", dot(a, b, c, false))

// Predicates.
SAME(U32, "r", ".reg .pred p, q, r; setp.lt.u32 p, %1, %2; setp.lt.u32 q, %2, %3; and.pred r, p, q; selp.b32 %0, %1, %3, r;", a < b && b < c ? a : c)
SAME(U32, "r", ".reg .pred p, q, r; setp.lt.u32 p, %1, %2; setp.lt.u32 q, %2, %3; or.pred r, p, !q; selp.b32 %0, %1, %3, r;", a < b || !(b < c) ? a : c)
SAME(U32, "r", ".reg .pred p, q, r; setp.lt.u32 p, %1, %2; setp.lt.u32 q, %2, %3; xor.pred r, p, q; selp.b32 %0, %1, %3, r;", (a < b) != (b < c) ? a : c)
SAME(U32, "r", ".reg .pred p, r; setp.lt.u32 p, %1, %2; not.pred r, p; mov.pred p, r; selp.b32 %0, %1, %3, p;", a < b ? c : a)
SAME(U32, "r", ".reg .pred p, q; setp.lt.u32 p|q, %1, %2; @p mov.u32 %0, 7; @q mov.u32 %0, 9;", a < b ? 7 : 9)
SAME(U32, "r", ".reg .pred p, q; setp.gt.u32 p, %1, %2; setp.le.and.u32 q, %2, %3, p; selp.b32 %0, %1, %3, q;", a > b && b <= c ? a : c)
SAME(U32, "r", "set.lt.u32.u32 %0, %1, %2;", a < b ? ~0u : 0)
CASE(U32, U32, S32, U32, "r", "r", "r", "r", "slct.b32.s32 %0, %1, %2, %3;", 0, c >= 0 ? a : b)

// Floating point. Basic operations must be exact; functions that the card approximates are near.
#define FLOATS(T, L, NF)                                                                                      \
    SAME(T, L, "add.rn." NF " %0, %1, %2;", a + b)                                                            \
    SAME(T, L, "sub.rn." NF " %0, %1, %2;", a - b)                                                            \
    SAME(T, L, "mul.rn." NF " %0, %1, %2;", a * b)                                                            \
    SAME(T, L, "fma.rn." NF " %0, %1, %2, %3;", std::fma(a, b, c))                                            \
    SAME(T, L, "mad.rn." NF " %0, %1, %2, %3;", std::fma(a, b, c))                                            \
    SAME(T, L, "div.rn." NF " %0, %1, %2;", a / b)                                                            \
    SAME(T, L, "rcp.rn." NF " %0, %1;", 1 / a)                                                                \
    SAME(T, L, "sqrt.rn." NF " %0, %1;", std::sqrt(a))                                                        \
    SAME(T, L, "min." NF " %0, %1, %2;", std::fmin(a, b))                                                     \
    SAME(T, L, "max." NF " %0, %1, %2;", std::fmax(a, b))                                                     \
    SAME(T, L, "abs." NF " %0, %1;", std::fabs(a))                                                            \
    SAME(T, L, "neg." NF " %0, %1;", -a)                                                                      \
    NEAR(T, L, "rsqrt.approx." NF " %0, %1;", 1 / std::sqrt(static_cast<double>(a)))                          \
    SAME(T, L, ".reg .pred p; setp.ltu." NF " p, %1, %2; selp." NF " %0, %2, %3, p;", !(a >= b) ? b : c)

FLOATS(float, "f", "f32")
FLOATS(double, "d", "f64")
SAME(float, "f", ".reg .pred p; setp.eq.ftz.f32 p, %1, 0f00000001; selp.f32 %0, %2, %3, p;", a == 0 ? b : c)
SAME(float, "f", "add.rz.f32 %0, %1, %2;", toward_zero(static_cast<double>(a) + b))
SAME(float, "f", "mul.rz.ftz.f32 %0, %1, %2;", toward_zero(static_cast<double>(a) * b))
SAME(float, "f", "add.sat.f32 %0, %1, %2;", std::fmin(std::fmax(a + b, 0.0f), 1.0f))
SAME(float, "f", "copysign.f32 %0, %1, %2;", std::copysign(b, a))
NEAR(float, "f", "ex2.approx.ftz.f32 %0, %1;", std::exp2(static_cast<double>(a)) < 1.17549435e-38 ? 0 : std::exp2(static_cast<double>(a)))
NEAR(float, "f", "lg2.approx.f32 %0, %1;", std::log2(static_cast<double>(a)))
NEAR(float, "f", "sin.approx.f32 %0, %1;", std::sin(static_cast<double>(a)))
NEAR(float, "f", "cos.approx.f32 %0, %1;", std::cos(static_cast<double>(a)))
NEAR(float, "f", "tanh.approx.f32 %0, %1;", std::tanh(static_cast<double>(a)))
NEAR(double, "d", "rcp.approx.ftz.f64 %0, %1;", 1 / a)
NEAR(float, "f", "div.full.f32 %0, %1, %2;", static_cast<double>(a) / b)

// 16-bit formats, and pairs of them.
double low(const HalfFormat& f, U32 v) { return f.decode(static_cast<U16>(v)); }
double high(const HalfFormat& f, U32 v) { return f.decode(static_cast<U16>(v >> 16)); }
U32 pair(const HalfFormat& f, double upper, double lower) { return U32(f.encode(upper)) << 16 | f.encode(lower); }
double larger(double a, double b, bool keep_nan) { return keep_nan && (a != a || b != b) ? std::nan("") : std::fmax(a, b); }
#define HALVES(F, NF)                                                                                                     \
    SAME(U16, "h", "add." NF " %0, %1, %2;", F.encode(F.decode(a) + F.decode(b)))                                         \
    SAME(U16, "h", "sub." NF " %0, %1, %2;", F.encode(F.decode(a) - F.decode(b)))                                         \
    SAME(U16, "h", "mul." NF " %0, %1, %2;", F.encode(F.decode(a) * F.decode(b)))                                         \
    SAME(U16, "h", "fma.rn." NF " %0, %1, %2, %3;", F.encode(std::fma(F.decode(a), F.decode(b), F.decode(c))))            \
    SAME(U16, "h", "min." NF " %0, %1, %2;", F.encode(std::fmin(F.decode(a), F.decode(b))))                               \
    SAME(U16, "h", "max.NaN." NF " %0, %1, %2;", F.encode(larger(F.decode(a), F.decode(b), true)))                        \
    SAME(U16, "h", "abs." NF " %0, %1;", a & 0x7FFF)                                                                      \
    SAME(U16, "h", "neg." NF " %0, %1;", a ^ 0x8000)                                                                      \
    SAME(U16, "h", ".reg .pred p; setp.lt." NF " p, %1, %2; selp.b16 %0, %1, %3, p;", F.decode(a) < F.decode(b) ? a : c)  \
    SAME(U16, "h", "tanh.approx." NF " %0, %1;", F.encode(std::tanh(static_cast<float>(F.decode(a)))))                    \
    SAME(U32, "r", "add." NF "x2 %0, %1, %2;", pair(F, high(F, a) + high(F, b), low(F, a) + low(F, b)))                   \
    SAME(U32, "r", "sub." NF "x2 %0, %1, %2;", pair(F, high(F, a) - high(F, b), low(F, a) - low(F, b)))                   \
    SAME(U32, "r", "mul." NF "x2 %0, %1, %2;", pair(F, high(F, a) * high(F, b), low(F, a) * low(F, b)))                   \
    SAME(U32, "r", "fma.rn." NF "x2 %0, %1, %2, %3;", pair(F, std::fma(high(F, a), high(F, b), high(F, c)), std::fma(low(F, a), low(F, b), low(F, c)))) \
    SAME(U32, "r", "min." NF "x2 %0, %1, %2;", pair(F, std::fmin(high(F, a), high(F, b)), std::fmin(low(F, a), low(F, b)))) \
    SAME(U32, "r", "max." NF "x2 %0, %1, %2;", pair(F, std::fmax(high(F, a), high(F, b)), std::fmax(low(F, a), low(F, b)))) \
    SAME(U32, "r", "abs." NF "x2 %0, %1;", a & 0x7FFF7FFF)                                                                \
    SAME(U32, "r", "neg." NF "x2 %0, %1;", a ^ 0x80008000)
HALVES(kF16, "f16")
HALVES(kBf16, "bf16")
SAME(U16, "h", "ex2.approx.f16 %0, %1;", kF16.encode(std::exp2(static_cast<float>(kF16.decode(a)))))
SAME(U16, "h", "ex2.approx.ftz.bf16 %0, %1;", kBf16.encode(std::exp2(static_cast<float>(kBf16.decode(a)))))
SAME(U32, "r", "ex2.approx.f16x2 %0, %1;", pair(kF16, std::exp2(static_cast<float>(high(kF16, a))), std::exp2(static_cast<float>(low(kF16, a)))))
SAME(U32, "r", "ex2.approx.ftz.bf16x2 %0, %1;", pair(kBf16, std::exp2(static_cast<float>(high(kBf16, a))), std::exp2(static_cast<float>(low(kBf16, a)))))
CASE(U16, U16, U16, float, "h", "h", "h", "f", "cvt.f32.f16 %0, %1;", 0, kF16.decode(a))
CASE(U16, U16, U16, float, "h", "h", "h", "f", "cvt.f32.bf16 %0, %1;", 0, kBf16.decode(a))
CASE(U16, U16, U16, U16, "h", "h", "h", "h", ".reg .pred p; setp.eq.b16 p, %1, %2; selp.b16 %0, %1, %3, p;", 0, a == b ? a : c)

// Conversion.
CASE(float, float, float, S32, "f", "f", "f", "r", "cvt.rni.s32.f32 %0, %1;", 0, integer_of<S32>(std::nearbyint(a)))
CASE(float, float, float, S32, "f", "f", "f", "r", "cvt.rzi.s32.f32 %0, %1;", 0, integer_of<S32>(std::trunc(a)))
CASE(float, float, float, U32, "f", "f", "f", "r", "cvt.rmi.u32.f32 %0, %1;", 0, integer_of<U32>(std::floor(a)))
CASE(double, double, double, S64, "d", "d", "d", "l", "cvt.rpi.s64.f64 %0, %1;", 0, integer_of<S64>(std::ceil(a)))
CASE(S32, S32, S32, float, "r", "r", "r", "f", "cvt.rn.f32.s32 %0, %1;", 0, static_cast<float>(a))
CASE(U64, U64, U64, double, "l", "l", "l", "d", "cvt.rn.f64.u64 %0, %1;", 0, static_cast<double>(a))
CASE(S32, S32, S32, S64, "r", "r", "r", "l", "cvt.s64.s32 %0, %1;", 0, a)
CASE(U32, U32, U32, U64, "r", "r", "r", "l", "cvt.u64.u32 %0, %1;", 0, a)
CASE(U32, U32, U32, S32, "r", "r", "r", "r", "cvt.s32.s8 %0, %1;", 0, int8_t(a))
CASE(double, double, double, float, "d", "d", "d", "f", "cvt.rn.f32.f64 %0, %1;", 0, static_cast<float>(a))
CASE(float, float, float, double, "f", "f", "f", "d", "cvt.f64.f32 %0, %1;", 0, a)
SAME(float, "f", "cvt.rmi.f32.f32 %0, %1;", std::floor(a))
CASE(float, float, float, U16, "f", "f", "f", "h", "cvt.rn.bf16.f32 %0, %1;", 0, kBf16.encode(a))
CASE(float, float, float, U16, "f", "f", "f", "h", "cvt.rn.f16.f32 %0, %1;", 0, kF16.encode(a))
CASE(float, float, float, U32, "f", "f", "f", "r", "cvt.rn.bf16x2.f32 %0, %1, %2;", 0, U32(kBf16.encode(a)) << 16 | kBf16.encode(b))
CASE(float, float, float, U32, "f", "f", "f", "r", "cvt.rn.f16x2.f32 %0, %1, %2;", 0, U32(kF16.encode(a)) << 16 | kF16.encode(b))
CASE(U32, U32, U32, U64, "r", "r", "r", "l", "mov.b64 %0, {%1, %2};", 0, U64(b) << 32 | a)
CASE(U64, U64, U64, U32, "l", "l", "l", "r", ".reg .b32 low; mov.b64 {low, %0}, %1;", 0, a >> 32)

}  // namespace

#include "warp_cases.cuh"

/// Rows that no case here uses, but for those that end or leave a kernel (faults_test) or do nothing.
void no_row_is_left_out() {
    static char text[1 << 16];
    ptxmachine_unused_instructions(text, sizeof text);
    const std::set<std::string> elsewhere = {"bra", "call", "st.param", "exit", "trap", "brkpt", "prefetch", "prefetchu"};
    std::istringstream lines(text);
    std::string left_out;
    for (std::string line; std::getline(lines, line);)
        if (elsewhere.count(line) == 0) left_out += " " + line;
    checking::check(left_out.empty(), "no case for" + left_out);
}

int main() {
    checking::take_faults();
    std::vector<checking::Test> all = tests();
    all.push_back({"the whole table", no_row_is_left_out});
    return checking::run_all("ptxmachine_instructions", all);
}
