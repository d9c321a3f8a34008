// A parsed PTX module: kernels of decoded instructions, and the variables that they name.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "numbers.h"
#include "types.h"

namespace vaccine::ptx {

class Warp;
struct Instruction;
using Handler = void (*)(Warp& warp, const Instruction& instruction, LaneMask lanes);

/// Where an operand lies in the register file of a warp. Immediates and addresses of variables are registers too, filled once.
struct Operand {
    enum class Form : uint8_t { Register, Vector, Address, Ignored };
    Form form = Form::Register;
    bool negated = false;        // !%p
    bool has_predicate = false;  // %r|%p
    uint8_t bytes = 4;           // of one lane; a predicate is one LaneMask for the warp
    uint32_t at = 0;             // byte offset in the register file
    uint32_t predicate_at = 0;
    int64_t value = 0;           // an immediate's value, an address's displacement
    std::vector<Operand> parts;  // of a vector
};

/// How an instruction moves the program counter, or waits for other lanes.
enum class Flow : uint8_t { Next, Branch, Exit, BlockBarrier, WarpCollective };

/// What the counters group by.
enum class Kind : uint8_t {
    Move,
    Integer,
    Float,
    Half,
    Convert,
    Special,
    Tensor,
    Global,
    Shared,
    Local,
    Atomic,
    Copy,
    Control,
    Sync,
    Count
};

enum class Compare : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };
enum class Combine : uint8_t { None, And, Or, Xor };

struct Instruction {
    Handler execute = nullptr;
    Flow flow = Flow::Next;
    Kind kind = Kind::Move;
    Type type = Type::None;         // the last type of the mnemonic
    Type factors = Type::None;      // of mma: the type of A and B
    Type destination = Type::None;  // the first type of the mnemonic (cvt, set, mma)
    Space space = Space::Generic;
    Rounding rounding = Rounding::Nearest;
    Compare compare = Compare::Eq;
    Combine combine = Combine::None;
    uint8_t vector = 1;  // .v2, .v4; matrices of ldmatrix (.x1 .x2 .x4)
    bool flush = false, saturate = false, relu = false, keep_nan = false, to_integer = false, transposed = false, strong = false;
    int8_t mask_operand = -1;  // which operand holds the lane mask of a warp collective; -1: the whole warp
    bool guarded = false, guard_negated = false;
    uint32_t guard_at = 0;
    uint32_t target = 0;  // of a branch
    std::vector<Operand> operands;
    std::string text;
    std::string label;                     // of a branch, and the function of a call
    int line = 0;                          // in the PTX text
    int source_file = 0, source_line = 0;  // from .loc; 0 without -lineinfo
};

struct Variable {
    Space space = Space::Generic;
    uint64_t address = 0;  // global, const: in device memory; shared, local, param: offset
    uint64_t bytes = 0;
    int alignment = 1;
};

/// 32 lanes of one immediate, copied into the register file of every warp.
struct Constant {
    uint32_t at;
    std::vector<uint8_t> lanes;
};

struct Parameter {
    uint32_t offset, bytes;
};

struct Kernel {
    std::string name;      // as the compiler mangled it
    std::string readable;  // for reports and counters
    std::vector<Instruction> instructions;
    std::vector<Parameter> parameters;
    uint32_t parameter_bytes = 0;
    uint32_t register_bytes = 0;
    uint32_t static_shared_bytes = 0;  // includes the gap before dynamic shared memory only when there is any
    uint32_t local_bytes = 0;
    std::vector<Constant> constants;
    std::map<std::string, uint32_t> special_registers;  // name without % -> offset
};

/// PTX text of one kernel, decoded when it is launched first.
struct KernelText {
    std::string name, parameters, body;
    int parameters_line = 0, body_line = 0;
};

struct Module {
    std::map<std::string, KernelText> texts;
    std::map<std::string, std::unique_ptr<Kernel>> kernels;
    std::map<std::string, Variable> variables;
    std::map<int, std::string> files;  // of .loc

    /// Throws Unsupported when there is no such kernel or it holds an instruction we do not know.
    Kernel& kernel(const std::string& name);
};

}  // namespace vaccine::ptx
