// The reading of listings, the calculator, the comparison and the rules, on texts and numbers that are known.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "../occupancy.h"
#include "../rules.h"
#include "../sass.h"
#include "../table.h"

using namespace vaccine::kernels;

namespace {

int passed = 0, failed = 0;

void check(bool good, const char* what) {
    ++(good ? passed : failed);
    if (!good) std::printf("FAILED %s\n", what);
}

// Two nested loops: the inner has 2 HMMA, 1 LDSM and 3 others. What comes after the last branch back is no loop.
const char* const kListing[] = {
    "        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;",
    ".L_x_0:",
    "        /*0010*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;",
    ".L_x_1:",
    "        /*0020*/                   LDSM.16.M88.4 R8, [R2] ;",
    "        /*0030*/                   HMMA.16816.F32.BF16 R4, R8, R12, R4 ;",
    "        /*0040*/                   HMMA.1688.F32.BF16 R4, R8, R12, R4 ;",
    "        /*0050*/                   ISETP.GE.AND P0, PT, R3, c[0x0][0x160], PT ;",
    "        /*0060*/              @!P0 LDL R5, [R1] ;",
    "        /*0070*/              @!P0 BRA `(.L_x_1) ;",
    "        /*0080*/               @P1 BRA `(.L_x_0) ;",
    "        /*0090*/                   EXIT ;",
    ".L_x_2:",
    "        /*00a0*/                   BRA `(.L_x_2);",
};

Code read(int architecture) {
    Listing listing;
    for (const char* line : kListing) listing.add_line(line);
    Code code;
    listing.read_into(code, architecture);
    return code;
}

void listings() {
    const Code code = read(86);
    check(code.hmma == 3, "HMMA of the whole kernel");
    check(code.local_accesses == 1, "accesses of local memory");
    check(code.main_loop.hmma == 2 && code.main_loop.ldsm == 1 && code.main_loop.others == 3, "the innermost loop");
    check(code.main_loop.tensor_cycles == 32 + 16, "cycles of sm_86");
    check(code.main_loop.mma_share() == 48.0 / 52, "share of sm_86");
    check(read(90).main_loop.tensor_cycles == 8 + 4, "cycles of sm_90");
}

// From the occupancy calculator of CUDA's own spreadsheet.
void occupancies() {
    check(occupancy(86, 256, 32, 0, 0).active_warps == 48, "sm_86: all of its 48 warps");
    check(occupancy(90, 256, 32, 0, 0).active_warps == 64, "sm_90: all of its 64 warps");
    check(occupancy(86, 128, 255, 0, 0).active_warps == 8, "registers: 256 * 128 are half of them");
    check(occupancy(86, 128, 64, 0, 48 * 1024).active_warps == 8, "shared memory: 49 KB of 100 twice");
    check(occupancy(86, 128, 64, 0, 50 * 1024).active_warps == 4, "shared memory: 51 KB of 100 once");
    check(occupancy(89, 128, 64, 0, 100 * 1024).active_warps == 0, "shared memory: more than a block may have");
    check(occupancy(90, 128, 64, 1024, 100 * 1024).active_warps == 8, "shared memory: 102 KB of 228 twice");
}

Kernel kernel(const std::string& mangled, int registers, int hmma, double tensor_cycles, int others) {
    Kernel k;
    k.mangled = k.name = mangled;
    k.threads = 128;
    k.dynamic_shared_bytes = 0;
    for (Code& code : k.code) {
        code.present = true;
        code.registers = registers;
        code.hmma = code.main_loop.hmma = hmma;
        code.main_loop.tensor_cycles = tensor_cycles;
        code.main_loop.others = others;
    }
    return k;
}

void tables() {
    const std::string file = "kernel_table_test.md";
    std::vector<Kernel> kernels{kernel("a<1, 2>", 40, 0, 0, 0), kernel("b", 50, 2, 64, 8)};
    kernels[1].code[2].registers = 60;
    std::ofstream(file) << "# Head\n\n" << resources(kernels).markdown() << "\ntext\n\n" << main_loops(kernels).markdown();
    const std::vector<Table> read = read_tables(file);
    std::remove(file.c_str());
    check(read.size() == 2 && read[0].rows.size() == 2 && read[1].rows.size() == 1, "tables read back");
    check(read[0].cell("b", "registers") == "50 / 50 / 60", "a cell of three numbers");
    check(read[1].cell("b", "mma % sm_86") == "88.9", "share in the table");
    check(differences(read[0], resources(kernels)).empty(), "no difference");
    kernels[0].code[0].registers = 39;
    kernels[1].name = "c";
    const std::vector<std::string> lines = differences(read[0], resources(kernels));
    check(lines.size() == 3, "three differences");
    check(lines.size() == 3 && lines[1] == "a<1, 2>: registers: 40 -> 39 / 40 / 40", "a difference that can be read");
}

void rules() {
    const std::string gemm = "_ZN7vaccine3ops11gemm_kernelINS0_8GemmTileILi128E";
    check(broken_rules({kernel(gemm, 64, 2, 64, 16)}).empty(), "80 % are enough");
    check(broken_rules({kernel(gemm, 64, 2, 64, 17)}).size() == kArchitectures, "less than 80 %");
    check(broken_rules({kernel(gemm, 64, 0, 0, 0)}).size() == kArchitectures, "a GEMM without HMMA");
    for (const char* rows : {"32E", "64E"})
        check(broken_rules({kernel((std::string("_ZN7vaccine3ops11gemm_kernelINS0_8GemmTileILi") + rows).c_str(), 64, 2, 64, 64)}).size() ==
                  2,
              "the smaller tiles, less sm_90");
    check(broken_rules({kernel("_GLOBAL__N__1_20_attention_forward_cu_2forward", 64, 0, 0, 0)}).size() == kArchitectures,
          "attention without HMMA");
    Kernel spills = kernel("each_pack", 64, 0, 0, 0);
    spills.code[1].stack_bytes = 8;
    check(broken_rules({spills}).size() == 1, "a spill");
    Kernel missing = kernel("each_pack", 64, 0, 0, 0);
    missing.code[0].present = false;
    check(broken_rules({missing}).size() == 1, "no code for an architecture");
}

}  // namespace

int main() {
    listings();
    occupancies();
    tables();
    rules();
    std::printf("kernel_table_test: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
