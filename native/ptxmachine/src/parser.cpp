#include "parser.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "decoder.h"

namespace vaccine::ptx {

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::string current;
    int depth = 0;
    const auto flush = [&] {
        if (std::string part = trimmed(current); !part.empty()) parts.push_back(std::move(part));
        current.clear();
    };
    for (const char c : text) {
        depth += (c == '[' || c == '{' || c == '(') - (c == ']' || c == '}' || c == ')');
        if (c == separator && depth == 0)
            flush();
        else
            current += c;
    }
    flush();
    return parts;
}

namespace {

/// Whether a directive stands here that ends with its line, not with a semicolon.
bool starts_line_directive(const std::string& text, size_t at) {
    for (const std::string word : {".loc", ".file", ".version", ".target", ".address_size"}) {
        const size_t end = at + word.size();
        if (text.compare(at, word.size(), word) == 0 && (end >= text.size() || std::isspace(static_cast<unsigned char>(text[end])) != 0))
            return true;
    }
    return false;
}

}  // namespace

bool StatementReader::skip_comment() {
    const bool line_comment = text_.compare(position_, 2, "//") == 0;
    if (!line_comment && text_.compare(position_, 2, "/*") != 0) return false;
    const size_t end = line_comment ? text_.find('\n', position_) : text_.find("*/", position_);
    const size_t stop = end == std::string::npos ? text_.size() : line_comment ? end : end + 2;
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<long>(position_), text_.begin() + static_cast<long>(stop), '\n'));
    position_ = stop;
    return true;
}

void StatementReader::skip_blank() {
    while (position_ < text_.size()) {
        if (std::isspace(static_cast<unsigned char>(text_[position_])))
            line_ += text_[position_++] == '\n';
        else if (!skip_comment())
            return;
    }
}

Statement StatementReader::next() {
    skip_blank();
    Statement statement;
    statement.line = line_;
    if (starts_line_directive(text_, position_)) {
        const size_t end = std::min(text_.find('\n', position_), text_.size());
        statement.form = Statement::Form::Directive;
        statement.text = trimmed(text_.substr(position_, end - position_));
        position_ = end;
        return statement;
    }
    int depth = 0;
    while (position_ < text_.size()) {
        if (skip_comment()) continue;
        const char c = text_[position_];
        const bool blank = trimmed(statement.text).empty();
        const auto finish = [&](Statement::Form form) {
            ++position_;
            statement.form = form;
            statement.text = trimmed(statement.text);
            return statement;
        };
        if (c == ';' && depth == 0) return finish(Statement::Form::Plain);
        if (c == '{' && blank) return finish(Statement::Form::Open);
        if (c == '}' && blank) return finish(Statement::Form::Close);
        const bool alone = (position_ == 0 || text_[position_ - 1] != ':') && text_.compare(position_, 2, "::") != 0;
        if (c == ':' && depth == 0 && alone) return finish(Statement::Form::Label);
        depth += (c == '{' || c == '(') - (c == '}' || c == ')');
        line_ += c == '\n';
        statement.text += c;
        ++position_;
    }
    return statement;
}

namespace {

void append_initializer(std::vector<uint8_t>& data, Type type, const std::string& list) {
    for (const std::string& item : split(list, ',')) {
        uint64_t bits;
        if (item.size() > 2 && item[0] == '0' && (item[1] == 'f' || item[1] == 'F'))
            bits = std::strtoul(item.c_str() + 2, nullptr, 16);
        else if (item.size() > 2 && item[0] == '0' && (item[1] == 'd' || item[1] == 'D'))
            bits = std::strtoull(item.c_str() + 2, nullptr, 16);
        else if (item[0] == '-')
            bits = static_cast<uint64_t>(std::strtoll(item.c_str(), nullptr, 0));
        else
            bits = std::strtoull(item.c_str(), nullptr, 0);
        const auto* bytes = reinterpret_cast<const uint8_t*>(&bits);
        data.insert(data.end(), bytes, bytes + size_of(type));
    }
}

/// Elements of `name[4][8]`; cuts the brackets off the name.
uint64_t take_extents(std::string& name) {
    uint64_t count = 1;
    const size_t bracket = name.find('[');
    if (bracket == std::string::npos) return 1;
    for (size_t at = bracket; at != std::string::npos; at = name.find('[', at + 1))
        count *= std::strtoull(name.c_str() + at + 1, nullptr, 0);
    name = trimmed(name.substr(0, bracket));
    return count;
}

Space space_named(const std::string& word) {
    if (word == ".shared") return Space::Shared;
    if (word == ".global") return Space::Global;
    if (word == ".const") return Space::Const;
    if (word == ".local") return Space::Local;
    if (word == ".param") return Space::Param;
    return Space::Generic;
}

}  // namespace

