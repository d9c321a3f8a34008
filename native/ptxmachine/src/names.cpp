#include "names.h"

#include <cxxabi.h>

#include <cctype>
#include <cstdlib>
#include <memory>

namespace vaccine::ptx {

namespace {

std::string demangled(const std::string& name) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
    return status == 0 && text ? text.get() : name;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

/// `void name<arguments>(parameters)` -> `name<arguments>`.
std::string without_signature(const std::string& text) {
    int depth = 0;
    size_t first = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '(' && depth == 0 && at > first) return text.substr(first, at - first);
        depth += (c == '<' || c == '(') - (c == '>' || c == ')');
        if (c == ' ' && depth == 0) first = at + 1;
    }
    return text.substr(first);
}

/// Drops every `name::`.
std::string without_scopes(const std::string& text) {
    std::string result;
    size_t word = 0;  // where the name now being read starts in `result`
    for (size_t at = 0; at < text.size(); ++at) {
        if (text.compare(at, 2, "::") == 0) {
            result.resize(word);
            ++at;
            continue;
        }
        result += text[at];
        if (std::isalnum(static_cast<unsigned char>(text[at])) == 0 && text[at] != '_') word = result.size();
    }
    return result;
}

}  // namespace

std::string readable_name(const std::string& mangled) {
    std::string text = demangled(mangled);
    replace_all(text, "(anonymous namespace)::", "");
    text = without_scopes(without_signature(text));
    replace_all(text, "> >", ">>");
    return text;
}

}  // namespace vaccine::ptx
