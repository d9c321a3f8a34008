#include <cstddef>
#include <string>

#include "abi/fields.h"
#include "nativevaccine.h"

namespace {

std::string describe() {
    std::string text;
#define FIELD(s, f) text += #s "." #f " " + std::to_string(offsetof(s, f)) + "\n";
#define STRUCT(s) text += #s " " + std::to_string(sizeof(s)) + "\n";
    VACCINE_FIELDS(STRUCT, FIELD)
    return text;
}

}  // namespace

extern "C" const char* vaccine_abi_layout(void) noexcept {
    static const std::string text = describe();
    return text.c_str();
}
