using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>A tensor whose elements do not lie one after the other.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">What an element is.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Offset">Of the first element, from the start of the file.</param>
/// <param name="ByteLength">Of all elements.</param>
/// <param name="Strides">For each dimension the distance in elements from one index to the next.</param>
/// <param name="SpanBytes">From the first element to the end of the last.</param>
internal sealed record StridedView(
    string Name, ElementType Type, ImmutableArray<long> Shape, long Offset, long ByteLength, ImmutableArray<long> Strides, int SpanBytes)
    : TensorInfo(Name, Type, Shape, Offset, ByteLength)
{
    /// <summary>Copies elements in row-major order.</summary>
    /// <param name="span">The bytes from <see cref="TensorInfo.Offset"/> on.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstByte">Of the tensor.</param>
    public void Gather(ReadOnlySpan<byte> span, Span<byte> destination, long firstByte)
    {
        int size = Type.BitSize() / 8;
        (long first, long skipped) = Math.DivRem(firstByte, size);
        long[] index = IndexOf(first);
        while (!destination.IsEmpty)
        {
            long element = 0;
            for (int i = 0; i < index.Length; i++) element += index[i] * Strides[i];
            ReadOnlySpan<byte> bytes = span.Slice((int)(element * size), size)[(int)skipped..];
            if (bytes.Length > destination.Length) bytes = bytes[..destination.Length];
            bytes.CopyTo(destination);
            destination = destination[bytes.Length..];
            skipped = 0;
            for (int i = index.Length - 1; i >= 0 && ++index[i] == Shape[i]; i--) index[i] = 0;
        }
    }

    private long[] IndexOf(long element)
    {
        long[] index = new long[Shape.Length];
        for (int i = Shape.Length - 1; i >= 0; i--) (element, index[i]) = Math.DivRem(element, Shape[i]);
        return index;
    }
}
