#include "ops/cuda/cublas.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <memory>
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

/// cublasLt, opened once; NULL where it is not found.
void* the_library() {
    static void* const library = open_library();
    return library;
}

/// The functions that are used, and a stream's handle with its workspace.
class Cublas {
public:
    Cublas() {
        const cublaslt::Status status = create(&handle);
        if (status != kSuccess)
            throw Error(vaccine::Status::Unsupported,
                        "gemm: cublasLt does not start on this GPU (cuBLAS status " + std::to_string(status) + "); choose own or auto");
        const cudaError_t error = cudaMalloc(&workspace, kCublasWorkspaceBytes);
        if (error == cudaSuccess) return;
        destroy(handle);
        check_cuda(error, "the workspace of cublasLt");
    }
    ~Cublas() {
        destroy(handle);
        cudaFree(workspace);  // waits for what still uses it
    }
    Cublas(const Cublas&) = delete;
    Cublas& operator=(const Cublas&) = delete;

    Create* const create = find<Create>("cublasLtCreate");
    Destroy* const destroy = find<Destroy>("cublasLtDestroy");
    Multiply* const multiply = find<Multiply>("cublasLtMatmul");
    Find* const find_algorithms = find<Find>("cublasLtMatmulAlgoGetHeuristic");
    Describe* const describe = find<Describe>("cublasLtMatmulDescCreate");
    Set* const set = find<Set>("cublasLtMatmulDescSetAttribute");
    Destroy* const forget = find<Destroy>("cublasLtMatmulDescDestroy");
    LayOut* const lay_out = find<LayOut>("cublasLtMatrixLayoutCreate");
    Destroy* const forget_layout = find<Destroy>("cublasLtMatrixLayoutDestroy");
    Create* const prefer = find<Create>("cublasLtMatmulPreferenceCreate");
    Set* const set_preference = find<Set>("cublasLtMatmulPreferenceSetAttribute");
    Destroy* const forget_preference = find<Destroy>("cublasLtMatmulPreferenceDestroy");
    void *handle = nullptr, *workspace = nullptr;

private:
    template <class F> static F* find(const char* name) { return reinterpret_cast<F*>(symbol(the_library(), name)); }
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

/// The largest power of two up to 256, which cuBLAS asks for at most, that an address is a multiple of.
uint32_t alignment_of(const void* address) {
    uint32_t alignment = 256;
    while (reinterpret_cast<uintptr_t>(address) % alignment != 0) alignment /= 2;
    return alignment;
}

/// What an algorithm may need: the workspace, and operands where they are.
struct Preference {
    const Cublas& cublas;
    void* preference = nullptr;

    Preference(const Cublas& library, const void* a, const void* b, const void* c, const void* d) : cublas(library) {
        check(cublas.prefer(&preference), "cublasLtMatmulPreferenceCreate");
        const uint64_t bytes = kCublasWorkspaceBytes;
        set(kMostWorkspace, bytes);
        set(kAlignmentA, alignment_of(a));
        set(kAlignmentB, alignment_of(b));
        set(kAlignmentC, alignment_of(c));
        set(kAlignmentD, alignment_of(d));
    }
    ~Preference() { cublas.forget_preference(preference); }
    Preference(const Preference&) = delete;
    Preference& operator=(const Preference&) = delete;

private:
    template <class T> void set(int attribute, T value) const {
        check(cublas.set_preference(preference, attribute, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
    }
};

/// Where cuBLAS was measured to be faster: on Hopper, whose wgmma our kernels do not use (bench/results).
bool is_faster_here() {
    return device_attribute(cudaDevAttrComputeCapabilityMajor) == 9;
}

}  // namespace

bool has_cublas() {
    return the_library() != nullptr;
}

void choose_gemm(Stream& stream, GemmChoice choice) {
    if (choice == GemmChoice::Own || (choice == GemmChoice::Auto && !is_faster_here())) return stream.cublas.reset();
    if (stream.cublas != nullptr) return;
    try {
        if (!has_cublas())
            throw Error(vaccine::Status::Unsupported,
                        "gemm: cublasLt was not found (libcublasLt.so.13, .12 or .11); install cuBLAS, or choose own or auto");
        stream.cublas = std::make_shared<Cublas>();
    } catch (const Error&) {
        if (choice == GemmChoice::Cublas) throw;
    }
}

// c^T = b^T a^T: cuBLAS counts columns first, so that our matrices are the transposes it sees. It chooses the algorithm, whose sums are in
// fp32.
void gemm_cublas(const char* op, const Stream& stream, GemmKind kind, DType c_type, const Gemm& g) {
    check_interrupt(stream.interrupt);
    const Cublas& cublas = *static_cast<const Cublas*>(stream.cublas.get());
    const bool a_turned = kind == GemmKind::WeightGradient, b_turned = kind == GemmKind::Forward;
    const cudaDataType_t type = c_type == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
    const Description description(cublas, b_turned ? kTransposed : kAsItIs, a_turned ? kTransposed : kAsItIs);
    const MatrixLayout a(cublas, CUDA_R_16BF, a_turned ? g.K : g.M, a_turned ? g.M : g.K, g.a_row);
    const MatrixLayout b(cublas, CUDA_R_16BF, b_turned ? g.N : g.K, b_turned ? g.K : g.N, g.b_row);
    const MatrixLayout c(cublas, type, g.M, g.N, g.c_row);
    const float one = 1, add = g.addend == nullptr ? 0.0f : 1.0f;
    const void* addend = g.addend == nullptr ? g.c : g.addend;
    const Preference preference(cublas, g.b, g.a, addend, g.c);
    Found found{};
    int count = 0;
    check(cublas.find_algorithms(cublas.handle, description.description, b.layout, a.layout, c.layout, c.layout, preference.preference, 1,
                                 &found, &count),
          op);
    if (count == 0) throw Error(vaccine::Status::Device, std::string(op) + ": cublasLt has no algorithm for this product; choose own");
    check(cublas.multiply(cublas.handle, description.description, &one, g.b, b.layout, g.a, a.layout, &add, addend, c.layout, g.c, c.layout,
                          &found.algorithm, cublas.workspace, kCublasWorkspaceBytes, queue(stream)),
          op);
}

}  // namespace vaccine::ops
