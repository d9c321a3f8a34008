#pragma once
#include <map>
#include <string>

#include "cases.h"
#include "counters.h"

namespace vaccine::bench {

struct Counted {
    Case what;  // its runs are gone
    KernelCounters counters;
};

/// Prints, as Markdown, what a T-Vaccine step of 2,000 tokens on Llama-2-7B is predicted to take on each card, item by item.
/// counted: by the name of a case.
void print_step(const std::map<std::string, Counted>& counted);

}  // namespace vaccine::bench
