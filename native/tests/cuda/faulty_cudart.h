#pragma once

/// What goes wrong from now on, one of the words in faulty_cudart.cpp; "" for nothing.
extern "C" void faulty_cudart_set(const char* fault);
