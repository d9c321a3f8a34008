# Files named *_avx2.cpp and *_avx512.cpp are compiled for that instruction set and called only where the processor has it.