bool parse_declaration(const std::string& text, Declaration& declaration) {
    declaration = Declaration();
    const size_t equals = text.find('=');
    std::istringstream words(text.substr(0, equals));
    std::string word;
    while (words >> word && word[0] == '.') {
        if (space_named(word) != Space::Generic)
            declaration.space = space_named(word);
        else if (word == ".extern")
            declaration.external = true;
        else if (word == ".align")
            words >> declaration.alignment;
        else if (type_named(word.substr(1)) != Type::None)
            declaration.type = type_named(word.substr(1));
    }
    if (declaration.space == Space::Generic || declaration.type == Type::None) return false;
    std::string rest;
    std::getline(words, rest, '\0');
    declaration.name = trimmed(word + rest);
    declaration.bytes = take_extents(declaration.name) * static_cast<uint64_t>(size_of(declaration.type));
    declaration.alignment = std::max(declaration.alignment, size_of(declaration.type));
    if (equals != std::string::npos) {
        std::string list = trimmed(text.substr(equals + 1));
        if (list.find("generic(") != std::string::npos) throw Unsupported("address initializer of a variable: " + text.substr(0, 200));
        if (list[0] == '{') list = list.substr(1, list.rfind('}') - 1);
        append_initializer(declaration.data, declaration.type, list);
    }
    return true;
}

namespace {

/// The text between the current position and the brace that closes the block just opened.
std::string take_block(const std::string& text, size_t from) {
    int depth = 1;
    size_t at = from;
    for (; at < text.size() && depth > 0; ++at) depth += (text[at] == '{') - (text[at] == '}');
    return text.substr(from, at - from - 1);
}

class ModuleParser {
public:
    ModuleParser(const std::string& text, const VariableAllocator& allocate) : text_(text), allocate_(allocate) {}

    std::unique_ptr<Module> parse() {
        size_t at = 0;
        int line = 1;
        std::string head;
        int head_line = 1;
        while (at < text_.size()) {
            const char c = text_[at];
            if (text_.compare(at, 2, "//") == 0 || starts_line_directive(text_, at)) {
                const size_t end = std::min(text_.find('\n', at), text_.size());
                take_line(text_.substr(at, end - at));
                at = end;
                continue;
            }
            line += c == '\n';
            ++at;
            if (c == ';') {
                declare(trimmed(head));
                head.clear();
            } else if (c == '{' && head.find('=') == std::string::npos) {
                const std::string body = take_block(text_, at);
                add_kernel(head, head_line, body, line);
                line += static_cast<int>(std::count(body.begin(), body.end(), '\n'));
                at += body.size() + 1;
                head.clear();
            } else {
                if (trimmed(head).empty()) head_line = line;
                head += c;
            }
        }
        return std::move(module_);
    }

private:
    void take_line(const std::string& line) {
        if (line.compare(0, 5, ".file") != 0) return;
        const size_t quote = line.find('"');
        if (quote != std::string::npos)
            module_->files[std::atoi(line.c_str() + 5)] = line.substr(quote + 1, line.find('"', quote + 1) - quote - 1);
    }

    void declare(const std::string& text) {
        Declaration declaration;
        if (!parse_declaration(text, declaration)) return;
        Variable variable{declaration.space, 0, declaration.bytes, declaration.alignment};
        // Shared variables of a module get their offset in each kernel that uses them.
        if (declaration.space != Space::Shared && !declaration.external)
            variable.address = allocate_(declaration.name, declaration.bytes, declaration.data, declaration.space == Space::Global);
        module_->variables[declaration.name] = variable;
    }

    void add_kernel(const std::string& head, int head_line, const std::string& body, int body_line) {
        const size_t entry = head.find(".entry");
        if (entry == std::string::npos) return;  // a device function: a call of it is refused by name
        const size_t open = head.find('(', entry);
        KernelText text;
        text.name = trimmed(head.substr(entry + 6, open - entry - 6));
        text.name = text.name.substr(0, text.name.find_first_of(" \t\r\n"));
        if (open != std::string::npos) text.parameters = head.substr(open + 1, head.find(')', open) - open - 1);
        text.parameters_line = head_line;
        text.body = body;
        text.body_line = body_line;
        module_->texts[text.name] = std::move(text);
    }

    const std::string& text_;
    const VariableAllocator& allocate_;
    std::unique_ptr<Module> module_ = std::make_unique<Module>();
};

}  // namespace

std::unique_ptr<Module> parse_module(const std::string& text, const VariableAllocator& allocate) {
    return ModuleParser(text, allocate).parse();
}

Kernel& Module::kernel(const std::string& name) {
    if (const auto known = kernels.find(name); known != kernels.end()) return *known->second;
    const auto text = texts.find(name);
    if (text == texts.end()) throw Unsupported("kernel " + name + " is not in the PTX of the program");
    return *(kernels[name] = decode_kernel(text->second, *this));
}

}  // namespace vaccine::ptx
