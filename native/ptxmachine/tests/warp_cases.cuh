// Cases of instructions_test.cu whose result depends on other lanes, on memory, or on a fragment layout.
#pragma once

namespace {

// Atomics: each thread on its own cell, so that both the old and the new value are known.
template <class Case> __global__ void apply_atomic(typename Case::T* cells, const typename Case::T* b, const typename Case::T* c, typename Case::T* old) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    old[i] = Case::run(cells + i, b[i], c[i]);
}
template <class Case> void compare_atomic(const char* text) {
    using T = typename Case::T;
    const auto a = samples<T>(1), b = samples<T>(3), c = samples<T>(5);
    Buffer<T> cells(a), B(b), C(c), old(static_cast<size_t>(kCount));
    apply_atomic<Case><<<kCount / 128, 128>>>(cells.data(), B.data(), C.data(), old.data());
    checking::ok(cudaDeviceSynchronize());
    const auto now = cells.values(), before = old.values();
    for (int i = 0; i < kCount; ++i)
        checking::check(same(before[i], a[i], 0) && same(now[i], Case::want(a[i], b[i], c[i]), 0),
                        std::string(text) + " of " + std::to_string(a[i]) + " with " + std::to_string(b[i]) + " leaves " + std::to_string(now[i]));
}
#define ATOMIC_OF(id, TYPE, letter, text, ...)                                                                        \
    struct id {                                                                                                       \
        using T = TYPE;                                                                                               \
        __device__ static T run(T* cell, T b, T c) {                                                                  \
            T d;                                                                                                      \
            asm volatile("atom.global." text ";" : "=" letter(d) : "l"(cell), letter(b), letter(c) : "memory");      \
            return d;                                                                                                 \
        }                                                                                                             \
        static T want(T a, T b, T c) { return (void)a, (void)b, (void)c, static_cast<T>(__VA_ARGS__); }               \
    };                                                                                                                \
    [[maybe_unused]] const bool JOIN(id, _added) = (tests().push_back({"atom." text, [] { compare_atomic<id>(text); }}), true);
#define ATOMIC(T, letter, text, ...) ATOMIC_OF(JOIN(Atomic, __COUNTER__), T, letter, text, __VA_ARGS__)

ATOMIC(U32, "r", "add.u32 %0, [%1], %2", a + b)
ATOMIC(U32, "r", "add.s32 %0, [%1], %2", a + b)
ATOMIC(U64, "l", "add.u64 %0, [%1], %2", a + b)
ATOMIC(float, "f", "add.f32 %0, [%1], %2", a + b)
ATOMIC(double, "d", "add.f64 %0, [%1], %2", a + b)
ATOMIC(U16, "h", "add.noftz.f16 %0, [%1], %2", kF16.encode(kF16.decode(a) + kF16.decode(b)))
ATOMIC(U16, "h", "add.noftz.bf16 %0, [%1], %2", kBf16.encode(kBf16.decode(a) + kBf16.decode(b)))
ATOMIC(U32, "r", "add.noftz.f16x2 %0, [%1], %2", pair(kF16, high(kF16, a) + high(kF16, b), low(kF16, a) + low(kF16, b)))
ATOMIC(U32, "r", "add.noftz.bf16x2 %0, [%1], %2", pair(kBf16, high(kBf16, a) + high(kBf16, b), low(kBf16, a) + low(kBf16, b)))
ATOMIC(U32, "r", "min.u32 %0, [%1], %2", a < b ? a : b)
ATOMIC(S32, "r", "min.s32 %0, [%1], %2", a < b ? a : b)
ATOMIC(U64, "l", "min.u64 %0, [%1], %2", a < b ? a : b)
ATOMIC(S64, "l", "min.s64 %0, [%1], %2", a < b ? a : b)
ATOMIC(U32, "r", "max.u32 %0, [%1], %2", a > b ? a : b)
ATOMIC(S32, "r", "max.s32 %0, [%1], %2", a > b ? a : b)
ATOMIC(U64, "l", "max.u64 %0, [%1], %2", a > b ? a : b)
ATOMIC(S64, "l", "max.s64 %0, [%1], %2", a > b ? a : b)
ATOMIC(U32, "r", "and.b32 %0, [%1], %2", a & b)
ATOMIC(U32, "r", "or.b32 %0, [%1], %2", a | b)
ATOMIC(U32, "r", "xor.b32 %0, [%1], %2", a ^ b)
ATOMIC(U64, "l", "and.b64 %0, [%1], %2", a & b)
ATOMIC(U64, "l", "or.b64 %0, [%1], %2", a | b)
ATOMIC(U64, "l", "xor.b64 %0, [%1], %2", a ^ b)
ATOMIC(U32, "r", "exch.b32 %0, [%1], %2", b)
ATOMIC(U64, "l", "exch.b64 %0, [%1], %2", b)
ATOMIC(U16, "h", "cas.b16 %0, [%1], %2, %3", a == b ? c : a)
ATOMIC(U32, "r", "cas.b32 %0, [%1], %2, %3", a == b ? c : a)
ATOMIC(U64, "l", "cas.b64 %0, [%1], %2, %3", a == b ? c : a)
ATOMIC(U32, "r", "inc.u32 %0, [%1], %2", a >= b ? 0 : a + 1)
ATOMIC(U32, "r", "dec.u32 %0, [%1], %2", a == 0 || a > b ? b : a - 1)

