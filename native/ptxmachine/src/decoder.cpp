#include "decoder.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

#include "mnemonic.h"
#include "mutant.h"
#include "names.h"
#include "parser.h"

namespace vaccine::ptx {

namespace {

struct Register {
    uint32_t at;
    Type type;
};

uint32_t aligned(uint64_t value, int alignment) {
    const auto a = static_cast<uint64_t>(alignment);
    return static_cast<uint32_t>((value + a - 1) / a * a);
}

class KernelDecoder {
public:
    KernelDecoder(const KernelText& text, const Module& module) : text_(text), module_(module) { scopes_.emplace_back(); }

    std::unique_ptr<Kernel> decode() {
        kernel_->name = text_.name;
        kernel_->readable = readable_name(text_.name);
        declare_parameters();
        place_shared_variables();
        StatementReader reader(text_.body, text_.body_line);
        for (Statement s = reader.next(); s.form != Statement::Form::End; s = reader.next()) take(s);
        for (Instruction& i : kernel_->instructions)
            if (i.flow == Flow::Branch) {
                const auto label = labels_.find(i.label);
                if (label == labels_.end()) fail("no label " + i.label, i.text, i.line);
                i.target = label->second;
            }
        kernel_->register_bytes = aligned(kernel_->register_bytes, 64);
        mutate(*kernel_, module_);
        return std::move(kernel_);
    }

private:
    [[noreturn]] void fail(const std::string& what, const std::string& statement, int line) const {
        throw Unsupported(what + ": \"" + statement + "\" (kernel " + readable_name(text_.name) + ", line " + std::to_string(line) +
                          " of the PTX)");
    }

    void declare_parameters() {
        for (const std::string& each : split(text_.parameters, ',')) {
            Declaration d;
            if (!parse_declaration(each, d)) fail("unknown parameter", each, text_.parameters_line);
            kernel_->parameter_bytes = aligned(kernel_->parameter_bytes, d.alignment);
            kernel_->parameters.push_back({kernel_->parameter_bytes, static_cast<uint32_t>(d.bytes)});
            variables_[d.name] = {Space::Param, kernel_->parameter_bytes, d.bytes, d.alignment};
            kernel_->parameter_bytes += static_cast<uint32_t>(d.bytes);
        }
    }

    /// Static shared variables first, then dynamic shared memory where the static part ends.
    void place_shared_variables() {
        const auto place = [&](const std::string& name, const Variable& v) {
            const uint32_t at = aligned(kernel_->static_shared_bytes, v.alignment);
            variables_[name] = {Space::Shared, at, v.bytes, v.alignment};
            kernel_->static_shared_bytes = at + static_cast<uint32_t>(v.bytes);
        };
        for (const auto& [name, v] : module_.variables)
            if (v.space == Space::Shared && v.bytes != 0 && mentions(name)) place(name, v);
        StatementReader reader(text_.body, text_.body_line);
        Declaration d;
        for (Statement s = reader.next(); s.form != Statement::Form::End; s = reader.next())
            if (s.text.compare(0, 7, ".shared") == 0 && parse_declaration(s.text, d))
                place(d.name, {Space::Shared, 0, d.bytes, d.alignment});
        for (const auto& [name, v] : module_.variables)
            if (v.space == Space::Shared && v.bytes == 0 && mentions(name)) {
                kernel_->static_shared_bytes = aligned(kernel_->static_shared_bytes, std::max(v.alignment, 16));
                variables_[name] = {Space::Shared, kernel_->static_shared_bytes, 0, v.alignment};
            }
    }
    bool mentions(const std::string& name) const { return text_.body.find(name) != std::string::npos; }

    void take(const Statement& s) {
        switch (s.form) {
            case Statement::Form::Open:
                scopes_.emplace_back();
                return;
            case Statement::Form::Close:
                scopes_.pop_back();
                return;
            case Statement::Form::Label:
                labels_[s.text] = static_cast<uint32_t>(kernel_->instructions.size());
                return;
            case Statement::Form::Directive:
                if (s.text.compare(0, 4, ".loc") == 0) std::sscanf(s.text.c_str(), ".loc %d %d", &file_, &line_);
                return;
            default:
                if (s.text.empty()) return;
                if (s.text[0] == '.')
                    declare(s);
                else
                    decode_instruction(s);
        }
    }

