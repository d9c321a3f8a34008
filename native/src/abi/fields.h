// Every struct of nativevaccine.h, and every field of it in its order: the layout that the library reports, and tests that try each field.
#pragma once

// clang-format off
#define NV_FIELDS(STRUCT, FIELD) \
    STRUCT(nv_device_info) \
    FIELD(nv_device_info, struct_size) \
    FIELD(nv_device_info, compute_major) \
    FIELD(nv_device_info, compute_minor) \
    FIELD(nv_device_info, threads) \
    FIELD(nv_device_info, total_bytes) \
    FIELD(nv_device_info, free_bytes) \
    FIELD(nv_device_info, driver_version) \
    FIELD(nv_device_info, runtime_version) \
    FIELD(nv_device_info, gemm) \
    FIELD(nv_device_info, cublas) \
    FIELD(nv_device_info, instructions) \
    FIELD(nv_device_info, name) \
    STRUCT(nv_model_shape) \
    FIELD(nv_model_shape, struct_size) \
    FIELD(nv_model_shape, vocabulary) \
    FIELD(nv_model_shape, hidden) \
    FIELD(nv_model_shape, intermediate) \
    FIELD(nv_model_shape, layers) \
    FIELD(nv_model_shape, heads) \
    FIELD(nv_model_shape, kv_heads) \
    FIELD(nv_model_shape, head_size) \
    FIELD(nv_model_shape, sliding_window) \
    FIELD(nv_model_shape, tied_embeddings) \
    FIELD(nv_model_shape, qkv_bias) \
    FIELD(nv_model_shape, output_bias) \
    FIELD(nv_model_shape, mlp_bias) \
    FIELD(nv_model_shape, rms_epsilon) \
    FIELD(nv_model_shape, rope_scaling) \
    FIELD(nv_model_shape, rope_theta) \
    FIELD(nv_model_shape, rope_factor) \
    FIELD(nv_model_shape, rope_low_frequency_factor) \
    FIELD(nv_model_shape, rope_high_frequency_factor) \
    FIELD(nv_model_shape, rope_original_positions) \
    STRUCT(nv_plan_options) \
    FIELD(nv_plan_options, struct_size) \
    FIELD(nv_plan_options, max_tokens) \
    FIELD(nv_plan_options, max_samples) \
    FIELD(nv_plan_options, longest_sample) \
    FIELD(nv_plan_options, weight_type) \
    FIELD(nv_plan_options, activation_type) \
    FIELD(nv_plan_options, training) \
    FIELD(nv_plan_options, full) \
    FIELD(nv_plan_options, lora_rank) \
    FIELD(nv_plan_options, lora_targets) \
    FIELD(nv_plan_options, lora_alpha) \
    FIELD(nv_plan_options, lora_dropout) \
    FIELD(nv_plan_options, optimizer) \
    FIELD(nv_plan_options, extra_vectors) \
    FIELD(nv_plan_options, site_tensors) \
    FIELD(nv_plan_options, site_layers) \
    FIELD(nv_plan_options, head_rows) \
    FIELD(nv_plan_options, recomputed_layers) \
    FIELD(nv_plan_options, memory_limit) \
    FIELD(nv_plan_options, decode_samples) \
    FIELD(nv_plan_options, decode_capacity) \
    STRUCT(nv_plan_item) \
    FIELD(nv_plan_item, struct_size) \
    FIELD(nv_plan_item, bytes) \
    FIELD(nv_plan_item, name) \
    STRUCT(nv_plan_summary) \
    FIELD(nv_plan_summary, struct_size) \
    FIELD(nv_plan_summary, items) \
    FIELD(nv_plan_summary, recomputed_layers) \
    FIELD(nv_plan_summary, head_rows) \
    FIELD(nv_plan_summary, total_bytes) \
    FIELD(nv_plan_summary, parameters) \
    FIELD(nv_plan_summary, trainable_parameters) \
    STRUCT(nv_tensor_info) \
    FIELD(nv_tensor_info, struct_size) \
    FIELD(nv_tensor_info, kind) \
    FIELD(nv_tensor_info, layer) \
    FIELD(nv_tensor_info, projection) \
    FIELD(nv_tensor_info, trainable) \
    FIELD(nv_tensor_info, rows) \
    FIELD(nv_tensor_info, columns) \
    FIELD(nv_tensor_info, offset) \
    STRUCT(nv_batch) \
    FIELD(nv_batch, struct_size) \
    FIELD(nv_batch, tokens) \
    FIELD(nv_batch, samples) \
    FIELD(nv_batch, input_ids) \
    FIELD(nv_batch, labels) \
    FIELD(nv_batch, offsets) \
    STRUCT(nv_forward_options) \
    FIELD(nv_forward_options, struct_size) \
    FIELD(nv_forward_options, dropout) \
    FIELD(nv_forward_options, seed) \
    FIELD(nv_forward_options, step) \
    FIELD(nv_forward_options, pass) \
    FIELD(nv_forward_options, for_backward) \
    FIELD(nv_forward_options, from_layer) \
    FIELD(nv_forward_options, record_site) \
    FIELD(nv_forward_options, add_site) \
    FIELD(nv_forward_options, loss_scalar) \
    FIELD(nv_forward_options, head_weights) \
    STRUCT(nv_backward_options) \
    FIELD(nv_backward_options, struct_size) \
    FIELD(nv_backward_options, loss_scale) \
    FIELD(nv_backward_options, gradient_vector) \
    FIELD(nv_backward_options, floor) \
    FIELD(nv_backward_options, tensors) \
    FIELD(nv_backward_options, read_site) \
    FIELD(nv_backward_options, add_site) \
    FIELD(nv_backward_options, norm_scalar) \
    STRUCT(nv_adamw_options) \
    FIELD(nv_adamw_options, struct_size) \
    FIELD(nv_adamw_options, gradient_vector) \
    FIELD(nv_adamw_options, learning_rate) \
    FIELD(nv_adamw_options, beta1) \
    FIELD(nv_adamw_options, beta2) \
    FIELD(nv_adamw_options, epsilon) \
    FIELD(nv_adamw_options, weight_decay) \
    FIELD(nv_adamw_options, clip) \
    FIELD(nv_adamw_options, norm_scalar) \
    FIELD(nv_adamw_options, tensors) \
    STRUCT(nv_sampling) \
    FIELD(nv_sampling, struct_size) \
    FIELD(nv_sampling, temperature) \
    FIELD(nv_sampling, top_k) \
    FIELD(nv_sampling, top_p) \
    FIELD(nv_sampling, repetition_penalty) \
    FIELD(nv_sampling, seed)
// clang-format on
