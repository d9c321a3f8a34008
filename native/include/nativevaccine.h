/* The C ABI of the NativeVaccine engine: everything that the host may say to it.
 *
 * Rules for every function:
 * - Fallible calls return nv_status. After anything but NV_OK, nv_last_error_message() on the same thread says what was wrong: function,
 *   argument, expected, got. Out parameters are then unchanged, except that create calls set *out = NULL first.
 * - Pointers to structs, arrays and strings are borrowed for the call, unless the entry says otherwise. Strings are UTF-8.
 * - Option structs begin with struct_size = sizeof of the struct that the caller was compiled with.
 * - Any thread may call. Calls on a device and on its sessions take turns: one waits until those of other threads are over, and what it
 *   computes is what it would compute alone. Devices do not wait for each other. Plans do not change and may be read by many. Nothing may
 *   be called on a handle that is being destroyed. A session keeps its device's memory; destroy sessions before their device.
 * - Calls on a session are queued in order; those that return values to the host (marked "waits") wait for what was queued before them.
 * - A device error poisons the session: every later call on it returns NV_DEVICE and says what failed first. One that the device cannot
 *   recover from (a kernel's illegal access) poisons the device handle in the same way; only a new process can use that device again.
 *
 * Words: B samples, T tokens, C hidden size, V vocabulary, L layers, F intermediate size. A "mask" is an array of bytes, 1 for chosen.
 */
#ifndef NATIVEVACCINE_H
#define NATIVEVACCINE_H

#include <stdint.h>

