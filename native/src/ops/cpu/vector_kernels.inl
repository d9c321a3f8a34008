// The kernels of vector_kernels.h for the Vec of the file that includes this. No standard library beyond C: a file compiled for one
// instruction set must leave no inline function behind that the linker could take for others.
#include <math.h>

#include "ops/cpu/vector_kernels.h"

namespace vaccine::ops {
namespace {

#include "ops/cpu/vector/elementwise.inl"  // the other two stand on it

#include "ops/cpu/vector/attention.inl"
#include "ops/cpu/vector/layers.inl"

constexpr VectorKernels make_kernels() {
    VectorKernels table{};
    table.scale = scale;
    table.convert[0][0] = convert<float, float>;
    table.convert[0][1] = convert<float, uint16_t>;
    table.convert[1][0] = convert<uint16_t, float>;
    table.convert[1][1] = convert<uint16_t, uint16_t>;
    table.axpy[0][0] = axpy<float, float>;
    table.axpy[0][1] = axpy<float, uint16_t>;
    table.axpy[1][0] = axpy<uint16_t, float>;
    table.axpy[1][1] = axpy<uint16_t, uint16_t>;
    table.multiply_add = multiply_add;
    table.dot = dot;
    table.sum_of_squares[0] = sum_of_squares<float>;
    table.sum_of_squares[1] = sum_of_squares<uint16_t>;
    table.sum = sum;
    table.largest = largest;
    table.rmsnorm_row = rmsnorm_row;
    table.rmsnorm_backward_row = rmsnorm_backward_row;
    table.rmsnorm_backward_weight = rmsnorm_backward_weight;
    table.rotate = rotate;
    table.glu[0] = glu<Silu>;
    table.glu[1] = glu<GeluTanh>;
    table.glu_backward[0] = glu_backward<Silu>;
    table.glu_backward[1] = glu_backward<GeluTanh>;
    table.soft_cap = soft_cap;
    table.sum_of_exp = sum_of_exp;
    table.scaled_exp = scaled_exp;
    table.sum_of_exp_times = sum_of_exp_times;
    table.softmax_gradient = softmax_gradient;
    table.adamw = adamw;
    table.product = product;
    table.transpose = transpose;
    table.dots = dots;
    table.exp_in_place = exp_in_place;
    table.attention_backward_row = attention_backward_row;
    table.capped_attention_backward_row = capped_attention_backward_row;
    return table;
}

}  // namespace
}  // namespace vaccine::ops
