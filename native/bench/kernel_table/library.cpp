#include "library.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>

#include "names.h"
#include "sass.h"

namespace vaccine::kernels {

namespace {

constexpr int kSystemShared = 1024;
const std::string kTraceMark = "ptxmachine: ";

using Kernels = std::map<std::string, Kernel>;  // by mangled name

/// Hands over the lines that a command prints.
void for_each_line(const std::string& command, const std::function<void(const std::string&)>& use) {
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
    std::string line;
    for (int c = std::getc(pipe); c != EOF; c = std::getc(pipe)) {
        if (c != '\n') {
            line += static_cast<char>(c);
            continue;
        }
        use(line);
        line.clear();
    }
    if (pclose(pipe) != 0) throw std::runtime_error(command + " failed");
}

std::string cuobjdump(const std::string& what, const std::string& file) {
    return "cuobjdump " + what + " '" + file + "'";
}

/// The number after `label`; 0 without it.
int number_after(const std::string& line, const std::string& label) {
    const size_t at = line.find(label);
    return at == std::string::npos ? 0 : std::atoi(line.c_str() + at + label.size());
}

Kernel& kernel_of(Kernels& kernels, const std::string& mangled) {
    Kernel& kernel = kernels[mangled];
    kernel.mangled = mangled;
    return kernel;
}

//  Function NAME:
//   REG:37 STACK:0 SHARED:64 LOCAL:0 CONSTANT[0]:376 ...
void read_resources(Kernels& kernels, const std::string& file, size_t index) {
    std::string name;
    const std::string arch = "-arch sm_" + std::to_string(kArchitecture[index]);
    for_each_line(cuobjdump(arch + " -res-usage", file), [&](const std::string& line) {
        const size_t function = line.find(" Function ");
        if (function != std::string::npos) {
            name = line.substr(function + 10, line.rfind(':') - function - 10);
        } else if (!name.empty() && line.find("REG:") != std::string::npos) {
            Code& code = kernel_of(kernels, name).code[index];
            code.present = true;
            code.registers = number_after(line, "REG:");
            code.stack_bytes = number_after(line, "STACK:");
            code.local_bytes = number_after(line, "LOCAL:");
            code.static_shared_bytes = number_after(line, "SHARED:");
            // For sm_90 ptxas adds what the system keeps for itself in every block that has shared memory; the calculator adds it again.
            if (kArchitecture[index] >= 90 && code.static_shared_bytes >= kSystemShared) code.static_shared_bytes -= kSystemShared;
            name.clear();
        }
    });
}

/// `cuobjdump -sass` prints the same, six times slower.
void read_cubin(Kernels& kernels, const std::string& cubin, size_t index) {
    Kernel* kernel = nullptr;
    Listing listing;
    const auto finish = [&] {
        if (kernel != nullptr) listing.read_into(kernel->code[index], kArchitecture[index]);
        listing = Listing();
    };
    for_each_line("nvdisasm -c '" + cubin + "'", [&](const std::string& line) {
        if (line.compare(0, 6, ".text.") == 0) {
            finish();
            const auto found = kernels.find(line.substr(6, line.rfind(':') - 6));
            kernel = found == kernels.end() ? nullptr : &found->second;
        } else {
            listing.add_line(line);
        }
    });
    finish();
}

void read_sass(Kernels& kernels, const std::string& file) {
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "kernel_table.XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error(folder + " cannot be made");
    for_each_line("cd '" + folder + "' && " + cuobjdump("-xelf all", fs::absolute(file).string()), [](const std::string&) {});
    for (const auto& entry : fs::directory_iterator(folder))
        for (size_t index = 0; index < kArchitectures; ++index)
            if (entry.path().filename().string().find(".sm_" + std::to_string(kArchitecture[index]) + ".") != std::string::npos)
                read_cubin(kernels, entry.path().string(), index);
    fs::remove_all(folder);
}

/// Launch bounds, and whether the kernel names shared memory whose size the launch gives.
void read_ptx(Kernels& kernels, const std::string& file) {
    Kernel* kernel = nullptr;
    std::vector<std::string> dynamic;
    for_each_line(cuobjdump("-ptx", file), [&](const std::string& line) {
        const size_t entry = line.find(".entry ");
        if (line.compare(0, 8, ".version") == 0) {
            dynamic.clear();
        } else if (line.find(".extern .shared") != std::string::npos) {
            const size_t end = line.rfind('['), first = line.rfind(' ', end) + 1;
            dynamic.push_back(line.substr(first, end - first));
        } else if (entry != std::string::npos) {
            const std::string name = line.substr(entry + 7, line.find_first_of("( ", entry + 7) - entry - 7);
            const auto found = kernels.find(name);
            kernel = found == kernels.end() ? nullptr : &found->second;
        } else if (kernel != nullptr && (line.find(".maxntid") != std::string::npos || line.find(".reqntid") != std::string::npos)) {
            int x = 1, y = 1, z = 1;
            std::sscanf(line.c_str() + line.find("ntid") + 4, "%d, %d, %d", &x, &y, &z);
            kernel->threads = x * y * z;
            kernel->has_launch_bounds = true;
        } else if (kernel != nullptr) {
            for (const std::string& name : dynamic) kernel->uses_dynamic_shared |= line.find(name) != std::string::npos;
        }
    });
}

/// nvcc puts hashes of the folder into the names of unnamed namespaces: the order must not depend on them.
std::string without_hashes(const std::string& mangled) {
    std::string text = mangled;
    const std::string mark = "_GLOBAL__N__";
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + mark.size())) {
        const size_t hash = at + mark.size();
        const size_t end = text.find_first_not_of("0123456789abcdef", hash);
        if (end != std::string::npos) text.erase(hash, end - hash);
        const size_t second = text.find("_cu_", hash);
        if (second == std::string::npos) continue;
        text.erase(second + 4, std::min<size_t>(8, text.size() - second - 4));
    }
    return text;
}

}  // namespace

