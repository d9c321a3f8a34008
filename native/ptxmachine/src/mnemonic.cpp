#include "mnemonic.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "parser.h"

namespace vaccine::ptx {

namespace {

const std::map<std::string, Compare> kComparisons = {
    {"eq", Compare::Eq},   {"ne", Compare::Ne},   {"lt", Compare::Lt},   {"le", Compare::Le},   {"gt", Compare::Gt},
    {"ge", Compare::Ge},   {"equ", Compare::Equ}, {"neu", Compare::Neu}, {"ltu", Compare::Ltu}, {"leu", Compare::Leu},
    {"gtu", Compare::Gtu}, {"geu", Compare::Geu}, {"num", Compare::Num}, {"nan", Compare::Nan}, {"lo", Compare::Lt},
    {"ls", Compare::Le},   {"hi", Compare::Gt},   {"hs", Compare::Ge},
};

const std::map<std::string, Space> kSpaces = {
    {"global", Space::Global}, {"shared", Space::Shared}, {"shared::cta", Space::Shared},
    {"local", Space::Local},   {"param", Space::Param},   {"const", Space::Const},
};

/// Words that change nothing here: caches, scopes, alignment promises.
const std::set<std::string> kHints = {"nc",
                                      "ca",
                                      "cg",
                                      "cs",
                                      "cv",
                                      "lu",
                                      "wb",
                                      "wt",
                                      "gpu",
                                      "cta",
                                      "sys",
                                      "cluster",
                                      "weak",
                                      "noftz",
                                      "L1::no_allocate",
                                      "L1::evict_last",
                                      "L1::evict_first",
                                      "L1::evict_normal",
                                      "L2::64B",
                                      "L2::128B",
                                      "L2::256B"};
/// Accesses that other blocks may race with.
const std::set<std::string> kStrong = {"volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"};

class MnemonicDecoder {
public:
    MnemonicDecoder(const std::string& mnemonic, Instruction& instruction) : words_(split(mnemonic, '.')), instruction_(instruction) {}

    const Row* decode() {
        base_ = words_[0];
        if (base_ == "barrier") base_ = "bar";
        if (base_ == "ldu") base_ = "ld";
        copies_ = base_ == "cp";
        for (const char* word : {"membar", "fence", "nanosleep", "prefetch", "prefetchu", "bra", "ret", "call"})
            if (base_ == word) return finish(base_);
        if (base_ == "mma" || base_ == "ldmatrix") return decode_tensor();
        std::string pattern = base_ == "red" ? "atom" : base_;
        for (size_t i = 1; i < words_.size(); ++i)
            if (!take_type(words_[i]) && !take_memory_word(words_[i]) && !take_flag(words_[i])) pattern += "." + words_[i];
        return finish(pattern + type_suffix());
    }

private:
    bool take_type(const std::string& word) {
        const Type type = type_named(word);
        if (type == Type::None) return false;
        if (types_ == 0) instruction_.destination = type;
        if (types_++ == 1) instruction_.factors = type;
        instruction_.type = type;
        return true;
    }

    bool accesses_memory() const {
        for (const char* word : {"ld", "st", "atom", "red", "cp", "cvta", "isspacep"})
            if (base_ == word) return true;
        return false;
    }

    bool take_memory_word(const std::string& word) {
        if (base_ == "bar") return word == "aligned" || word == "cta";
        if (!accesses_memory()) return false;
        if (const auto space = kSpaces.find(word); space != kSpaces.end()) {
            if (!copies_) instruction_.space = space->second;
            return true;
        }
        if (word == "v2" || word == "v4") {
            instruction_.vector = static_cast<uint8_t>(word[1] - '0');
            return true;
        }
        if (kStrong.count(word) != 0) return instruction_.strong = true;
        return kHints.count(word) != 0;
    }

