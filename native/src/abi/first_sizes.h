// Bytes that each struct of nativevaccine.h had in the first version that it was in, 6 or later: what the oldest caller has of it. Pointers
// have 8 bytes.
#pragma once
#include <cstdint>

#include "abi/fields.h"
#include "nativevaccine.h"

namespace vaccine::abi {

template <class Struct> inline constexpr uint32_t kFirstSize = 0;
template <> inline constexpr uint32_t kFirstSize<vaccine_device_info> = 208;
template <> inline constexpr uint32_t kFirstSize<vaccine_layer_shape> = 12;
template <> inline constexpr uint32_t kFirstSize<vaccine_model_shape> = 104;
template <> inline constexpr uint32_t kFirstSize<vaccine_plan_options> = 112;
template <> inline constexpr uint32_t kFirstSize<vaccine_plan_item> = 80;
template <> inline constexpr uint32_t kFirstSize<vaccine_plan_summary> = 40;
template <> inline constexpr uint32_t kFirstSize<vaccine_tensor_info> = 48;
template <> inline constexpr uint32_t kFirstSize<vaccine_batch> = 40;
template <> inline constexpr uint32_t kFirstSize<vaccine_loss_head> = 24;
template <> inline constexpr uint32_t kFirstSize<vaccine_forward_options> = 80;
template <> inline constexpr uint32_t kFirstSize<vaccine_backward_options> = 64;
template <> inline constexpr uint32_t kFirstSize<vaccine_adamw_options> = 72;
template <> inline constexpr uint32_t kFirstSize<vaccine_sampling> = 32;

#define FIELD(s, f)
#define STRUCT(s)                                                                               \
    static_assert(kFirstSize<s> > 0 && kFirstSize<s> <= sizeof(s), #s ": a struct only grows"); \
    static_assert(VACCINE_ABI_VERSION > 6 || kFirstSize<s> == sizeof(s), #s ": its size in version 6");
VACCINE_FIELDS(STRUCT, FIELD)
#undef FIELD
#undef STRUCT

}  // namespace vaccine::abi
