# Files named *_avx2.cpp and *_avx512.cpp are compiled for that instruction set and called only where the processor has it.
# On other processors than x86-64 they compile to nothing.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  file(GLOB VACCINE_AVX2 CONFIGURE_DEPENDS src/ops/cpu/*_avx2.cpp)
  file(GLOB VACCINE_AVX512 CONFIGURE_DEPENDS src/ops/cpu/*_avx512.cpp)
  # GCC 12's own AVX-512 header warns of its "undefined" arguments (GCC bug 105593).
  set(VACCINE_QUIET_AVX512 "$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
  if(MSVC)
    set_source_files_properties(${VACCINE_AVX2} PROPERTIES COMPILE_OPTIONS /arch:AVX2)
    set_source_files_properties(${VACCINE_AVX512} PROPERTIES COMPILE_OPTIONS /arch:AVX512)
  else()
    set_source_files_properties(${VACCINE_AVX2} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
    set_source_files_properties(${VACCINE_AVX512} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;${VACCINE_QUIET_AVX512}")
  endif()
endif()