    bool take_flag(const std::string& word) {
        Instruction& i = instruction_;
        if (base_ == "setp" || base_ == "set") {
            if (const auto how = kComparisons.find(word); how != kComparisons.end()) {
                i.compare = how->second;
                return true;
            }
            if (word == "and" || word == "or" || word == "xor") {
                i.combine = word == "and" ? Combine::And : word == "or" ? Combine::Or : Combine::Xor;
                return true;
            }
        }
        static const std::map<std::string, Rounding> roundings = {
            {"rn", Rounding::Nearest}, {"rz", Rounding::Zero}, {"rm", Rounding::Down}, {"rp", Rounding::Up}, {"rna", Rounding::Nearest}};
        const bool to_integer = word.size() == 3 && word[0] == 'r' && word[2] == 'i';
        if (const auto rounding = roundings.find(to_integer ? word.substr(0, 2) : word); rounding != roundings.end()) {
            i.rounding = rounding->second;
            i.to_integer = to_integer;
            return true;
        }
        if (word == "ftz") return i.flush = true;
        if (word == "sat" || word == "satfinite") return i.saturate = true;
        if (word == "relu") return i.relu = true;
        if (word == "NaN") return i.keep_nan = true;
        return word == "approx" || word == "full";
    }

    std::string type_suffix() const {
        const Instruction& i = instruction_;
        if (base_ == "cvt") return i.destination == Type::F16x2 || i.destination == Type::BF16x2 ? ".pair" : "";
        if (base_ == "mov") return i.type == Type::Pred ? ".pred" : "";
        if (base_ == "selp") return "." + std::to_string(8 * size_of(i.type));
        if (base_ == "ld" || base_ == "st") return i.space == Space::Param ? ".param" : "";
        for (const char* untyped : {"cvta", "isspacep", "set", "slct", "cp"})
            if (base_ == untyped) return "";
        return types_ == 0 ? "" : "." + words_.back();
    }

    const Row* decode_tensor() {
        Instruction& i = instruction_;
        std::string pattern = base_;
        bool sync = false, row = false, column = false;
        for (size_t k = 1; k < words_.size(); ++k) {
            const std::string& word = words_[k];
            sync = sync || word == "sync";
            row = row || word == "row";
            column = column || word == "col";
            if (word == "satfinite") i.saturate = true;
            if (word == "trans") i.transposed = true;
            if (word == "x2" || word == "x4") i.vector = static_cast<uint8_t>(word[1] - '0');
            take_type(word);
            if (base_ == "mma" && (std::isdigit(static_cast<unsigned char>(word[1])) != 0 || type_named(word) != Type::None))
                pattern += "." + word;
        }
        if (base_ == "mma" && !(row && column)) return nullptr;
        if (base_ == "ldmatrix" && i.type != Type::B16) return nullptr;
        i.space = Space::Shared;
        return sync ? finish(pattern) : nullptr;
    }

    const Row* finish(const std::string& pattern) {
        const Row* row = find_row(pattern);
        if (row == nullptr) return nullptr;
        Instruction& i = instruction_;
        const bool special =
            i.flush || i.relu || i.keep_nan || i.rounding != Rounding::Nearest || (i.saturate && row->kind != Kind::Tensor);
        if (special && row->careful == nullptr) return nullptr;
        i.execute = special ? row->careful : row->plain;
        i.flow = row->flow;
        i.kind = row->kind;
        i.mask_operand = row->mask_operand;
        if (std::strcmp(row->pattern, "ld") == 0 || std::strcmp(row->pattern, "st") == 0) {
            if (i.space == Space::Shared) i.kind = Kind::Shared;
            if (i.space == Space::Local) i.kind = Kind::Local;
        }
        return row;
    }

    std::vector<std::string> words_;
    Instruction& instruction_;
    std::string base_;
    int types_ = 0;
    bool copies_ = false;
};

}  // namespace

const Row* decode_mnemonic(const std::string& mnemonic, Instruction& instruction) {
    return MnemonicDecoder(mnemonic, instruction).decode();
}

}  // namespace vaccine::ptx
