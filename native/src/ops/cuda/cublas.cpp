#include "ops/cuda/cublas.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <string>

#include "core/error.h"
#include "ops/cuda/cublaslt.h"
#include "ops/cuda/stream.h"

namespace vaccine::ops {
namespace {

using namespace cublaslt;

void* open_library() {
#if defined(_WIN32)
    for (const char* name : {"cublasLt64_13.dll", "cublasLt64_12.dll", "cublasLt64_11.dll"})
        if (void* library = LoadLibraryA(name)) return library;
#else
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"})
        if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
#endif
    return nullptr;
}

void* symbol(void* library, const char* name) {
#if defined(_WIN32)
    void* found = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
#else
    void* found = dlsym(library, name);
#endif
    if (found == nullptr)
        throw Error(vaccine::Status::Unsupported, std::string("gemm: this cublasLt has no ") + name + "; expected that of CUDA 11 to 13");
    return found;
}

void check(cublaslt::Status status, const char* what) {
    if (status != kSuccess)
        throw Error(vaccine::Status::Device, std::string(what) + " failed with cuBLAS status " + std::to_string(status));
}

/// The functions that are used, and a handle.
struct Cublas {
    void* library;
    Create* create = find<Create>("cublasLtCreate");
    Multiply* multiply = find<Multiply>("cublasLtMatmul");
    Describe* describe = find<Describe>("cublasLtMatmulDescCreate");
    Set* set = find<Set>("cublasLtMatmulDescSetAttribute");
    Destroy* forget = find<Destroy>("cublasLtMatmulDescDestroy");
    LayOut* lay_out = find<LayOut>("cublasLtMatrixLayoutCreate");
    Destroy* forget_layout = find<Destroy>("cublasLtMatrixLayoutDestroy");
    void* handle = nullptr;

    explicit Cublas(void* opened) : library(opened) {
        const cublaslt::Status status = create(&handle);
        if (status != kSuccess)
            throw Error(vaccine::Status::Unsupported,
                        "gemm: cublasLt does not start on this GPU (cuBLAS status " + std::to_string(status) + "); choose own or auto");
    }
    template <class F> F* find(const char* name) const { return reinterpret_cast<F*>(symbol(library, name)); }
};

/// A row-major matrix, which cuBLAS sees as its transpose.
struct MatrixLayout {
    const Cublas& cublas;
    void* layout = nullptr;

    MatrixLayout(const Cublas& library, cudaDataType_t type, int64_t rows, int64_t columns, int64_t row) : cublas(library) {
        check(cublas.lay_out(&layout, type, static_cast<uint64_t>(columns), static_cast<uint64_t>(rows), row),
              "cublasLtMatrixLayoutCreate");
    }
    ~MatrixLayout() { cublas.forget_layout(layout); }
    MatrixLayout(const MatrixLayout&) = delete;
    MatrixLayout& operator=(const MatrixLayout&) = delete;
};

struct Description {
    const Cublas& cublas;
    void* description = nullptr;

    Description(const Cublas& library, Operation first, Operation second) : cublas(library) {
        check(cublas.describe(&description, kCompute32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
        check(cublas.set(description, kTransposeA, &first, sizeof first), "cublasLtMatmulDescSetAttribute");
        check(cublas.set(description, kTransposeB, &second, sizeof second), "cublasLtMatmulDescSetAttribute");
    }
    ~Description() { cublas.forget(description); }
    Description(const Description&) = delete;
    Description& operator=(const Description&) = delete;
};

/// cublasLt, opened once; NULL where it is not found.
void* the_library() {
    static void* const library = open_library();
    return library;
}

/// Throws Error(Unsupported) where it is not found or does not start.
const Cublas& the_cublas() {
    if (!has_cublas())
        throw Error(vaccine::Status::Unsupported,
                    "gemm: cublasLt was not found (libcublasLt.so.13, .12 or .11); install cuBLAS, or choose own or auto");
    static const Cublas cublas(the_library());
    return cublas;
}

/// Where cuBLAS was measured to be faster: on Hopper, whose wgmma our kernels do not use (bench/results).
bool is_faster_here() {
    return device_attribute(cudaDevAttrComputeCapabilityMajor) == 9;
}

}  // namespace

bool has_cublas() {
    return the_library() != nullptr;
}

void choose_gemm(Stream& stream, GemmChoice choice) {
    stream.cublas = nullptr;
    if (choice == GemmChoice::Own || (choice == GemmChoice::Auto && !is_faster_here())) return;
    try {
        stream.cublas = const_cast<Cublas*>(&the_cublas());
    } catch (const Error&) {
        if (choice == GemmChoice::Cublas) throw;
    }
}

// c^T = b^T a^T: cuBLAS counts columns first, so that our matrices are the transposes it sees. Without a workspace and with its own choice
// of algorithm, whose sums are in fp32.
void gemm_cublas(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& g) {
    check_interrupt(stream.interrupt);
    const Cublas& cublas = *static_cast<const Cublas*>(stream.cublas);
    const bool a_turned = kind == GemmKind::WeightGradient, b_turned = kind == GemmKind::Forward;
    const cudaDataType_t type = c_type == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
    const Description description(cublas, b_turned ? kTransposed : kAsItIs, a_turned ? kTransposed : kAsItIs);
    const MatrixLayout a(cublas, CUDA_R_16BF, a_turned ? g.K : g.M, a_turned ? g.M : g.K, g.a_row);
    const MatrixLayout b(cublas, CUDA_R_16BF, b_turned ? g.N : g.K, b_turned ? g.K : g.N, g.b_row);
    const MatrixLayout c(cublas, type, g.M, g.N, g.c_row);
    const float one = 1, add = g.addend == nullptr ? 0.0f : 1.0f;
    check(cublas.multiply(cublas.handle, description.description, &one, g.b, b.layout, g.a, a.layout, &add,
                          g.addend == nullptr ? g.c : g.addend, c.layout, g.c, c.layout, nullptr, nullptr, 0, queue(stream)),
          op);
}

}  // namespace vaccine::ops