    void declare(const Statement& s) {
        if (s.text.compare(0, 4, ".reg") == 0) return declare_registers(s);
        if (s.text.compare(0, 7, ".pragma") == 0) return;
        Declaration d;
        if (!parse_declaration(s.text, d)) fail("unknown directive", s.text, s.line);
        if (d.space == Space::Shared) return;  // placed before
        // .local variables, and the .param area of a call, lie in the local memory of each thread.
        if (d.space != Space::Local && d.space != Space::Param) fail("declaration inside a kernel", s.text, s.line);
        const uint32_t at = aligned(kernel_->local_bytes, d.alignment);
        variables_[d.name] = {Space::Local, at, d.bytes, d.alignment};
        kernel_->local_bytes = at + static_cast<uint32_t>(d.bytes);
    }

    void declare_registers(const Statement& s) {
        const std::string rest = trimmed(s.text.substr(4));
        const size_t end = rest.find_first_of(" \t");
        const Type type = rest[0] == '.' ? type_named(rest.substr(1, end - 1)) : Type::None;
        if (type == Type::None) fail("unknown register type", s.text, s.line);
        for (const std::string& name : split(rest.substr(end), ',')) {
            const size_t bracket = name.find('<');
            if (bracket == std::string::npos)
                scopes_.back()[name] = {allocate(type), type};
            else
                for (int k = 0; k < std::atoi(name.c_str() + bracket + 1); ++k)
                    scopes_.back()[name.substr(0, bracket) + std::to_string(k)] = {allocate(type), type};
        }
    }

    uint32_t allocate(Type type) {
        const uint32_t at = kernel_->register_bytes;
        kernel_->register_bytes += type == Type::Pred ? 64 : std::max(64, kWarpSize * size_of(type));
        return at;
    }

    const Register* find_register(const std::string& name) const {
        for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
            if (const auto found = scope->find(name); found != scope->end()) return &found->second;
        return nullptr;
    }
    const Variable* find_variable(const std::string& name) const {
        if (const auto own = variables_.find(name); own != variables_.end()) return &own->second;
        const auto shared = module_.variables.find(name);
        return shared == module_.variables.end() ? nullptr : &shared->second;
    }

    /// A register of 32 equal lanes; equal constants share one.
    Operand constant(uint64_t value, int bytes) {
        Operand o;
        o.bytes = static_cast<uint8_t>(bytes);
        o.value = static_cast<int64_t>(value);
        const auto key = std::make_pair(value, bytes);
        if (const auto known = constants_.find(key); known != constants_.end()) {
            o.at = known->second;
            return o;
        }
        Constant c{kernel_->register_bytes, std::vector<uint8_t>(static_cast<size_t>(kWarpSize * bytes))};
        for (int l = 0; l < kWarpSize; ++l) std::memcpy(&c.lanes[static_cast<size_t>(l * bytes)], &value, static_cast<size_t>(bytes));
        kernel_->register_bytes += static_cast<uint32_t>(std::max(64, kWarpSize * bytes));
        constants_[key] = o.at = c.at;
        kernel_->constants.push_back(std::move(c));
        return o;
    }

    static uint64_t parse_immediate(const std::string& text, Type type) {
        const bool hexadecimal = text.size() > 2 && text[0] == '0';
        const char form = hexadecimal ? static_cast<char>(std::tolower(text[1])) : ' ';
        if (form == 'f') {
            const auto bits = static_cast<uint32_t>(std::strtoul(text.c_str() + 2, nullptr, 16));
            return type == Type::F64 ? bits_to<uint64_t>(static_cast<double>(bits_to<float>(bits))) : bits;
        }
        const bool decimal_point = form != 'x' && text.find_first_of(".eE") != std::string::npos;
        if (form == 'd' || decimal_point) {
            const double value = form == 'd' ? bits_to<double>(static_cast<uint64_t>(std::strtoull(text.c_str() + 2, nullptr, 16)))
                                             : std::strtod(text.c_str(), nullptr);
            return type == Type::F32 ? bits_to<uint32_t>(static_cast<float>(value)) : bits_to<uint64_t>(value);
        }
        if (text[0] == '-') return static_cast<uint64_t>(std::strtoll(text.c_str(), nullptr, 0));
        return std::strtoull(text.c_str(), nullptr, 0);
    }

