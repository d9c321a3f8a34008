// Every struct of nativevaccine.h, and every field of it in its order: the layout that the library reports, and tests that try each field.
#pragma once

// clang-format off
#define VACCINE_FIELDS(STRUCT, FIELD) \
    STRUCT(vaccine_device_info) \
    FIELD(vaccine_device_info, struct_size) \
    FIELD(vaccine_device_info, compute_major) \
    FIELD(vaccine_device_info, compute_minor) \
    FIELD(vaccine_device_info, threads) \
    FIELD(vaccine_device_info, total_bytes) \
    FIELD(vaccine_device_info, free_bytes) \
    FIELD(vaccine_device_info, driver_version) \
    FIELD(vaccine_device_info, runtime_version) \
    FIELD(vaccine_device_info, gemm) \
    FIELD(vaccine_device_info, cublas) \
    FIELD(vaccine_device_info, instructions) \
    FIELD(vaccine_device_info, name) \
    STRUCT(vaccine_layer_shape) \
    FIELD(vaccine_layer_shape, struct_size) \
    FIELD(vaccine_layer_shape, window) \
    FIELD(vaccine_layer_shape, rope) \
    STRUCT(vaccine_model_shape) \
    FIELD(vaccine_model_shape, struct_size) \
    FIELD(vaccine_model_shape, vocabulary) \
    FIELD(vaccine_model_shape, hidden) \
    FIELD(vaccine_model_shape, intermediate) \
    FIELD(vaccine_model_shape, layers) \
    FIELD(vaccine_model_shape, heads) \
    FIELD(vaccine_model_shape, kv_heads) \
    FIELD(vaccine_model_shape, head_size) \
    FIELD(vaccine_model_shape, sliding_window) \
    FIELD(vaccine_model_shape, tied_embeddings) \
    FIELD(vaccine_model_shape, qkv_bias) \
    FIELD(vaccine_model_shape, output_bias) \
    FIELD(vaccine_model_shape, mlp_bias) \
    FIELD(vaccine_model_shape, rms_epsilon) \
    FIELD(vaccine_model_shape, rope_scaling) \
    FIELD(vaccine_model_shape, rope_theta) \
    FIELD(vaccine_model_shape, rope_factor) \
    FIELD(vaccine_model_shape, rope_low_frequency_factor) \
    FIELD(vaccine_model_shape, rope_high_frequency_factor) \
    FIELD(vaccine_model_shape, rope_original_positions) \
    FIELD(vaccine_model_shape, activation) \
    FIELD(vaccine_model_shape, norm_offset) \
    FIELD(vaccine_model_shape, block_output_norms) \
    FIELD(vaccine_model_shape, query_key_norms) \
    FIELD(vaccine_model_shape, attention_scale) \
    FIELD(vaccine_model_shape, attention_cap) \
    FIELD(vaccine_model_shape, logit_cap) \
    FIELD(vaccine_model_shape, embedding_scale) \
    FIELD(vaccine_model_shape, local_rope_scaling) \
    FIELD(vaccine_model_shape, local_rope_theta) \
    FIELD(vaccine_model_shape, local_rope_factor) \
    FIELD(vaccine_model_shape, local_rope_low_frequency_factor) \
    FIELD(vaccine_model_shape, local_rope_high_frequency_factor) \
    FIELD(vaccine_model_shape, local_rope_original_positions) \
    FIELD(vaccine_model_shape, layer_shapes) \
    STRUCT(vaccine_plan_options) \
    FIELD(vaccine_plan_options, struct_size) \
    FIELD(vaccine_plan_options, max_tokens) \
    FIELD(vaccine_plan_options, max_samples) \
    FIELD(vaccine_plan_options, longest_sample) \
    FIELD(vaccine_plan_options, weight_type) \
    FIELD(vaccine_plan_options, activation_type) \
    FIELD(vaccine_plan_options, training) \
    FIELD(vaccine_plan_options, full) \
    FIELD(vaccine_plan_options, lora_rank) \
    FIELD(vaccine_plan_options, lora_targets) \
    FIELD(vaccine_plan_options, lora_alpha) \
    FIELD(vaccine_plan_options, lora_dropout) \
    FIELD(vaccine_plan_options, optimizers) \
    FIELD(vaccine_plan_options, extra_vectors) \
    FIELD(vaccine_plan_options, site_tensors) \
    FIELD(vaccine_plan_options, site_layers) \
    FIELD(vaccine_plan_options, head_rows) \
    FIELD(vaccine_plan_options, teacher_rows) \
    FIELD(vaccine_plan_options, recomputed_layers) \
    FIELD(vaccine_plan_options, memory_limit) \
    FIELD(vaccine_plan_options, decode_samples) \
    FIELD(vaccine_plan_options, decode_capacity) \
    STRUCT(vaccine_plan_item) \
    FIELD(vaccine_plan_item, struct_size) \
    FIELD(vaccine_plan_item, bytes) \
    FIELD(vaccine_plan_item, name) \
    STRUCT(vaccine_plan_summary) \
    FIELD(vaccine_plan_summary, struct_size) \
    FIELD(vaccine_plan_summary, items) \
    FIELD(vaccine_plan_summary, recomputed_layers) \
    FIELD(vaccine_plan_summary, head_rows) \
    FIELD(vaccine_plan_summary, total_bytes) \
    FIELD(vaccine_plan_summary, parameters) \
    FIELD(vaccine_plan_summary, trainable_parameters) \
    STRUCT(vaccine_tensor_info) \
    FIELD(vaccine_tensor_info, struct_size) \
    FIELD(vaccine_tensor_info, kind) \
    FIELD(vaccine_tensor_info, layer) \
    FIELD(vaccine_tensor_info, projection) \
    FIELD(vaccine_tensor_info, trainable) \
    FIELD(vaccine_tensor_info, rows) \
    FIELD(vaccine_tensor_info, columns) \
    FIELD(vaccine_tensor_info, offset) \
    STRUCT(vaccine_batch) \
    FIELD(vaccine_batch, struct_size) \
    FIELD(vaccine_batch, tokens) \
    FIELD(vaccine_batch, samples) \
    FIELD(vaccine_batch, input_ids) \
    FIELD(vaccine_batch, labels) \
    FIELD(vaccine_batch, offsets) \
    STRUCT(vaccine_loss_head) \
    FIELD(vaccine_loss_head, struct_size) \
    FIELD(vaccine_loss_head, point) \
    FIELD(vaccine_loss_head, kind) \
    FIELD(vaccine_loss_head, norms) \
    FIELD(vaccine_loss_head, loss_scalar) \
    FIELD(vaccine_loss_head, weight) \
    STRUCT(vaccine_forward_options) \
    FIELD(vaccine_forward_options, struct_size) \
    FIELD(vaccine_forward_options, dropout) \
    FIELD(vaccine_forward_options, seed) \
    FIELD(vaccine_forward_options, step) \
    FIELD(vaccine_forward_options, pass) \
    FIELD(vaccine_forward_options, for_backward) \
    FIELD(vaccine_forward_options, from_layer) \
    FIELD(vaccine_forward_options, record_site) \
    FIELD(vaccine_forward_options, add_site) \
    FIELD(vaccine_forward_options, loss_scalar) \
    FIELD(vaccine_forward_options, head_count) \
    FIELD(vaccine_forward_options, heads) \
    FIELD(vaccine_forward_options, record_teacher) \
    FIELD(vaccine_forward_options, adapter_off) \
    STRUCT(vaccine_backward_options) \
    FIELD(vaccine_backward_options, struct_size) \
    FIELD(vaccine_backward_options, loss_scale) \
    FIELD(vaccine_backward_options, gradient_vector) \
    FIELD(vaccine_backward_options, floor) \
    FIELD(vaccine_backward_options, tensors) \
    FIELD(vaccine_backward_options, read_site) \
    FIELD(vaccine_backward_options, add_site) \
    FIELD(vaccine_backward_options, norm_scalar) \
    STRUCT(vaccine_adamw_options) \
    FIELD(vaccine_adamw_options, struct_size) \
    FIELD(vaccine_adamw_options, optimizer) \
    FIELD(vaccine_adamw_options, gradient_vector) \
    FIELD(vaccine_adamw_options, learning_rate) \
    FIELD(vaccine_adamw_options, beta1) \
    FIELD(vaccine_adamw_options, beta2) \
    FIELD(vaccine_adamw_options, epsilon) \
    FIELD(vaccine_adamw_options, weight_decay) \
    FIELD(vaccine_adamw_options, clip) \
    FIELD(vaccine_adamw_options, norm_scalar) \
    FIELD(vaccine_adamw_options, tensors) \
    STRUCT(vaccine_sampling) \
    FIELD(vaccine_sampling, struct_size) \
    FIELD(vaccine_sampling, temperature) \
    FIELD(vaccine_sampling, top_k) \
    FIELD(vaccine_sampling, top_p) \
    FIELD(vaccine_sampling, repetition_penalty) \
    FIELD(vaccine_sampling, seed) \
    FIELD(vaccine_sampling, seeds)
// clang-format on