#if defined(_WIN32)
#ifdef NV_BUILDING_LIBRARY
#define NV_API __declspec(dllexport)
#else
#define NV_API __declspec(dllimport)
#endif
#else
#define NV_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define NV_NOEXCEPT noexcept
extern "C" {
#else
#define NV_NOEXCEPT
#endif

#define NV_ABI_VERSION 5u

/* Numbers are never reused. */
typedef enum nv_status {
    NV_OK = 0,
    NV_INVALID_ARGUMENT = 1,
    NV_OUT_OF_MEMORY = 2,
    NV_UNSUPPORTED = 3,
    NV_WRONG_STATE = 4,
    NV_DEVICE = 5,
    NV_INTERNAL = 6,
    NV_INTERRUPTED = 7
} nv_status;

typedef enum nv_dtype { NV_F32 = 0, NV_BF16 = 1 } nv_dtype;

typedef struct nv_device nv_device;
typedef struct nv_plan nv_plan;
typedef struct nv_session nv_session;

/* ---- library ---------------------------------------------------------------------------------------------------------------------- */

/* NV_ABI_VERSION of the compiled library. The host checks it before anything else. */
NV_API uint32_t nv_abi_version(void) NV_NOEXCEPT;

/* The message of this thread's last failed call; owned by the library, valid until this thread's next call. */
NV_API const char* nv_last_error_message(void) NV_NOEXCEPT;

/* Which build this is and what it was compiled with, one line; static. */
NV_API const char* nv_build_description(void) NV_NOEXCEPT;

/* Sizes of the structs below and offsets of their fields as the compiler laid them out, one line each, "nv_batch 40" or
 * "nv_batch.labels 16"; static. Lets a binding test its mirror of this header. */
NV_API const char* nv_abi_layout(void) NV_NOEXCEPT;

/* ---- devices ---------------------------------------------------------------------------------------------------------------------- */

typedef enum nv_gemm { NV_GEMM_OWN = 0, NV_GEMM_CUBLAS = 1, NV_GEMM_AUTO = 2 } nv_gemm;

typedef struct nv_device_info {
    uint32_t struct_size;
    int32_t compute_major, compute_minor; /* 0.0 on a CPU */
    int32_t threads;                      /* worker threads of a CPU, multiprocessors of a GPU */
    int64_t total_bytes, free_bytes;
    int32_t driver_version, runtime_version; /* of CUDA: 11080 is 11.8; 0 on a CPU */
    int32_t gemm;                            /* nv_gemm: who multiplies now, our own kernels or cuBLAS (see nv_device_set_gemm) */
    int32_t cublas;                          /* 1 where cublasLt is installed, so that it can be chosen; 0 on a CPU */
    char instructions[32];                   /* which a CPU's kernels use: "plain", "avx2" or "avx512"; empty on a GPU. Ends with 0 */
    char name[128];                          /* ends with 0 */
} nv_device_info;

/* 0 where there is a driver and no GPU. Fails with NV_UNSUPPORTED where the driver is missing or too old. */
NV_API nv_status nv_device_count(int32_t* out_count) NV_NOEXCEPT;
/* index: which GPU; 0 on a CPU. threads: 0 for as many as there are processors; ignored on a GPU. */
NV_API nv_status nv_device_create(int32_t index, int32_t threads, nv_device** out) NV_NOEXCEPT;
NV_API void nv_device_destroy(nv_device* device) NV_NOEXCEPT;
NV_API nv_status nv_device_get_info(const nv_device* device, nv_device_info* out) NV_NOEXCEPT;

/* Who multiplies matrices of bf16 activations on a GPU, from now on. Every device begins with NV_GEMM_AUTO: what was measured to be
 * faster, which is cublasLt on compute capability 9 (H100, H200) where it is installed, and else our own kernels. NV_GEMM_CUBLAS opens
 * cublasLt and fails with NV_UNSUPPORTED where it is missing, and on a CPU. */
NV_API nv_status nv_device_set_gemm(nv_device* device, int32_t gemm) NV_NOEXCEPT;

/* ---- plan: what a session will hold, computed before anything is taken -------------------------------------------------------------- */

typedef enum nv_rope_scaling { NV_ROPE_PLAIN = 0, NV_ROPE_LINEAR = 1, NV_ROPE_LLAMA3 = 2 } nv_rope_scaling;

typedef struct nv_model_shape {
    uint32_t struct_size;
    int32_t vocabulary, hidden, intermediate, layers, heads, kv_heads, head_size;
    int32_t sliding_window; /* 0: none */
    int32_t tied_embeddings;
    int32_t qkv_bias, output_bias, mlp_bias;
    float rms_epsilon;
    int32_t rope_scaling; /* nv_rope_scaling */
    double rope_theta, rope_factor, rope_low_frequency_factor, rope_high_frequency_factor, rope_original_positions;
} nv_model_shape;

/* Projections, in this order everywhere: q, k, v, o, gate, up, down. */
enum { NV_PROJECTIONS = 7 };

/* Sites (arXiv 2410.09760 calls the first "embedding"): attention output after the output projection and its adapter and before the
 * residual add; MLP output likewise; the residual stream, at L+1 points: point l enters layer l, point L leaves the last. */
typedef enum nv_site_kind { NV_SITE_ATTENTION = 0, NV_SITE_MLP = 1, NV_SITE_RESIDUAL = 2 } nv_site_kind;
enum { NV_SITE_KINDS = 3 };

typedef struct nv_plan_options {
    uint32_t struct_size;
    int32_t max_tokens, max_samples, longest_sample; /* of the largest batch */
    int32_t weight_type;                             /* nv_dtype of the frozen matrices */
    int32_t activation_type;                         /* nv_dtype; NV_F32 on a CPU */
    int32_t training;                                /* 0: forward only, and none of the training memory */
    int32_t full;                                    /* 1: all weights train (fp32), no adapters */
    int32_t lora_rank;                               /* 0: no adapters */
    uint32_t lora_targets;                           /* bit p: projection p has an adapter */
    float lora_alpha, lora_dropout;
    int32_t optimizer;                       /* 1: AdamW's two moments are planned */
    int32_t extra_vectors;                   /* parameter vectors beyond parameters, gradients and moments */
    int32_t site_tensors[NV_SITE_KINDS];     /* how many of each kind */
    int32_t site_layers[NV_SITE_KINDS];      /* how many layers each of them holds at once; 0: all */
    int32_t head_rows;                       /* rows of logits at a time; 0: chosen */
    int32_t recomputed_layers;               /* how many layers recompute their activations; -1: as few as memory_limit allows */
    int64_t memory_limit;                    /* bytes; 0: none */
    int32_t decode_samples, decode_capacity; /* KV cache: samples and positions per sample; 0: no decoding */
} nv_plan_options;

typedef struct nv_plan_item {
    uint32_t struct_size;
    int64_t bytes;
    char name[64];
} nv_plan_item;

typedef struct nv_plan_summary {
    uint32_t struct_size;
    int32_t items;             /* their bytes add up to total_bytes */
    int32_t recomputed_layers; /* the lowest so many layers recompute */
    int32_t head_rows;
    int64_t total_bytes;
    int64_t parameters;           /* of the model */
    int64_t trainable_parameters; /* length of a parameter vector */
} nv_plan_summary;

/* Fails with NV_OUT_OF_MEMORY where even full recomputation exceeds memory_limit; the message says by how much and what helps. */
NV_API nv_status nv_plan_create(const nv_device* device, const nv_model_shape* shape, const nv_plan_options* options,
                                nv_plan** out) NV_NOEXCEPT;
/* The same without a device, by every build: the plan that the CUDA build makes for those arguments on any GPU, byte for byte. */
NV_API nv_status nv_plan_create_for_gpu(const nv_model_shape* shape, const nv_plan_options* options, nv_plan** out) NV_NOEXCEPT;
NV_API void nv_plan_destroy(nv_plan* plan) NV_NOEXCEPT;
NV_API nv_status nv_plan_get_summary(const nv_plan* plan, nv_plan_summary* out) NV_NOEXCEPT;
NV_API nv_status nv_plan_get_item(const nv_plan* plan, int32_t index, nv_plan_item* out) NV_NOEXCEPT;

/* ---- session: a model with its memory ------------------------------------------------------------------------------------------------ */

/* Takes the plan's bytes in one piece, zeroed. The plan may be destroyed afterwards. A plan that is for another device is refused. */
NV_API nv_status nv_session_create(nv_device* device, const nv_plan* plan, nv_session** out) NV_NOEXCEPT;
NV_API void nv_session_destroy(nv_session* session) NV_NOEXCEPT;
/* Bytes taken from the device, and bytes of them that are in use. Both equal the plan's total_bytes. */
NV_API nv_status nv_session_get_memory(const nv_session* session, int64_t* out_taken, int64_t* out_used) NV_NOEXCEPT;

typedef enum nv_tensor_kind {
    NV_TENSOR_EMBEDDING = 0,
    NV_TENSOR_ATTENTION_NORM = 1,
    NV_TENSOR_MLP_NORM = 2,
    NV_TENSOR_FINAL_NORM = 3,
    NV_TENSOR_HEAD = 4, /* lm_head; absent where tied */
    NV_TENSOR_WEIGHT = 5,
    NV_TENSOR_BIAS = 6,
    NV_TENSOR_LORA_A = 7,
    NV_TENSOR_LORA_B = 8
} nv_tensor_kind;

typedef struct nv_tensor_info {
    uint32_t struct_size;
    int32_t kind;       /* nv_tensor_kind */
    int32_t layer;      /* -1: none */
    int32_t projection; /* -1: none */
    int32_t trainable;  /* -1, or its number among the trainable tensors: its place in a tensor mask */
    int64_t rows, columns;
    int64_t offset; /* of its first element in a parameter vector; -1 where not trainable */
} nv_tensor_info;

NV_API nv_status nv_session_get_tensor_count(const nv_session* session, int32_t* out_tensors, int32_t* out_trainable) NV_NOEXCEPT;
NV_API nv_status nv_session_get_tensor(const nv_session* session, int32_t index, nv_tensor_info* out) NV_NOEXCEPT;
/* Elements first .. first+count-1 of tensor `index`, row by row, so that a model may stream in pieces. Values are rounded to the tensor's
 * type. */
NV_API nv_status nv_session_write_tensor(nv_session* session, int32_t index, int64_t first, int64_t count, const float* values) NV_NOEXCEPT;
/* Waits. */
NV_API nv_status nv_session_read_tensor(nv_session* session, int32_t index, int64_t first, int64_t count, float* out_values) NV_NOEXCEPT;

/* ---- scalars: numbered fp64 results that stay on the device until they are asked for --------------------------------------------------
 */

enum { NV_SCALARS = 4096 };
/* Waits. */
NV_API nv_status nv_scalars_read(nv_session* session, int32_t first, int32_t count, double* out_values) NV_NOEXCEPT;

/* ---- parameter vectors: one float for every trainable parameter ------------------------------------------------------------------------
 * By number: 0 parameters, 1 gradients, 2 and 3 AdamW's moments (where planned), then the extra ones from 4 on. `tensors` is a mask over
 * trainable tensors (NULL: all); nothing outside it is touched. */

enum { NV_VECTOR_PARAMETERS = 0, NV_VECTOR_GRADIENTS = 1, NV_VECTOR_MOMENT1 = 2, NV_VECTOR_MOMENT2 = 3, NV_VECTOR_EXTRA = 4 };

NV_API nv_status nv_vector_write(nv_session* session, int32_t vector, int64_t first, int64_t count, const float* values) NV_NOEXCEPT;
/* Waits. */
NV_API nv_status nv_vector_read(nv_session* session, int32_t vector, int64_t first, int64_t count, float* out_values) NV_NOEXCEPT;
NV_API nv_status nv_vector_zero(nv_session* session, int32_t vector, const uint8_t* tensors) NV_NOEXCEPT;
NV_API nv_status nv_vector_copy(nv_session* session, int32_t from, int32_t to, const uint8_t* tensors) NV_NOEXCEPT;
NV_API nv_status nv_vector_scale(nv_session* session, int32_t vector, float factor, const uint8_t* tensors) NV_NOEXCEPT;
/* y += alpha * x */
NV_API nv_status nv_vector_axpy(nv_session* session, float alpha, int32_t x, int32_t y, const uint8_t* tensors) NV_NOEXCEPT;
/* y += alpha * a * b, element by element */
NV_API nv_status nv_vector_multiply_add(nv_session* session, float alpha, int32_t a, int32_t b, int32_t y,
                                        const uint8_t* tensors) NV_NOEXCEPT;
/* scalar = sum x*y. With x = y: the square of the norm. */
NV_API nv_status nv_vector_dot(nv_session* session, int32_t x, int32_t y, const uint8_t* tensors, int32_t scalar) NV_NOEXCEPT;

/* ---- site tensors: T x C floats for each of some layers ---------------------------------------------------------------------------------
 * Named by kind and number. Each holds the layers (or residual points) that nv_site_select chose last; contents are then undefined until
 * written. T is that of the pass that recorded or read it last, or of nv_site_fill_normal. `layers` masks have L entries, or L+1 for
 * residual sites. */

NV_API nv_status nv_site_select(nv_session* session, int32_t kind, int32_t site, const uint8_t* layers) NV_NOEXCEPT;
NV_API nv_status nv_site_zero(nv_session* session, int32_t kind, int32_t site) NV_NOEXCEPT;
/* deviation * N(0, 1), for the T of `tokens`; the same for the same seed, step, layer and element on every device. */
NV_API nv_status nv_site_fill_normal(nv_session* session, int32_t kind, int32_t site, int32_t tokens, float deviation, uint64_t seed,
                                     uint32_t step) NV_NOEXCEPT;
NV_API nv_status nv_site_scale(nv_session* session, int32_t kind, int32_t site, float factor) NV_NOEXCEPT;
/* y += alpha * x, on the layers that both hold */
NV_API nv_status nv_site_axpy(nv_session* session, int32_t kind, float alpha, int32_t x, int32_t y) NV_NOEXCEPT;
/* scalar = sum x*y over the layers that both hold */
NV_API nv_status nv_site_dot(nv_session* session, int32_t kind, int32_t x, int32_t y, int32_t scalar) NV_NOEXCEPT;
/* Squares of the norms: of layer l at first_scalar + l for each layer held, and of all together at first_scalar + (number of layers or
 * points). */
NV_API nv_status nv_site_norms(nv_session* session, int32_t kind, int32_t site, int32_t first_scalar) NV_NOEXCEPT;
/* x *= numerator / (sqrt(scalar) + epsilon), without waiting for the scalar. */
NV_API nv_status nv_site_scale_to_norm(nv_session* session, int32_t kind, int32_t site, float numerator, float epsilon,
                                       int32_t scalar) NV_NOEXCEPT;
/* One layer, T*C floats. read waits. */
NV_API nv_status nv_site_write(nv_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count,
                               const float* values) NV_NOEXCEPT;
NV_API nv_status nv_site_read(nv_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count, float* out_values) NV_NOEXCEPT;

/* ---- ending a pass early ----------------------------------------------------------------------------------------------------------------
 */

/* While `on` is not 0, the session's passes (nv_session_forward, nv_session_backward, nv_decode_begin, nv_decode_next) end with
 * NV_INTERRUPTED: one that runs, within a fraction of a second, and each that is called; 0 takes it back. Does not wait, and may be called
 * while another thread's pass runs. An interrupted pass leaves undefined what it works on: activations, site tensors that it records or
 * reads gradients into, the gradients that it adds to, the KV cache. Everything else is as it was; nv_session_forward and nv_decode_begin
 * may be called next. A GPU still ends what is queued. */
NV_API nv_status nv_session_interrupt(nv_session* session, int32_t on) NV_NOEXCEPT;

/* ---- the two passes ------------------------------------------------------------------------------------------------------------------ */

/* Samples one after another without padding: sample s is tokens offsets[s] .. offsets[s+1]-1. labels are unshifted: labels[i] is the token
 * that position i-1 of the same sample must predict; -100 (and each sample's first) counts nothing. */
typedef struct nv_batch {
    uint32_t struct_size;
    int32_t tokens, samples;
    const int32_t* input_ids; /* tokens */
    const int32_t* labels;    /* tokens; NULL: no loss */
    const int32_t* offsets;   /* samples + 1 */
} nv_batch;

typedef struct nv_forward_options {
    uint32_t struct_size;
    int32_t dropout; /* 0: off */
    uint64_t seed;   /* the same seed, step and pass give the same masks */
    uint32_t step, pass;
    int32_t for_backward;               /* 0: evaluation; activations are not kept */
    int32_t from_layer;                 /* 0; l > 0: the batch and masks are those of the forward before; start from its residual at l */
    int32_t record_site[NV_SITE_KINDS]; /* site tensor that receives the activations (before any addition); -1: none */
    int32_t add_site[NV_SITE_KINDS];    /* site tensor that is added to the activations; -1: none */
    int32_t loss_scalar;                /* receives the sum of the losses over labelled rows, weighted over heads; -1: none */
    const float* head_weights;          /* L+1: weight of a loss head (final norm, lm_head, cross-entropy) at each residual point, which
                                           reads the stream after additions; NULL: weight 1 at point L */
} nv_forward_options;

/* out_labels: how many rows carry a label. A batch larger than the plan is an error that changes nothing. */
NV_API nv_status nv_session_forward(nv_session* session, const nv_batch* batch, const nv_forward_options* options,
                                    int64_t* out_labels) NV_NOEXCEPT;

typedef struct nv_backward_options {
    uint32_t struct_size;
    float loss_scale;                   /* the gradient is that of loss_scale * (sum of losses) / labels */
    int32_t gradient_vector;            /* parameter vector that gradients are added to; -1: none are computed */
    int32_t floor;                      /* no layer below it gets a gradient */
    const uint8_t* tensors;             /* which tensors' gradients; NULL: all */
    int32_t read_site[NV_SITE_KINDS];   /* site tensor that receives the gradient on its layers, without what add_site adds there;
                                           -1: none */
    int32_t add_site[NV_SITE_KINDS];    /* site tensor that is added to the gradient on its layers; -1: none */
    int32_t norm_scalar[NV_SITE_KINDS]; /* first scalar of squares of gradient norms, one for every layer or point; -1: none */
} nv_backward_options;

/* Once after each forward with for_backward. Goes down to the lowest layer that anything asked for needs, and no further. */
NV_API nv_status nv_session_backward(nv_session* session, const nv_backward_options* options) NV_NOEXCEPT;

/* Losses of the labelled rows of the last forward, at its highest head, in the order of their tokens. Waits. */
NV_API nv_status nv_session_read_losses(nv_session* session, int64_t count, float* out_losses) NV_NOEXCEPT;
/* Logits (rows x V) of tokens first_row .. of the last forward. No backward pass may follow. Waits. */
NV_API nv_status nv_session_read_logits(nv_session* session, int32_t first_row, int32_t rows, float* out_logits) NV_NOEXCEPT;

/* ---- optimizer ----------------------------------------------------------------------------------------------------------------------- */

typedef struct nv_adamw_options {
    uint32_t struct_size;
    int32_t gradient_vector;
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    float clip;             /* gradients are scaled by min(1, clip / (sqrt(norm_scalar) + 1e-6)); 0: not */
    int32_t norm_scalar;    /* square of the gradient norm, as nv_vector_dot gives it; -1: no clipping */
    const uint8_t* tensors; /* only these are stepped; NULL: all. Each counts its own steps. */
} nv_adamw_options;

NV_API nv_status nv_adamw_step(nv_session* session, const nv_adamw_options* options) NV_NOEXCEPT;
/* Steps that each trainable tensor has taken, to save and to restore. */
NV_API nv_status nv_adamw_read_steps(const nv_session* session, int32_t count, int64_t* out_steps) NV_NOEXCEPT;
NV_API nv_status nv_adamw_write_steps(nv_session* session, int32_t count, const int64_t* steps) NV_NOEXCEPT;

/* ---- decoding ------------------------------------------------------------------------------------------------------------------------ */

typedef struct nv_sampling {
    uint32_t struct_size;
    float temperature;        /* 0: greedy */
    int32_t top_k;            /* 0: all */
    float top_p;              /* 1: all */
    float repetition_penalty; /* above 0; 1: none. The logits of tokens that a sample has already, prompt included, are divided by it, or
                                 multiplied where they are negative, before anything else */
    uint64_t seed;            /* sample s at position p draws the same number whatever else is in the batch */
} nv_sampling;

/* Reads the prompts (labels NULL) and gives each sample's next token. Waits. */
NV_API nv_status nv_decode_begin(nv_session* session, const nv_batch* prompts, const nv_sampling* sampling,
                                 int32_t* out_tokens) NV_NOEXCEPT;
/* Appends tokens[i] to sample samples[i] (ascending) and gives the next token of each. Waits. */
NV_API nv_status nv_decode_next(nv_session* session, int32_t count, const int32_t* samples, const int32_t* tokens,
                                const nv_sampling* sampling, int32_t* out_tokens) NV_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