    Operand special_register(const std::string& name) {
        const bool wide = name == "clock64" || name == "globaltimer";
        auto found = kernel_->special_registers.find(name);
        if (found == kernel_->special_registers.end()) {
            found = kernel_->special_registers.emplace(name, kernel_->register_bytes).first;
            kernel_->register_bytes += kWarpSize * (wide ? 8 : 4);
        }
        Operand o;
        o.at = found->second;
        o.bytes = wide ? 8 : 4;
        return o;
    }

    Operand address(const std::string& inside, const Instruction& i) {
        const size_t plus = inside.find('+');
        const std::string base = trimmed(inside.substr(0, plus));
        Operand o = operand(base, Type::U64, i);
        const bool immediate = find_register(base) == nullptr;
        o.form = Operand::Form::Address;
        o.value = plus == std::string::npos ? 0 : std::strtoll(trimmed(inside.substr(plus + 1)).c_str(), nullptr, 0);
        if (immediate && find_variable(base) != nullptr && find_variable(base)->space == Space::Local && i.space == Space::Param)
            o.negated = true;  // the .param area of a call, which lies in local memory
        return o;
    }

    Operand operand(const std::string& text, Type type, const Instruction& i) {
        Operand o;
        if (text == "_") {
            o.form = Operand::Form::Ignored;
            o.bytes = static_cast<uint8_t>(size_of(type));
            o.at = allocate(Type::U64);
            return o;
        }
        if (text[0] == '!') {
            o = operand(trimmed(text.substr(1)), type, i);
            o.negated = true;
            return o;
        }
        if (text[0] == '{') {
            o.form = Operand::Form::Vector;
            for (const std::string& part : split(text.substr(1, text.rfind('}') - 1), ',')) o.parts.push_back(operand(part, type, i));
            return o;
        }
        if (text[0] == '[') return address(trimmed(text.substr(1, text.rfind(']') - 1)), i);
        if (const size_t bar = text.find('|'); bar != std::string::npos) {
            o = operand(trimmed(text.substr(0, bar)), type, i);
            const Operand predicate = operand(trimmed(text.substr(bar + 1)), Type::Pred, i);
            o.has_predicate = predicate.form != Operand::Form::Ignored;
            o.predicate_at = predicate.at;
            return o;
        }
        if (const Register* r = find_register(text)) {
            o.at = r->at;
            o.bytes = static_cast<uint8_t>(size_of(r->type));
            return o;
        }
        if (text[0] == '%') return special_register(text.substr(1));
        if (std::isdigit(static_cast<unsigned char>(text[0])) != 0 || text[0] == '-') {
            const uint64_t value = parse_immediate(text, type);
            return type == Type::Pred ? constant(value != 0 ? kAllLanes : 0, 4)
                                      : constant(zero_extended(value, size_of(type)), size_of(type));
        }
        return variable_address(text, type, i);
    }

    Operand variable_address(const std::string& text, Type type, const Instruction& i) {
        const size_t plus = text.find('+');
        const Variable* v = find_variable(trimmed(text.substr(0, plus)));
        if (v == nullptr) fail("unknown operand " + text, i.text, i.line);
        const uint64_t offset = plus == std::string::npos ? 0 : std::strtoull(text.c_str() + plus + 1, nullptr, 0);
        return constant(v->address + offset, size_of(type) == 4 ? 4 : 8);
    }

