using TorchSharp;
using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>Sums and products that stay right while other threads collect garbage.</summary>
/// <remarks>
/// TorchSharp 0.107 turns a number into a finalizable Scalar, hands its native handle to the kernel and keeps no reference: a collection
/// during the call frees it, and the kernel reads what is no longer there. This holds for <c>tensor * 0.5</c>, <c>tensor.ge(0)</c> and
/// <c>tensor.ToDouble()</c>, and even for <c>tensor + tensor</c>, whose factor 1 is such a Scalar. Tests run in parallel, so the reference
/// uses these instead, where each Scalar is disposed after the call. Tensors are safe: their dispose scope refers to them.
/// </remarks>
internal static class Arithmetic
{
    private static readonly Scalar One = 1;

    /// <summary>left + right.</summary>
    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, One);

    /// <summary>Every element plus a number.</summary>
    public static Tensor Plus(this Tensor left, double right)
    {
        using Scalar term = right;
        return left.add(term, One);
    }

    /// <summary>Every element times a number.</summary>
    public static Tensor Times(this Tensor left, double right)
    {
        using Scalar factor = right;
        return left.mul(factor);
    }

    /// <summary>The elements where <paramref name="condition"/> holds, elsewhere a number.</summary>
    public static Tensor OrElse(this Tensor left, Tensor condition, double otherwise)
    {
        using Scalar value = otherwise;
        return left.masked_fill(condition.logical_not(), value);
    }

    /// <summary>The elements as doubles, row by row.</summary>
    public static double[] Copy(this Tensor tensor)
    {
        using DisposeScope scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }
}
