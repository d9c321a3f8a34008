/* The C ABI of the NativeVaccine engine: everything that the host may say to it.
 *
 * Rules for every function:
 * - Fallible calls return vaccine_status. After anything but VACCINE_OK, vaccine_last_error_message() on the same thread says what was
 *   wrong: function, argument, expected, got. Out parameters are then unchanged, except that create calls set *out = NULL first.
 * - Pointers to structs, arrays and strings are borrowed for the call, unless the entry says otherwise. Strings are UTF-8.
 * - Structs begin with struct_size = sizeof of the struct that the caller was compiled with, and a later version only adds fields behind
 *   the others. A caller compiled with an earlier header, from version 6 on, goes on working: fields that it does not know are 0, which
 *   asks for what was done before they were there (so no such field means "none" by -1), and what the library fills ends where the
 *   caller's struct does. Of a larger struct than the library knows the rest must be 0, and is filled with 0.
 * - Any thread may call. Calls on a device and on its sessions take turns: one waits until those of other threads are over, and what it
 *   computes is what it would compute alone. Devices do not wait for each other. Plans do not change and may be read by many. Nothing may
 *   be called on a handle that is being destroyed. A session keeps its device's memory; destroy sessions before their device.
 * - Calls on a session are queued in order; those that return values to the host (marked "waits") wait for what was queued before them.
 * - A device error poisons the session: every later call on it returns VACCINE_DEVICE and says what failed first. One that the device
 *   cannot recover from (a kernel's illegal access) poisons the device handle in the same way; only a new process can use that device
 *   again.
 *
 * Words: B samples, T tokens, C hidden size, V vocabulary, L layers, F intermediate size. A "mask" is an array of bytes, 1 for chosen.
 */
#ifndef NATIVEVACCINE_H
#define NATIVEVACCINE_H

#include <stdint.h>

