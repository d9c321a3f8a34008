using System.Collections.Immutable;
using System.Globalization;

namespace NativeVaccine.Models;

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">What an element is.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar.</param>
/// <param name="Offset">Of the first byte, from the start of the file.</param>
/// <param name="ByteLength">Of all elements.</param>
public record TensorInfo(string Name, ElementType Type, ImmutableArray<long> Shape, long Offset, long ByteLength)
{
    /// <summary>The product of <see cref="Shape"/>.</summary>
    public long ElementCount => ByteLength * 8 / Type.BitSize();

    /// <summary>True if the sizes are these.</summary>
    public bool HasShape(ImmutableArray<long> shape) => Shape.AsSpan().SequenceEqual(shape.AsSpan());

    /// <summary>A shape for a message: "(128, 344)".</summary>
    public static string Describe(ImmutableArray<long> shape) =>
        $"({string.Join(", ", shape.Select(static size => size.ToString(CultureInfo.InvariantCulture)))})";
}
