// What a test of the machine may ask it for. Programs that run on it know nothing of this.
#pragma once
#include <cstddef>

/// The names of the faults since the last call, one a line; forgets them and the error they left. Returns the length of the whole text.
extern "C" int ptxmachine_take_faults(char* text, size_t capacity);

/// Patterns of the instruction table that no launched kernel holds, one a line.
extern "C" int ptxmachine_unused_instructions(char* text, size_t capacity);

/// The counters so far, as PTXMACHINE_COUNTERS writes them at the end; empty without that setting.
extern "C" int ptxmachine_counters(char* text, size_t capacity);
