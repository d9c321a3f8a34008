# The CUDA engine: the same core, model, train and abi over ops/cuda. Needs CUDA 11.8 or later; nvcc 11.8 wants a host compiler up to g++ 11.
if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER AND NOT DEFINED ENV{CUDAHOSTCXX})
  find_program(VACCINE_HOST_11 g++-11)
  if(VACCINE_HOST_11)
    set(CMAKE_CUDA_HOST_COMPILER ${VACCINE_HOST_11})
  endif()
endif()
# SASS for RTX 3090 (86), RTX 4090 (89) and H100 (90); PTX for later cards, and PTX of the lowest level for ptxmachine.
set(VACCINE_CUDA_ARCHITECTURES "80-virtual;86-real;89-real;90" CACHE STRING "What the kernels are compiled for; 80-virtual alone builds fastest")
set(CMAKE_CUDA_ARCHITECTURES ${VACCINE_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
enable_language(CUDA)
find_package(CUDAToolkit 11.8 REQUIRED)
# shared: another libcudart (ptxmachine) can be put in its place; static: runs where only the driver is installed.
set(VACCINE_CUDART "static" CACHE STRING "How the CUDA runtime is linked: static or shared")
set_property(CACHE VACCINE_CUDART PROPERTY STRINGS static shared)

file(GLOB VACCINE_CUDA_SOURCES CONFIGURE_DEPENDS src/ops/cuda/*.cu src/ops/cuda/*.cpp)
add_library(vaccine_cuda OBJECT ${VACCINE_CUDA_SOURCES} src/core/device_cuda.cpp)
target_link_libraries(vaccine_cuda PUBLIC vaccine_core)
target_include_directories(vaccine_cuda PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
# -no-compress and -lineinfo: any build can be run, and its faults located, by ptxmachine. Spills are errors with the nvcc of
# bench/results/kernels.md; another one allots registers in its own way.
target_compile_options(vaccine_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-lineinfo;-no-compress;-Xcompiler=-Wall,-Wextra,-Wshadow,-Wno-unknown-pragmas;$<$<BOOL:${VACCINE_WARNINGS_AS_ERRORS}>:--Werror=all-warnings>$<$<VERSION_LESS:$<CUDA_COMPILER_VERSION>,12>:;-Xptxas=--warn-on-spills>>)
if(VACCINE_CUDART STREQUAL "shared")
  target_link_libraries(vaccine_cuda PUBLIC CUDA::cudart)
else()
  target_link_libraries(vaccine_cuda PUBLIC CUDA::cudart_static)
endif()

add_library(nativevaccine_cuda SHARED)
target_link_libraries(nativevaccine_cuda PRIVATE vaccine_cuda vaccine_core vaccine_engine)
set_target_properties(nativevaccine_cuda PROPERTIES LINKER_LANGUAGE CXX)
target_link_options(nativevaccine_cuda PRIVATE ${VACCINE_LINK_ALL})