// Lanes. `a` is the array of all 32, `l` the lane.
template <class Case> __global__ void apply_warp(const typename Case::T* a, U32* d) {
    d[threadIdx.x] = Case::run(a[threadIdx.x], threadIdx.x);
}
template <class Case> void compare_warp(const char* text) {
    using T = typename Case::T;
    const auto noise = samples<T>(1);
    for (int first = 0; first + 32 <= kCount; first += 96) {
        std::vector<T> a(noise.begin() + first, noise.begin() + first + 32);
        Buffer<T> A(a);
        Buffer<U32> D(32);
        apply_warp<Case><<<1, 32>>>(A.data(), D.data());
        checking::ok(cudaDeviceSynchronize());
        const auto d = D.values();
        for (U32 l = 0; l < 32; ++l)
            checking::check(d[l] == Case::want(a.data(), l), std::string(text) + " lane " + std::to_string(l) + " is " + std::to_string(d[l]) +
                                                                 ", expected " + std::to_string(Case::want(a.data(), l)));
    }
}
#define WARP_OF(id, TYPE, letter, text, ...)                                                                     \
    struct id {                                                                                                  \
        using T = TYPE;                                                                                          \
        __device__ static U32 run(T a, U32 lane) {                                                               \
            U32 d;                                                                                               \
            asm volatile("{ .reg .pred p, q; " text " }" : "=r"(d) : letter(a), "r"(lane) : "memory");          \
            return d;                                                                                            \
        }                                                                                                        \
        static U32 want(const T* a, U32 l) { return (void)a, (void)l, static_cast<U32>(__VA_ARGS__); }           \
    };                                                                                                           \
    [[maybe_unused]] const bool JOIN(id, _added) = (tests().push_back({text, [] { compare_warp<id>(text); }}), true);
#define WARP(text, ...) WARP_OF(JOIN(Warp, __COUNTER__), U32, "r", text, __VA_ARGS__)
#define WARP64(text, ...) WARP_OF(JOIN(Warp, __COUNTER__), U64, "l", text, __VA_ARGS__)

template <class T, class F> T fold(const T* a, F f) {
    T sum = a[0];
    for (int l = 1; l < 32; ++l) sum = f(sum, a[l]);
    return sum;
}
U32 ballot_of_odd(const U32* a) {
    U32 mask = 0;
    for (int l = 0; l < 32; ++l) mask |= (a[l] & 1) << l;
    return mask;
}
template <class T> U32 equal_to(const T* a, T value) {
    U32 mask = 0;
    for (int l = 0; l < 32; ++l) mask |= U32(a[l] == value) << l;
    return mask;
}
#define ODD ".reg .b32 t; and.b32 t, %1, 1; setp.ne.u32 p, t, 0; "

