#include "fat_binary.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "types.h"

namespace vaccine::ptx {

namespace {

// Layouts as nvcc 11.8 and 13 write them.
struct Wrapper {
    uint32_t magic, version;
    const uint8_t* data;
    const void* file;
};
struct Header {
    uint32_t magic;
    uint16_t version, header_bytes;
    uint64_t bytes;
};
struct Entry {
    uint16_t kind, unknown;
    uint32_t header_bytes;
    uint64_t bytes;
};
constexpr uint32_t kWrapperMagic = 0x466243B1, kHeaderMagic = 0xBA55ED50;
constexpr uint16_t kPtx = 1;
constexpr int kArchitecture = 86;  // what the machine says it is

template <class T> T read(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

int architecture_of(const std::string& ptx) {
    const size_t target = ptx.find(".target sm_");
    return target == std::string::npos ? 0 : std::atoi(ptx.c_str() + target + 11);
}

}  // namespace

std::string ptx_of(const void* fat_binary) {
    const auto wrapper = read<Wrapper>(static_cast<const uint8_t*>(fat_binary));
    if (wrapper.magic != kWrapperMagic) throw Unsupported("the program registers no fat binary that we know");
    const auto header = read<Header>(wrapper.data);
    if (header.magic != kHeaderMagic) throw Unsupported("unknown header of a fat binary");
    std::string best;
    const uint8_t* at = wrapper.data + header.header_bytes;
    const uint8_t* end = at + header.bytes;
    while (at + sizeof(Entry) <= end) {
        const auto entry = read<Entry>(at);
        if (entry.kind == kPtx) {
            const char* text = reinterpret_cast<const char*>(at) + entry.header_bytes;
            const std::string ptx(text, strnlen(text, entry.bytes));
            if (ptx.find(".version") == std::string::npos)
                throw Unsupported("the PTX in the program is compressed: build it with nvcc -no-compress");
            const int architecture = architecture_of(ptx);
            if (architecture <= kArchitecture && architecture >= architecture_of(best)) best = ptx;
        }
        at += entry.header_bytes + entry.bytes;
    }
    return best;
}

}  // namespace vaccine::ptx