#if defined(_WIN32)
#ifdef VACCINE_BUILDING_LIBRARY
#define VACCINE_API __declspec(dllexport)
#else
#define VACCINE_API __declspec(dllimport)
#endif
#else
#define VACCINE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
#define VACCINE_NOEXCEPT noexcept
extern "C" {
#else
#define VACCINE_NOEXCEPT
#endif

#define VACCINE_ABI_VERSION 8u

/* Numbers are never reused. */
typedef enum vaccine_status {
    VACCINE_OK = 0,
    VACCINE_INVALID_ARGUMENT = 1,
    VACCINE_OUT_OF_MEMORY = 2,
    VACCINE_UNSUPPORTED = 3,
    VACCINE_WRONG_STATE = 4,
    VACCINE_DEVICE = 5,
    VACCINE_INTERNAL = 6,
    VACCINE_INTERRUPTED = 7
} vaccine_status;

typedef enum vaccine_dtype { VACCINE_F32 = 0, VACCINE_BF16 = 1 } vaccine_dtype;

typedef struct vaccine_device vaccine_device;
typedef struct vaccine_plan vaccine_plan;
typedef struct vaccine_session vaccine_session;

/* ---- library ------------------------------------------------------------------------------------------------------------------------- */

/* VACCINE_ABI_VERSION of the compiled library. The host checks it before anything else. */
VACCINE_API uint32_t vaccine_abi_version(void) VACCINE_NOEXCEPT;

/* The message of this thread's last failed call; owned by the library, valid until this thread's next call. */
VACCINE_API const char* vaccine_last_error_message(void) VACCINE_NOEXCEPT;

/* Which build this is and what it was compiled with, one line; static. */
VACCINE_API const char* vaccine_build_description(void) VACCINE_NOEXCEPT;

/* Sizes of the structs below and offsets of their fields as the compiler laid them out, one line each, "vaccine_batch 40" or
 * "vaccine_batch.labels 16"; static. Lets a binding test its mirror of this header. */
VACCINE_API const char* vaccine_abi_layout(void) VACCINE_NOEXCEPT;

/* ---- devices ------------------------------------------------------------------------------------------------------------------------- */

typedef enum vaccine_gemm { VACCINE_GEMM_OWN = 0, VACCINE_GEMM_CUBLAS = 1, VACCINE_GEMM_AUTO = 2 } vaccine_gemm;

typedef struct vaccine_device_info {
    uint32_t struct_size;
    int32_t compute_major, compute_minor; /* 0.0 on a CPU */
    int32_t threads;                      /* worker threads of a CPU, multiprocessors of a GPU */
    int64_t total_bytes, free_bytes;
    int32_t driver_version, runtime_version; /* of CUDA: 11080 is 11.8; 0 on a CPU */
    int32_t gemm;                            /* vaccine_gemm: the GEMM backend in use (see vaccine_device_set_gemm) */
    int32_t cublas;                          /* 1 where cublasLt is installed, so that it can be chosen; 0 on a CPU */
    char instructions[32];                   /* which a CPU's kernels use: "plain", "avx2" or "avx512"; empty on a GPU. Ends with 0 */
    char name[128];                          /* ends with 0 */
} vaccine_device_info;

/* 0 where there is a driver and no GPU. Fails with VACCINE_UNSUPPORTED where the driver is missing or too old. */
VACCINE_API vaccine_status vaccine_device_count(int32_t* out_count) VACCINE_NOEXCEPT;
/* index: which GPU; 0 on a CPU. threads: 0 for as many as there are processors; ignored on a GPU. */
VACCINE_API vaccine_status vaccine_device_create(int32_t index, int32_t threads, vaccine_device** out) VACCINE_NOEXCEPT;
VACCINE_API void vaccine_device_destroy(vaccine_device* device) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_device_get_info(const vaccine_device* device, vaccine_device_info* out) VACCINE_NOEXCEPT;

/* The GEMM backend of bf16 activations on a GPU, from now on. Every device begins with VACCINE_GEMM_AUTO: what was measured to be
 * faster, which is cublasLt on compute capability 9 (H100, H200) where it is installed, and else our own kernels. VACCINE_GEMM_CUBLAS opens
 * cublasLt and fails with VACCINE_UNSUPPORTED where it is missing, and on a CPU. cublasLt has a handle and a workspace of 32 MiB for each
 * vaccine_device that uses it, beside the bytes of the sessions' plans. */
VACCINE_API vaccine_status vaccine_device_set_gemm(vaccine_device* device, int32_t gemm) VACCINE_NOEXCEPT;

/* ---- plan: what a session will hold, computed before anything is taken --------------------------------------------------------------- */

typedef enum vaccine_rope_scaling { VACCINE_ROPE_PLAIN = 0, VACCINE_ROPE_LINEAR = 1, VACCINE_ROPE_LLAMA3 = 2 } vaccine_rope_scaling;

/* Of the gated MLP: silu(x) = x sigmoid(x), or gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
typedef enum vaccine_activation { VACCINE_SILU = 0, VACCINE_GELU_TANH = 1 } vaccine_activation;

/* Where layers differ. */
typedef struct vaccine_layer_shape {
    uint32_t struct_size;
    int32_t window; /* a query sees so many keys, its own included; 0: all before it */
    int32_t rope;   /* 0: as the rope_* fields of the model say; 1: as its local_rope_* fields do */
} vaccine_layer_shape;

/* A decoder-only transformer with RMS norms, rotary embedding and a gated MLP. Fields that are 0 from `activation` on describe Llama. */
typedef struct vaccine_model_shape {
    uint32_t struct_size;
    int32_t vocabulary, hidden, intermediate, layers, heads, kv_heads, head_size;
    int32_t sliding_window; /* of every layer, unless layer_shapes says otherwise; 0: none */
    int32_t tied_embeddings;
    int32_t qkv_bias, output_bias, mlp_bias;
    float rms_epsilon;
    int32_t rope_scaling; /* vaccine_rope_scaling */
    double rope_theta, rope_factor, rope_low_frequency_factor, rope_high_frequency_factor, rope_original_positions;
    int32_t activation;         /* vaccine_activation */
    int32_t norm_offset;        /* 1: every RMS norm multiplies by 1 + w, computed in fp32, instead of w */
    int32_t block_output_norms; /* 1: what attention and the MLP give passes an RMS norm before the residual add */
    int32_t query_key_norms;    /* 1: RMS norm over head_size of every head of q and k, before rotary embedding */
    float attention_scale;      /* of the scores; 0: 1 / sqrt(head_size) */
    float attention_cap;        /* scores become cap * tanh(score / cap) before the mask; 0: they stay */
    float logit_cap;            /* the same for the logits */
    float embedding_scale;      /* what leaves the embedding is multiplied by it, and is then a row of the residual stream; 0: 1 */
    int32_t local_rope_scaling; /* the second rotary embedding: read only where a layer has it */
    double local_rope_theta, local_rope_factor, local_rope_low_frequency_factor, local_rope_high_frequency_factor,
        local_rope_original_positions;
    const vaccine_layer_shape* layer_shapes; /* `layers` of them, in place of sliding_window; NULL: sliding_window and rope 0 for all */
} vaccine_model_shape;

/* Projections, in this order everywhere: q, k, v, o, gate, up, down. */
enum { VACCINE_PROJECTIONS = 7 };

/* Sites (arXiv 2410.09760 calls the first "embedding"): attention output after the output projection and its adapter and before the
 * residual add (and before a block output norm); MLP output likewise; the residual stream, at L+1 points: point l enters layer l, point L
 * leaves the last. */
typedef enum vaccine_site_kind { VACCINE_SITE_ATTENTION = 0, VACCINE_SITE_MLP = 1, VACCINE_SITE_RESIDUAL = 2 } vaccine_site_kind;
enum { VACCINE_SITE_KINDS = 3 };

typedef struct vaccine_plan_options {
    uint32_t struct_size;
    int32_t max_tokens, max_samples, longest_sample; /* of the largest batch */
    int32_t weight_type;                             /* vaccine_dtype of the frozen matrices */
    int32_t activation_type;                         /* vaccine_dtype; VACCINE_F32 on a CPU */
    int32_t training;                                /* 0: forward only, and none of the training memory */
    int32_t full;                                    /* 1: all weights train (fp32), no adapters */
    int32_t lora_rank;                               /* 0: no adapters */
    uint32_t lora_targets;                           /* bit p: projection p has an adapter */
    float lora_alpha, lora_dropout;
    int32_t optimizers;                       /* how many AdamW optimizers, of two moments each */
    int32_t extra_vectors;                    /* parameter vectors beyond parameters, gradients and moments */
    int32_t site_tensors[VACCINE_SITE_KINDS]; /* how many of each kind */
    int32_t site_layers[VACCINE_SITE_KINDS];  /* how many layers each of them holds at once; 0: all */
    int32_t head_rows;                        /* rows of logits at a time; 0: chosen */
    int32_t teacher_rows;                     /* labelled rows that record_teacher can keep, at most max_tokens; 0: none. Fails with
                                                 VACCINE_UNSUPPORTED with `full`: the teacher's logits follow from its hidden rows only where
                                                 the final norm and lm_head are frozen */
    int32_t recomputed_layers;                /* how many layers recompute their activations; -1: as few as memory_limit allows */
    int64_t memory_limit;                     /* bytes; 0: none */
    int32_t decode_samples, decode_capacity;  /* KV cache: samples and positions per sample; 0: no decoding */
} vaccine_plan_options;

typedef struct vaccine_plan_item {
    uint32_t struct_size;
    int64_t bytes;
    char name[64];
} vaccine_plan_item;

typedef struct vaccine_plan_summary {
    uint32_t struct_size;
    int32_t items;             /* their bytes add up to total_bytes */
    int32_t recomputed_layers; /* the lowest so many layers recompute */
    int32_t head_rows;
    int64_t total_bytes;
    int64_t parameters;           /* of the model */
    int64_t trainable_parameters; /* length of a parameter vector */
} vaccine_plan_summary;

/* Fails with VACCINE_OUT_OF_MEMORY where even full recomputation exceeds memory_limit; the message says by how much and what helps. */
VACCINE_API vaccine_status vaccine_plan_create(const vaccine_device* device, const vaccine_model_shape* shape,
                                               const vaccine_plan_options* options, vaccine_plan** out) VACCINE_NOEXCEPT;
/* The same without a device, by every build: the plan that the CUDA build makes for those arguments on any GPU, byte for byte. */
VACCINE_API vaccine_status vaccine_plan_create_for_gpu(const vaccine_model_shape* shape, const vaccine_plan_options* options,
                                                       vaccine_plan** out) VACCINE_NOEXCEPT;
VACCINE_API void vaccine_plan_destroy(vaccine_plan* plan) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_plan_get_summary(const vaccine_plan* plan, vaccine_plan_summary* out) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_plan_get_item(const vaccine_plan* plan, int32_t index, vaccine_plan_item* out) VACCINE_NOEXCEPT;

/* ---- session: a model with its memory ------------------------------------------------------------------------------------------------ */

/* Takes the plan's bytes in one piece, zeroed. The plan may be destroyed afterwards. A plan that is for another device is refused. */
VACCINE_API vaccine_status vaccine_session_create(vaccine_device* device, const vaccine_plan* plan, vaccine_session** out) VACCINE_NOEXCEPT;
VACCINE_API void vaccine_session_destroy(vaccine_session* session) VACCINE_NOEXCEPT;
/* Bytes taken from the device, and bytes of them that are in use. Both equal the plan's total_bytes. */
VACCINE_API vaccine_status vaccine_session_get_memory(const vaccine_session* session, int64_t* out_taken,
                                                      int64_t* out_used) VACCINE_NOEXCEPT;

typedef enum vaccine_tensor_kind {
    VACCINE_TENSOR_EMBEDDING = 0,
    VACCINE_TENSOR_ATTENTION_NORM = 1,
    VACCINE_TENSOR_MLP_NORM = 2,
    VACCINE_TENSOR_FINAL_NORM = 3,
    VACCINE_TENSOR_HEAD = 4, /* lm_head; absent where tied */
    VACCINE_TENSOR_WEIGHT = 5,
    VACCINE_TENSOR_BIAS = 6,
    VACCINE_TENSOR_LORA_A = 7,
    VACCINE_TENSOR_LORA_B = 8,
    VACCINE_TENSOR_QUERY_NORM = 9, /* head_size, with query_key_norms */
    VACCINE_TENSOR_KEY_NORM = 10,
    VACCINE_TENSOR_ATTENTION_OUTPUT_NORM = 11, /* C, with block_output_norms */
    VACCINE_TENSOR_MLP_OUTPUT_NORM = 12
} vaccine_tensor_kind;

typedef struct vaccine_tensor_info {
    uint32_t struct_size;
    int32_t kind;       /* vaccine_tensor_kind */
    int32_t layer;      /* -1: none */
    int32_t projection; /* -1: none */
    int32_t trainable;  /* -1, or its number among the trainable tensors: its place in a tensor mask */
    int64_t rows, columns;
    int64_t offset; /* of its first element in a parameter vector; -1 where not trainable */
} vaccine_tensor_info;

VACCINE_API vaccine_status vaccine_session_get_tensor_count(const vaccine_session* session, int32_t* out_tensors,
                                                            int32_t* out_trainable) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_session_get_tensor(const vaccine_session* session, int32_t index,
                                                      vaccine_tensor_info* out) VACCINE_NOEXCEPT;
/* Elements first .. first+count-1 of tensor `index`, row by row, so that a model may stream in pieces. Values are rounded to the tensor's
 * type. On a CPU several threads may write at once, each its own elements. */
VACCINE_API vaccine_status vaccine_session_write_tensor(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                                        const float* values) VACCINE_NOEXCEPT;
/* The same from bf16, as most models are stored; exact in a tensor of either type. */
VACCINE_API vaccine_status vaccine_session_write_tensor_bf16(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                                             const uint16_t* values) VACCINE_NOEXCEPT;
/* Waits. */
VACCINE_API vaccine_status vaccine_session_read_tensor(vaccine_session* session, int32_t index, int64_t first, int64_t count,
                                                       float* out_values) VACCINE_NOEXCEPT;

/* ---- scalars: numbered fp64 results that stay on the device until they are asked for ------------------------------------------------- */

enum { VACCINE_SCALARS = 4096 };
/* Waits. */
VACCINE_API vaccine_status vaccine_scalars_read(vaccine_session* session, int32_t first, int32_t count,
                                                double* out_values) VACCINE_NOEXCEPT;

/* ---- parameter vectors: one float for every trainable parameter -------------------------------------------------------------------------
 * By number: 0 parameters, 1 gradients, 2 and 3 the moments of optimizer 0 (where planned), then the extra ones from 4 on, and behind them
 * the moments of optimizer 1, 2, ...: those of optimizer o are 4 + extra_vectors + 2 (o - 1) and the next. `tensors` is a mask over
 * trainable tensors (NULL: all); nothing outside it is touched. */

enum {
    VACCINE_VECTOR_PARAMETERS = 0,
    VACCINE_VECTOR_GRADIENTS = 1,
    VACCINE_VECTOR_MOMENT1 = 2,
    VACCINE_VECTOR_MOMENT2 = 3,
    VACCINE_VECTOR_EXTRA = 4
};

VACCINE_API vaccine_status vaccine_vector_write(vaccine_session* session, int32_t vector, int64_t first, int64_t count,
                                                const float* values) VACCINE_NOEXCEPT;
/* Waits. */
VACCINE_API vaccine_status vaccine_vector_read(vaccine_session* session, int32_t vector, int64_t first, int64_t count,
                                               float* out_values) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_vector_zero(vaccine_session* session, int32_t vector, const uint8_t* tensors) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_vector_copy(vaccine_session* session, int32_t from, int32_t to, const uint8_t* tensors) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_vector_scale(vaccine_session* session, int32_t vector, float factor,
                                                const uint8_t* tensors) VACCINE_NOEXCEPT;
/* y += alpha * x */
VACCINE_API vaccine_status vaccine_vector_axpy(vaccine_session* session, float alpha, int32_t x, int32_t y,
                                               const uint8_t* tensors) VACCINE_NOEXCEPT;
/* x *= numerator / (sqrt(scalar) + epsilon), without waiting for the scalar, which is the square of a norm. */
VACCINE_API vaccine_status vaccine_vector_scale_to_norm(vaccine_session* session, int32_t vector, float numerator, float epsilon,
                                                        int32_t scalar, const uint8_t* tensors) VACCINE_NOEXCEPT;
/* y += numerator / (sqrt(scalar) + epsilon) * x, likewise; x is left as it is. */
VACCINE_API vaccine_status vaccine_vector_axpy_to_norm(vaccine_session* session, float numerator, float epsilon, int32_t scalar, int32_t x,
                                                       int32_t y, const uint8_t* tensors) VACCINE_NOEXCEPT;
/* y += alpha * a * b, element by element */
VACCINE_API vaccine_status vaccine_vector_multiply_add(vaccine_session* session, float alpha, int32_t a, int32_t b, int32_t y,
                                                       const uint8_t* tensors) VACCINE_NOEXCEPT;
/* scalar = sum x*y. With x = y: the square of the norm. */
VACCINE_API vaccine_status vaccine_vector_dot(vaccine_session* session, int32_t x, int32_t y, const uint8_t* tensors,
                                              int32_t scalar) VACCINE_NOEXCEPT;

/* ---- site tensors: T x C floats for each of some layers ---------------------------------------------------------------------------------
 * Named by kind and number. Each holds the layers (or residual points) that vaccine_site_select chose last; contents are then undefined
 * until written. T is that of the pass that recorded or read it last, or of vaccine_site_fill_normal. `layers` masks have L entries, or L+1
 * for residual sites. */

VACCINE_API vaccine_status vaccine_site_select(vaccine_session* session, int32_t kind, int32_t site,
                                               const uint8_t* layers) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_site_zero(vaccine_session* session, int32_t kind, int32_t site) VACCINE_NOEXCEPT;
/* deviation * N(0, 1), for the T of `tokens`; the same for the same seed, step, layer and element on every device. */
VACCINE_API vaccine_status vaccine_site_fill_normal(vaccine_session* session, int32_t kind, int32_t site, int32_t tokens, float deviation,
                                                    uint64_t seed, uint32_t step) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_site_scale(vaccine_session* session, int32_t kind, int32_t site, float factor) VACCINE_NOEXCEPT;
/* y += alpha * x, on the layers that both hold */
VACCINE_API vaccine_status vaccine_site_axpy(vaccine_session* session, int32_t kind, float alpha, int32_t x, int32_t y) VACCINE_NOEXCEPT;
/* scalar = sum x*y over the layers that both hold */
VACCINE_API vaccine_status vaccine_site_dot(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int32_t scalar) VACCINE_NOEXCEPT;
/* Squares of the norms: of layer l at first_scalar + l for each layer held, and of all together at first_scalar + (number of layers or
 * points). */
VACCINE_API vaccine_status vaccine_site_norms(vaccine_session* session, int32_t kind, int32_t site, int32_t first_scalar) VACCINE_NOEXCEPT;
/* x *= numerator / (sqrt(scalar) + epsilon), without waiting for the scalar. */
VACCINE_API vaccine_status vaccine_site_scale_to_norm(vaccine_session* session, int32_t kind, int32_t site, float numerator, float epsilon,
                                                      int32_t scalar) VACCINE_NOEXCEPT;
/* Rows (tokens) that have 0 in `rows`, T bytes, become zero in every layer held. */
VACCINE_API vaccine_status vaccine_site_mask_rows(vaccine_session* session, int32_t kind, int32_t site,
                                                  const uint8_t* rows) VACCINE_NOEXCEPT;
/* Products of samples, those of the last forward pass, which must have had as many tokens as x and y:
 *     gram[l][a][b] = sum over positions t of x_l[a, t] . y_l[b, t]
 * counted from each sample's start, over t < the shorter one's length. l goes over the layers that both hold, ascending; a and b over the B
 * samples. In fp64, the same bits in every run: of samples as vectors that are padded with zeros, gram(x,x)[a][a] + gram(y,y)[b][b] -
 * 2 gram(x,y)[a][b] is the square of the distance. count: layers that both hold * B * B. Waits. */
VACCINE_API vaccine_status vaccine_site_gram(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int64_t count,
                                             double* out_gram) VACCINE_NOEXCEPT;
/* The gradient of a function of them: y_l[a, t] += sum_b coefficients[l][a][b] * x_l[b, t], over the samples b that have a position t. In
 * fp64, rounded once. x and y are two site tensors; count as for vaccine_site_gram. */
VACCINE_API vaccine_status vaccine_site_add_combination(vaccine_session* session, int32_t kind, int32_t x, int32_t y, int64_t count,
                                                        const double* coefficients) VACCINE_NOEXCEPT;
/* One layer, T*C floats. read waits. */
VACCINE_API vaccine_status vaccine_site_write(vaccine_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count,
                                              const float* values) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_site_read(vaccine_session* session, int32_t kind, int32_t site, int32_t layer, int64_t count,
                                             float* out_values) VACCINE_NOEXCEPT;

/* ---- ending a pass early ------------------------------------------------------------------------------------------------------------- */

/* While `on` is not 0, the session's passes (vaccine_session_forward, vaccine_session_backward, vaccine_decode_begin, vaccine_decode_join,
 * vaccine_decode_next, vaccine_decode_extend) end with VACCINE_INTERRUPTED: one that runs, within a fraction of a second, and each that is
 * called; 0 takes it back. Does not wait, and may be called while another thread's pass runs. An interrupted pass leaves undefined what it
 * works on: activations, site tensors that it records or reads gradients into, the gradients that it adds to, the KV cache. Everything else
 * is as it was; vaccine_session_forward and vaccine_decode_begin may be called next. A GPU still ends what is queued. */
VACCINE_API vaccine_status vaccine_session_interrupt(vaccine_session* session, int32_t on) VACCINE_NOEXCEPT;

/* ---- the two passes ------------------------------------------------------------------------------------------------------------------ */

/* Samples one after another without padding: sample s is tokens offsets[s] .. offsets[s+1]-1. labels are unshifted: labels[i] is the token
 * that position i-1 of the same sample must predict; -100 (and each sample's first) counts nothing. */
typedef struct vaccine_batch {
    uint32_t struct_size;
    int32_t tokens, samples;
    const int32_t* input_ids; /* tokens */
    const int32_t* labels;    /* tokens; NULL: no loss */
    const int32_t* offsets;   /* samples + 1 */
} vaccine_batch;

/* Of a row, in nats, with p the softmax over the vocabulary of its logits. */
typedef enum vaccine_loss_kind {
    VACCINE_LOSS_LABELS = 0,  /* cross-entropy: -ln p of the label */
    VACCINE_LOSS_TEACHER = 1, /* Kullback-Leibler divergence: sum of t (ln t - ln p), t those of the same row as record_teacher kept it
                                 last */
    VACCINE_LOSS_NEGATIVE_ENTROPY = 2 /* sum of p ln p */
} vaccine_loss_kind;
enum { VACCINE_LOSS_KINDS = 3, VACCINE_LOSS_NORMS = 2 };

/* A loss over the labelled rows of the residual stream at a point, after additions there: final norm, lm_head, loss. */
typedef struct vaccine_loss_head {
    uint32_t struct_size;
    int32_t point;       /* 0 .. L; below L only with training in the plan */
    int32_t kind;        /* vaccine_loss_kind */
    int32_t norms;       /* how many times the final norm is applied, 1 or 2: RepNoise's reference norms h_L, already normed, once more */
    int32_t loss_scalar; /* receives the sum of this loss over labelled rows, not weighted; -1: none */
    float weight;
} vaccine_loss_head;

typedef struct vaccine_forward_options {
    uint32_t struct_size;
    int32_t dropout; /* 0: off */
    uint64_t seed;   /* the same seed, step and pass give the same masks */
    uint32_t step, pass;
    int32_t for_backward; /* 0: evaluation; activations are not kept */
    int32_t from_layer;   /* 0; l > 0: the batch and masks are those of the forward before; start from its residual at l */
    int32_t record_site[VACCINE_SITE_KINDS]; /* site tensor that receives the activations (before any addition); -1: none */
    int32_t add_site[VACCINE_SITE_KINDS];    /* site tensor that is added to the activations; -1: none */
    int32_t loss_scalar;                     /* receives the sum of the losses over labelled rows, weighted over heads; -1: none */
    int32_t head_count;                      /* of `heads`; no two of one point, kind and norms. Heads of one point share their logits */
    const vaccine_loss_head* heads;          /* NULL: one of labels at point L with weight 1; not NULL with head_count 0: none */
    int32_t record_teacher; /* 1: the labelled rows' hidden state is kept for VACCINE_LOSS_TEACHER until the next such pass; at most the
                               plan's teacher_rows. A pass with such a head must have as many labelled rows, and refuses with
                               VACCINE_WRONG_STATE otherwise */
    int32_t adapter_off; /* 1: without the adapters and their dropout; not with for_backward, and the same in a pass with from_layer as in
                            the one before */
} vaccine_forward_options;

/* out_labels: how many rows carry a label. A batch larger than the plan is an error that changes nothing. */
VACCINE_API vaccine_status vaccine_session_forward(vaccine_session* session, const vaccine_batch* batch,
                                                   const vaccine_forward_options* options, int64_t* out_labels) VACCINE_NOEXCEPT;

typedef struct vaccine_backward_options {
    uint32_t struct_size;
    float loss_scale;                        /* the gradient is that of loss_scale * (sum of losses) / labels */
    int32_t gradient_vector;                 /* parameter vector that gradients are added to; -1: none are computed */
    int32_t floor;                           /* no layer below it gets a gradient */
    const uint8_t* tensors;                  /* which tensors' gradients; NULL: all */
    int32_t read_site[VACCINE_SITE_KINDS];   /* site tensor that receives the gradient on its layers, without what add_site adds there;
                                           -1: none */
    int32_t add_site[VACCINE_SITE_KINDS];    /* site tensor that is added to the gradient on its layers; -1: none */
    int32_t norm_scalar[VACCINE_SITE_KINDS]; /* first scalar of squares of gradient norms, one for every layer or point; -1: none */
} vaccine_backward_options;

/* Once after each forward with for_backward. Goes down to the lowest layer that anything asked for needs, and no further. */
VACCINE_API vaccine_status vaccine_session_backward(vaccine_session* session, const vaccine_backward_options* options) VACCINE_NOEXCEPT;

/* Losses of the labelled rows of the last forward, weighted over its heads, in the order of their tokens. Waits. */
VACCINE_API vaccine_status vaccine_session_read_losses(vaccine_session* session, int64_t count, float* out_losses) VACCINE_NOEXCEPT;
/* Logits (rows x V) of tokens first_row .. of the last forward. No backward pass may follow. Waits. */
VACCINE_API vaccine_status vaccine_session_read_logits(vaccine_session* session, int32_t first_row, int32_t rows,
                                                       float* out_logits) VACCINE_NOEXCEPT;

/* ---- optimizer ----------------------------------------------------------------------------------------------------------------------- */

/* The plan's optimizers are numbered from 0. Each has its moments and, for every trainable tensor, a count of steps; all step the same
 * parameters. */
typedef struct vaccine_adamw_options {
    uint32_t struct_size;
    int32_t optimizer;
    int32_t gradient_vector; /* gradients, or an extra vector */
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    float clip;             /* gradients are scaled by min(1, clip / (sqrt(norm_scalar) + 1e-6)); 0: not */
    int32_t norm_scalar;    /* square of the gradient norm, as vaccine_vector_dot gives it; -1: no clipping */
    const uint8_t* tensors; /* only these are stepped; NULL: all. Each counts its own steps. */
} vaccine_adamw_options;

VACCINE_API vaccine_status vaccine_adamw_step(vaccine_session* session, const vaccine_adamw_options* options) VACCINE_NOEXCEPT;
/* Steps that each trainable tensor has taken, to save and to restore. */
VACCINE_API vaccine_status vaccine_adamw_read_steps(const vaccine_session* session, int32_t optimizer, int32_t count,
                                                    int64_t* out_steps) VACCINE_NOEXCEPT;
VACCINE_API vaccine_status vaccine_adamw_write_steps(vaccine_session* session, int32_t optimizer, int32_t count,
                                                     const int64_t* steps) VACCINE_NOEXCEPT;
/* As a new one: moments and counts are zero. */
VACCINE_API vaccine_status vaccine_adamw_reset(vaccine_session* session, int32_t optimizer) VACCINE_NOEXCEPT;

/* ---- decoding ------------------------------------------------------------------------------------------------------------------------ */

typedef struct vaccine_sampling {
    uint32_t struct_size;
    float temperature;        /* 0: greedy */
    int32_t top_k;            /* 0: all */
    float top_p;              /* 1: all */
    float repetition_penalty; /* above 0; 1: none. The logits of tokens that a sample has already, prompt included, are divided by it, or
                                 multiplied where they are negative, before anything else */
    uint64_t seed;            /* sample s at position p draws the same number whatever else is in the batch */
    const uint64_t* seeds;    /* NULL, or in place of seed one for each sample, by its number: a sample then draws by its own seed and its
                                 position alone, whichever number it has in the batch */
} vaccine_sampling;

/* Reads the prompts (labels NULL) and gives each sample's next token. Waits. */
VACCINE_API vaccine_status vaccine_decode_begin(vaccine_session* session, const vaccine_batch* prompts, const vaccine_sampling* sampling,
                                                int32_t* out_tokens) VACCINE_NOEXCEPT;
/* As vaccine_decode_begin, beside the samples that are being decoded: prompt i becomes sample samples[i] (ascending, below the plan's
 * decode_samples), in the place of what was there. The others can go on. May also come first. Waits. */
VACCINE_API vaccine_status vaccine_decode_join(vaccine_session* session, const vaccine_batch* prompts, const int32_t* samples,
                                               const vaccine_sampling* sampling, int32_t* out_tokens) VACCINE_NOEXCEPT;
/* Appends tokens[i] to sample samples[i] (ascending) and gives the next token of each. Waits. */
VACCINE_API vaccine_status vaccine_decode_next(vaccine_session* session, int32_t count, const int32_t* samples, const int32_t* tokens,
                                               const vaccine_sampling* sampling, int32_t* out_tokens) VACCINE_NOEXCEPT;
/* Texts that begin alike are read once: sample i of the batch goes on in sample samples[i] of the cache (ascending, below the plan's
 * decode_samples) behind its first starts[i] positions. What the cache had behind them is forgotten, and the batch's tokens stand there
 * instead. Labels count as in vaccine_session_forward, and so vaccine_session_read_losses and vaccine_session_read_logits follow (a
 * sample's first token has no label: to learn how likely a token is behind what is cached, begin one position earlier). No
 * vaccine_decode_next or vaccine_decode_join may follow, and no pass from a layer. */
VACCINE_API vaccine_status vaccine_decode_extend(vaccine_session* session, const vaccine_batch* batch, const int32_t* samples,
                                                 const int32_t* starts, int64_t* out_labels) VACCINE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
