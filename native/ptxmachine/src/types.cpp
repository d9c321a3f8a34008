#include "types.h"

#include <unordered_map>

namespace vaccine::ptx {

Type type_named(const std::string& word) {
    static const std::unordered_map<std::string, Type> types = {
        {"pred", Type::Pred}, {"u8", Type::U8},   {"u16", Type::U16},     {"u32", Type::U32},       {"u64", Type::U64},
        {"s8", Type::S8},     {"s16", Type::S16}, {"s32", Type::S32},     {"s64", Type::S64},       {"b8", Type::B8},
        {"b16", Type::B16},   {"b32", Type::B32}, {"b64", Type::B64},     {"f16", Type::F16},       {"bf16", Type::BF16},
        {"f32", Type::F32},   {"f64", Type::F64}, {"f16x2", Type::F16x2}, {"bf16x2", Type::BF16x2}, {"tf32", Type::TF32},
    };
    const auto found = types.find(word);
    return found == types.end() ? Type::None : found->second;
}

const char* name_of(Space space) {
    static const char* const names[] = {"generic", "global", "shared", "local", "param", "const"};
    return names[static_cast<int>(space)];
}

}  // namespace vaccine::ptx