    void decode_instruction(const Statement& s) {
        Instruction i;
        i.text = s.text;
        std::replace(i.text.begin(), i.text.end(), '\t', ' ');
        i.line = s.line;
        i.source_file = file_;
        i.source_line = line_;
        std::string rest = i.text;
        if (rest[0] == '@') {
            const size_t end = rest.find(' ');
            i.guarded = true;
            i.guard_negated = rest[1] == '!';
            const Register* guard = find_register(rest.substr(i.guard_negated ? 2 : 1, end - (i.guard_negated ? 2 : 1)));
            if (guard == nullptr) fail("unknown guard", i.text, i.line);
            i.guard_at = guard->at;
            rest = trimmed(rest.substr(end));
        }
        const size_t end = rest.find(' ');
        const Row* row = decode_mnemonic(rest.substr(0, end), i);
        if (row == nullptr) fail("unknown instruction", i.text, i.line);
        rest = end == std::string::npos ? "" : trimmed(rest.substr(end));
        if (i.flow == Flow::Branch)
            i.label = rest;
        else if (row->operands[0] != '\0')
            decode_operands(rest, *row, i);
        else if (i.kind == Kind::Control)
            decode_call(rest, i);
        kernel_->instructions.push_back(std::move(i));
    }

    /// `call.uni (retval0), vprintf, (param0, param1)`: only functions of the host side are known.
    void decode_call(const std::string& rest, Instruction& i) {
        if (i.text.find("call") == std::string::npos) return;
        for (const char* name : {"vprintf", "__assertfail"})
            if (rest.find(name) != std::string::npos) i.label = name;
        if (i.label.empty()) fail("call of a device function (make it inline)", i.text, i.line);
        for (const std::string& part : split(rest, ','))
            if (part[0] == '(' && part.find("param") != std::string::npos)
                for (const std::string& name : split(part.substr(1, part.size() - 2), ','))
                    if (const Variable* v = find_variable(name)) i.operands.push_back(constant(v->address, 8));
    }

    static Type operand_type(char letter, const Instruction& i) {
        switch (letter) {
            case 'w':
                return size_of(i.type) == 2 ? Type::U32 : Type::U64;
            case 'd':
                return i.destination;
            case 'u':
            case 'i':
            case 'x':
                return Type::U32;
            case 'l':
                return Type::U64;
            case 'p':
                return Type::Pred;
            default:
                return i.type == Type::None ? Type::U32 : i.type;
        }
    }

    void decode_operands(const std::string& rest, const Row& row, Instruction& i) {
        std::string letters = row.operands;
        // `red` is `atom` without the old value.
        if (row.kind == Kind::Atomic && i.text.find("red.") != std::string::npos && i.text.find("atom") == std::string::npos)
            letters.erase(0, 1);
        const size_t optional = std::min(letters.find('?'), letters.size());
        if (optional < letters.size()) letters.erase(optional, 1);
        const std::vector<std::string> texts = split(rest, ',');
        // bar.red may leave out the number of threads.
        if (texts.size() < optional || texts.size() > letters.size()) fail("unexpected number of operands", i.text, i.line);
        for (size_t k = 0; k < texts.size(); ++k) {
            Operand o = operand(texts[k], operand_type(letters[k], i), i);
            check_width(o, letters[k], i);
            i.operands.push_back(std::move(o));
        }
    }

    void check_width(const Operand& o, char letter, const Instruction& i) const {
        const bool fixed = std::strchr("twdulp", letter) != nullptr;
        if (!fixed || o.form == Operand::Form::Ignored) return;
        if (o.form != Operand::Form::Register) fail("unexpected form of an operand", i.text, i.line);
        if (o.bytes != size_of(operand_type(letter, i))) fail("operand of a width that the table does not expect", i.text, i.line);
    }

    const KernelText& text_;
    const Module& module_;
    std::unique_ptr<Kernel> kernel_ = std::make_unique<Kernel>();
    std::vector<std::map<std::string, Register>> scopes_;
    std::map<std::string, Variable> variables_;
    std::map<std::string, uint32_t> labels_;
    std::map<std::pair<uint64_t, int>, uint32_t> constants_;
    int file_ = 0, line_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> decode_kernel(const KernelText& text, const Module& module) {
    return KernelDecoder(text, module).decode();
}

}  // namespace vaccine::ptx
