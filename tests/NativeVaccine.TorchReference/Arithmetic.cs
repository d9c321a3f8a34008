using TorchSharp;
using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>Sums and products that stay right while other threads collect garbage.</summary>
/// <remarks>
/// TorchSharp 0.107 turns a number into a finalizable Scalar, hands its native handle to the kernel and keeps no reference: a collection
/// during the call frees it, and the kernel reads what is no longer there. This holds for <c>tensor * 0.5</c>, <c>tensor.ge(0)</c> and
/// <c>tensor.ToDouble()</c>, and even for <c>tensor + tensor</c>, whose factor 1 is such a Scalar. Tests run in parallel, so the reference
/// uses these instead. Tensors themselves are safe: their dispose scope refers to them.
/// </remarks>
internal static class Arithmetic
{
    private static readonly Scalar One = 1;

    /// <summary>left + right.</summary>
    public static Tensor Plus(this Tensor left, Tensor right) => left.add(right, One);

    /// <summary>Every element plus a number.</summary>
    public static Tensor Plus(this Tensor left, double right) => left.Plus(Constant(right, left));

    /// <summary>Every element times a number.</summary>
    public static Tensor Times(this Tensor left, double right) => left * Constant(right, left);

    /// <summary>Where <paramref name="condition"/> holds the element, elsewhere a number.</summary>
    public static Tensor OrElse(this Tensor left, Tensor condition, double otherwise) => where(condition, left, Constant(otherwise, left));

    /// <summary>The elements as doubles, row by row.</summary>
    public static double[] Copy(this Tensor tensor)
    {
        using DisposeScope scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float64).contiguous().data<double>().ToArray();
    }

    private static Tensor Constant(double value, Tensor like) => tensor([value], []).to(like.dtype);
}
