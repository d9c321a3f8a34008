using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Finds NaN and infinity in weights, which would otherwise show up much later as a loss that is not a number.</summary>
public static class FiniteCheck
{
    private const uint ExponentMask = 0x7F80_0000;

    /// <summary>The index of the first NaN or infinity, or -1.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<float, uint>(values);
        var mask = new Vector<uint>(ExponentMask);
        int i = 0;
        for (; i + Vector<uint>.Count <= words.Length; i += Vector<uint>.Count)
        {
            if (Vector.EqualsAny(new Vector<uint>(words[i..]) & mask, mask)) break;
        }
        for (; i < words.Length; i++)
        {
            if ((words[i] & ExponentMask) == ExponentMask) return i;
        }
        return -1;
    }

    /// <summary>The same for bf16.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<ushort> values)
    {
        const ushort exponent = (ushort)(ExponentMask >> 16);
        var mask = new Vector<ushort>(exponent);
        int i = 0;
        for (; i + Vector<ushort>.Count <= values.Length; i += Vector<ushort>.Count)
        {
            if (Vector.EqualsAny(new Vector<ushort>(values[i..]) & mask, mask)) break;
        }
        for (; i < values.Length; i++)
        {
            if ((values[i] & exponent) == exponent) return i;
        }
        return -1;
    }

    /// <summary>Throws if a value is NaN or infinite.</summary>
    /// <param name="values">A part of the tensor.</param>
    /// <param name="file">Where the tensor is stored.</param>
    /// <param name="tensor">Its name.</param>
    /// <param name="firstElement">The index in the tensor of the first of <paramref name="values"/>.</param>
    /// <exception cref="InputException">NaN or infinity; the message names file, tensor and index.</exception>
    public static void Require(ReadOnlySpan<float> values, string file, string tensor, long firstElement = 0)
    {
        int index = IndexOfNonFinite(values);
        if (index >= 0) throw Refusal(float.IsNaN(values[index]), file, tensor, firstElement + index);
    }

    /// <summary>The same for bf16.</summary>
    /// <exception cref="InputException">NaN or infinity; the message names file, tensor and index.</exception>
    public static void Require(ReadOnlySpan<ushort> values, string file, string tensor, long firstElement = 0)
    {
        const ushort mantissa = 0x7F;
        int index = IndexOfNonFinite(values);
        if (index >= 0) throw Refusal((values[index] & mantissa) != 0, file, tensor, firstElement + index);
    }

    private static InputException Refusal(bool isNan, string file, string tensor, long element) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"{file}: tensor {InputText.Quote(tensor)}: {(isNan ? "NaN" : "infinity")} in weights, at element {element}; expected finite numbers"));
}
