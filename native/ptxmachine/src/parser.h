// PTX text -> Module. Kernels are only located here; they are decoded when first launched.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "program.h"

namespace vaccine::ptx {

/// Reserves device memory for a module's .global and .const variables. Returns its address.
using VariableAllocator = std::function<uint64_t(const std::string& name, uint64_t bytes, const std::vector<uint8_t>& data, bool writable)>;

std::unique_ptr<Module> parse_module(const std::string& text, const VariableAllocator& allocate);

std::string trimmed(const std::string& text);
/// Splits at `separator` outside of brackets; the parts are trimmed, empty ones dropped.
std::vector<std::string> split(const std::string& text, char separator);

/// One statement of PTX: what stands before a ';', a label's ':', a brace, or on a directive's line.
struct Statement {
    enum class Form { Plain, Label, Open, Close, Directive, End };
    Form form = Form::End;
    std::string text;
    int line = 0;
};

/// Cuts PTX text into statements, without its comments.
class StatementReader {
public:
    StatementReader(const std::string& text, int first_line) : text_(text), line_(first_line) {}
    Statement next();

private:
    bool skip_comment();
    void skip_blank();

    const std::string& text_;
    size_t position_ = 0;
    int line_;
};

/// `.shared .align 4 .b8 name[128]`, with `= {...}` in a module.
struct Declaration {
    std::string name;
    Space space = Space::Generic;
    Type type = Type::None;
    uint64_t bytes = 0;
    int alignment = 1;
    bool external = false;
    std::vector<uint8_t> data;
};
/// Whether `text` declares a variable; fills `declaration`.
bool parse_declaration(const std::string& text, Declaration& declaration);

}  // namespace vaccine::ptx