std::vector<Kernel> read_kernels(const std::vector<std::string>& files) {
    Kernels kernels;
    for (const std::string& file : files) {
        for (size_t index = 0; index < kArchitectures; ++index) read_resources(kernels, file, index);
        read_sass(kernels, file);
        read_ptx(kernels, file);
    }
    std::vector<Kernel> sorted;
    for (auto& [mangled, kernel] : kernels) {
        kernel.name = ptx::readable_name(mangled);
        if (!kernel.uses_dynamic_shared) kernel.dynamic_shared_bytes = 0;
        sorted.push_back(kernel);
    }
    std::sort(sorted.begin(), sorted.end(), [](const Kernel& a, const Kernel& b) {
        return std::make_pair(a.name, without_hashes(a.mangled)) < std::make_pair(b.name, without_hashes(b.mangled));
    });
    std::map<std::string, int> seen;
    for (Kernel& kernel : sorted) {
        const int number = ++seen[kernel.name];
        if (number > 1) kernel.name += " (" + std::to_string(number) + ")";
    }
    return sorted;
}

void add_launches(std::vector<Kernel>& kernels, const std::string& trace_file) {
    std::ifstream in(trace_file);
    if (!in) throw std::runtime_error(trace_file + " cannot be read");
    std::string line;
    while (std::getline(in, line)) {  // ptxmachine: NAME <<<blocks, threads, dynamic shared bytes>>>
        const size_t first = line.find(kTraceMark), end = line.find(" <<<");
        if (first == std::string::npos || end == std::string::npos) continue;
        int threads = 0, bytes = 0;
        if (std::sscanf(line.c_str() + end, " <<<%*d, %d, %d>>>", &threads, &bytes) != 2) continue;
        const std::string name = ptx::readable_name(line.substr(first + kTraceMark.size(), end - first - kTraceMark.size()));
        for (Kernel& kernel : kernels) {
            if (ptx::readable_name(kernel.mangled) != name) continue;
            if (!kernel.has_launch_bounds) kernel.threads = std::max(kernel.threads, threads);
            if (kernel.uses_dynamic_shared) kernel.dynamic_shared_bytes = std::max(kernel.dynamic_shared_bytes, bytes);
        }
    }
}

}  // namespace vaccine::kernels