WARP("shfl.sync.up.b32 %0|p, %1, 3, 0, -1; @!p mov.u32 %0, 7;", l < 3 ? 7 : a[l - 3])
WARP("shfl.sync.down.b32 %0|p, %1, 5, 31, -1; @!p mov.u32 %0, 7;", l + 5 > 31 ? 7 : a[l + 5])
WARP("shfl.sync.bfly.b32 %0, %1, 6, 31, -1;", a[l ^ 6])
WARP("shfl.sync.idx.b32 %0, %1, 5, 0x181f, -1;", a[(l & 24) + 5])
WARP(ODD "vote.sync.ballot.b32 %0, p, -1;", ballot_of_odd(a))
WARP(ODD "vote.sync.all.pred q, p, -1; selp.b32 %0, 1, 0, q;", ballot_of_odd(a) == ~0u)
WARP(ODD "vote.sync.any.pred q, p, -1; selp.b32 %0, 1, 0, q;", ballot_of_odd(a) != 0)
WARP(ODD "vote.sync.uni.pred q, p, -1; selp.b32 %0, 1, 0, q;", ballot_of_odd(a) == 0 || ballot_of_odd(a) == ~0u)
WARP("setp.lt.u32 p, %2, 9; mov.u32 %0, 0; @p activemask.b32 %0;", l < 9 ? 0x1FF : 0)
WARP("match.any.sync.b32 %0, %1, -1;", equal_to(a, a[l]))
WARP64("match.any.sync.b64 %0, %1, -1;", equal_to(a, a[l]))
WARP("match.all.sync.b32 %0|p, %1, -1;", equal_to(a, a[0]) == ~0u ? ~0u : 0)
WARP64("match.all.sync.b64 %0|p, %1, -1;", equal_to(a, a[0]) == ~0u ? ~0u : 0)
WARP("redux.sync.add.u32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x + y; }))
WARP("redux.sync.add.s32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x + y; }))
WARP("redux.sync.min.u32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x < y ? x : y; }))
WARP("redux.sync.min.s32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return S32(x) < S32(y) ? x : y; }))
WARP("redux.sync.max.u32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x > y ? x : y; }))
WARP("redux.sync.max.s32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return S32(x) > S32(y) ? x : y; }))
WARP("redux.sync.and.b32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x & y; }))
WARP("redux.sync.or.b32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x | y; }))
WARP("redux.sync.xor.b32 %0, %1, -1;", fold(a, [](U32 x, U32 y) { return x ^ y; }))
WARP(ODD "bar.red.popc.u32 %0, 0, p;", ones(ballot_of_odd(a)))
WARP(ODD "bar.red.and.pred q, 0, p; selp.b32 %0, 1, 0, q;", ballot_of_odd(a) == ~0u)
WARP(ODD "bar.red.or.pred q, 0, p; selp.b32 %0, 1, 0, q;", ballot_of_odd(a) != 0)
WARP(".shared .align 16 .b32 s[32]; .reg .b32 at; mov.u32 at, s; mad.lo.u32 at, %2, 4, at; st.shared.u32 [at], %1; bar.warp.sync -1; "
     "xor.b32 at, at, 4; ld.shared.u32 %0, [at];", a[l ^ 1])
WARP(".shared .align 16 .b32 s2[32]; .reg .b32 at; .reg .b64 g; mov.u32 at, s2; mad.lo.u32 at, %2, 4, at; st.shared.u32 [at], %1; bar.sync 0; "
     "cvt.u64.u32 g, at; cvta.shared.u64 g, g; isspacep.shared p, g; ld.u32 %0, [g]; @!p mov.u32 %0, 0;", a[l])
WARP("membar.gl; fence.acq_rel.gpu; nanosleep.u32 10; mov.u32 %0, 3;", 3)

// mma: fragments are filled from whole matrices by the layout that the PTX manual draws, here lane by lane.
template <int A, int B, int C, class Case> __global__ void apply_mma(const U32* a, const U32* b, const U32* c, U32* d) {
    U32 ra[4] = {}, rb[2] = {}, rc[4] = {};
    for (int k = 0; k < A; ++k) ra[k] = a[k * 32 + threadIdx.x];
    for (int k = 0; k < B; ++k) rb[k] = b[k * 32 + threadIdx.x];
    for (int k = 0; k < C; ++k) rc[k] = c[k * 32 + threadIdx.x];
    Case::run(ra, rb, rc);
    for (int k = 0; k < C; ++k) d[k * 32 + threadIdx.x] = rc[k];
}
/// How elements lie in registers: `bits` of one, and how a double becomes one.
struct Elements {
    int bits;
    U32 (*encode)(double);
    double (*decode)(U32);
};
const Elements kHalfElements{16, [](double v) { return U32(kF16.encode(v)); }, [](U32 v) { return kF16.decode(U16(v)); }};
const Elements kBf16Elements{16, [](double v) { return U32(kBf16.encode(v)); }, [](U32 v) { return kBf16.decode(U16(v)); }};
U32 float_bits(double v) {
    const auto f = static_cast<float>(v);
    U32 bits;
    std::memcpy(&bits, &f, 4);
    return bits;
}
double float_of(U32 bits) {
    float f;
    std::memcpy(&f, &bits, 4);
    return f;
}
const Elements kFloatElements{32, float_bits, float_of};
const Elements kByteElements{8, [](double v) { return U32(uint8_t(int8_t(v))); }, [](U32 v) { return double(int8_t(v)); }};
const Elements kIntElements{32, [](double v) { return U32(S32(v)); }, [](U32 v) { return double(S32(v)); }};

template <int A, int B, int C, class Case> void compare_mma(const Elements& factor, const Elements& sum) {
    const int per = 32 / factor.bits, depth = B * 4 * per;
    std::vector<double> a(16 * depth), b(depth * 8), c(16 * 8);
    uint64_t state = 3;
    for (auto* matrix : {&a, &b, &c})
        for (double& v : *matrix) v = double(int((state = state * 6364136223846793005ull + 1442695040888963407ull) >> 60)) - 8;  // exact in all formats
    std::vector<U32> ra(A * 32), rb(B * 32), rc(C * 32);
    for (int l = 0; l < 32; ++l) {
        const int group = l >> 2, in_group = l & 3;
        for (int k = 0; k < A * per; ++k)
            ra[k / per * 32 + l] |= factor.encode(a[(group + k / per % 2 * 8) * depth + in_group * per + k % per + k / per / 2 * 4 * per]) << factor.bits * (k % per);
        for (int k = 0; k < B * per; ++k) rb[k / per * 32 + l] |= factor.encode(b[(in_group * per + k % per + k / per * 4 * per) * 8 + group]) << factor.bits * (k % per);
        for (int k = 0; k < 4; ++k) {
            const U32 bits = sum.encode(c[(group + k / 2 * 8) * 8 + in_group * 2 + k % 2]);
            if (sum.bits == 32) rc[k * 32 + l] = bits;
            else rc[k / 2 * 32 + l] |= bits << 16 * (k % 2);
        }
    }
    Buffer<U32> DA(ra), DB(rb), DC(rc), DD(rc.size());
    apply_mma<A, B, C, Case><<<1, 32>>>(DA.data(), DB.data(), DC.data(), DD.data());
    checking::ok(cudaDeviceSynchronize());
    const auto rd = DD.values();
    for (int l = 0; l < 32; ++l)
        for (int k = 0; k < 4; ++k) {
            const int row = (l >> 2) + k / 2 * 8, column = (l & 3) * 2 + k % 2;
            double want = c[row * 8 + column];
            for (int t = 0; t < depth; ++t) want += a[row * depth + t] * b[t * 8 + column];
            const double got = sum.bits == 32 ? sum.decode(rd[k * 32 + l]) : sum.decode(rd[k / 2 * 32 + l] >> 16 * (k % 2) & 0xFFFF);
            checking::check(got == want, "element " + std::to_string(row) + "," + std::to_string(column) + " is " + std::to_string(got) + ", expected " + std::to_string(want));
        }
}
#define MMA_OF(id, A, B, C, factor, sum, shape, operands)                                                                                 \
    struct id {                                                                                                                           \
        __device__ static void run(U32* a, U32* b, U32* c) {                                                                              \
            asm volatile("mma.sync.aligned." shape " " operands ";"                                                                       \
                         : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])                                                                 \
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                                             \
        }                                                                                                                                 \
    };                                                                                                                                    \
    [[maybe_unused]] const bool JOIN(id, _added) = (tests().push_back({"mma." shape, [] { compare_mma<A, B, C, id>(factor, sum); }}), true);
#define MMA(A, B, C, factor, sum, shape, operands) MMA_OF(JOIN(Mma, __COUNTER__), A, B, C, factor, sum, shape, operands)
#define FULL "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3}"
#define SHALLOW "{%0,%1,%2,%3}, {%4,%5}, {%8}, {%0,%1,%2,%3}"

MMA(4, 2, 4, kBf16Elements, kFloatElements, "m16n8k16.row.col.f32.bf16.bf16.f32", FULL)
MMA(4, 2, 4, kHalfElements, kFloatElements, "m16n8k16.row.col.f32.f16.f16.f32", FULL)
MMA(4, 2, 2, kHalfElements, kHalfElements, "m16n8k16.row.col.f16.f16.f16.f16", "{%0,%1}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1}")
MMA(2, 1, 4, kBf16Elements, kFloatElements, "m16n8k8.row.col.f32.bf16.bf16.f32", SHALLOW)
MMA(2, 1, 4, kHalfElements, kFloatElements, "m16n8k8.row.col.f32.f16.f16.f32", SHALLOW)
MMA(4, 2, 4, kFloatElements, kFloatElements, "m16n8k8.row.col.f32.tf32.tf32.f32", FULL)
MMA(2, 1, 4, kFloatElements, kFloatElements, "m16n8k4.row.col.f32.tf32.tf32.f32", SHALLOW)
MMA(2, 1, 4, kByteElements, kIntElements, "m16n8k16.row.col.s32.s8.s8.s32", SHALLOW)
MMA(4, 2, 4, kByteElements, kIntElements, "m16n8k32.row.col.s32.s8.s8.s32", FULL)

/// cp.async brings 16 bytes a lane (the last lane only 4, the rest zeros), ldmatrix spreads them, transposed or not.
__global__ void ldmatrix_x4(const U32* in, U32* plain, U32* transposed) {
    __shared__ __align__(16) U32 s[32 * 4];
    const auto row = static_cast<U32>(__cvta_generic_to_shared(s + threadIdx.x * 4));
    const U32 bytes = threadIdx.x == 31 ? 4 : 16;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2; cp.async.commit_group; cp.async.wait_group 0; cp.async.wait_all;" ::"r"(row),
                 "l"(in + threadIdx.x * 4), "r"(bytes)
                 : "memory");
    __syncwarp();
    U32 d[4], t[4];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(row) : "memory");
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(t[0]), "=r"(t[1]), "=r"(t[2]), "=r"(t[3]) : "r"(row) : "memory");
    for (int k = 0; k < 4; ++k) {
        plain[k * 32 + threadIdx.x] = d[k];
        transposed[k * 32 + threadIdx.x] = t[k];
    }
}
void compare_load_matrices() {
    std::vector<U32> in = samples<U32>(1);
    in.resize(128);
    Buffer<U32> In(in), plain(128), transposed(128);
    ldmatrix_x4<<<1, 32>>>(In.data(), plain.data(), transposed.data());
    checking::ok(cudaDeviceSynchronize());
    std::fill(in.end() - 3, in.end(), 0u);
    const auto half = [&](int matrix, int r, int c) { return in[(matrix * 8 + r) * 4 + c / 2] >> 16 * (c % 2) & 0xFFFF; };
    const auto p = plain.values(), t = transposed.values();
    for (int m = 0; m < 4; ++m)
        for (int l = 0; l < 32; ++l) {
            const int r = l / 4, c = l % 4 * 2;
            checking::check(p[m * 32 + l] == (half(m, r, c) | half(m, r, c + 1) << 16), "ldmatrix");
            checking::check(t[m * 32 + l] == (half(m, c, r) | half(m, c + 1, r) << 16), "ldmatrix.trans");
        }
}
[[maybe_unused]] const bool load_matrices_added = (tests().push_back({"cp.async, ldmatrix", compare_load_matrices}), true);

}  // namespace
