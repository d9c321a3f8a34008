// Markdown tables: written, read back, compared.
#pragma once
#include <string>
#include <vector>

#include "kernel.h"

namespace vaccine::kernels {

/// The first cell names the row.
struct Table {
    std::vector<std::string> head;
    std::vector<std::vector<std::string>> rows;

    std::string markdown() const;
    const std::vector<std::string>* row(const std::string& name) const;
    /// The cell of a row in a column; empty if either is not there.
    std::string cell(const std::string& name, const std::string& column) const;
};

/// What each kernel takes.
Table resources(const std::vector<Kernel>& kernels);
/// Of the kernels with HMMA.
Table main_loops(const std::vector<Kernel>& kernels);

/// The tables of a Markdown file, in their order.
std::vector<Table> read_tables(const std::string& file);

/// A line for each cell, row and column that differs; empty if nothing does.
std::vector<std::string> differences(const Table& committed, const Table& current);

/// Fills in what the library does not say, from a table that was made with counters.
void add_launches(std::vector<Kernel>& kernels, const Table& committed);

}  // namespace vaccine::kernels
