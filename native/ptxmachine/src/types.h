// The words of PTX that everything here speaks: element types, state spaces, lane masks.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>

namespace vaccine::ptx {

constexpr int kWarpSize = 32;

/// Bit l is lane l of a warp.
using LaneMask = uint32_t;
constexpr LaneMask kAllLanes = 0xFFFFFFFFu;

enum class Type : uint8_t { None, Pred, U8, U16, U32, U64, S8, S16, S32, S64, B8, B16, B32, B64, F16, BF16, F16x2, BF16x2, TF32, F32, F64 };

enum class Space : uint8_t { Generic, Global, Shared, Local, Param, Const };

inline int size_of(Type type) {
    switch (type) {
        case Type::U8:
        case Type::S8:
        case Type::B8:
            return 1;
        case Type::U16:
        case Type::S16:
        case Type::B16:
        case Type::F16:
        case Type::BF16:
            return 2;
        case Type::U64:
        case Type::S64:
        case Type::B64:
        case Type::F64:
            return 8;
        default:
            return 4;
    }
}
inline bool is_signed(Type type) {
    return type == Type::S8 || type == Type::S16 || type == Type::S32 || type == Type::S64;
}
inline bool is_float(Type type) {
    return type == Type::F16 || type == Type::BF16 || type == Type::F32 || type == Type::F64;
}

/// Type::None for a word that is no type.
Type type_named(const std::string& word);
const char* name_of(Space space);

/// The program cannot be run: text that is no PTX we know, or a call that makes no sense. Ends the process with its message.
struct Unsupported : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace vaccine::ptx
