#pragma once

/// What goes wrong from now on, one of the words in faulty_cudart.cpp; "" for nothing.
extern "C" void faulty_cudart_set(const char* fault);

/// What the program has asked of the runtime since the last faulty_cudart_set.
struct CudartCalls {
    long allocations, releases, waits, launches;
};
extern "C" CudartCalls faulty_cudart_calls();
