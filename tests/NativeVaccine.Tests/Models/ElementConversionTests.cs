using System.Runtime.InteropServices;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public class ElementConversionTests
{
    [Fact]
    public void Every_float16_widens_as_the_runtime_does()
    {
        ushort[] halves = AllWords();
        float[] actual = new float[halves.Length];
        ElementConversion.ToFloat32(ElementType.Float16, MemoryMarshal.AsBytes(halves.AsSpan()), actual);
        for (int i = 0; i < halves.Length; i++) AssertSame((float)BitConverter.UInt16BitsToHalf(halves[i]), actual[i]);
    }

    [Fact]
    public void Every_bfloat16_widens_to_the_float_with_its_bits_on_top()
    {
        ushort[] words = AllWords();
        float[] actual = new float[words.Length];
        ElementConversion.ToFloat32(ElementType.BFloat16, MemoryMarshal.AsBytes(words.AsSpan()), actual);
        for (int i = 0; i < words.Length; i++) Assert.Equal((uint)words[i] << 16, BitConverter.SingleToUInt32Bits(actual[i]));
    }

    [Fact]
    public void Float16_rounds_to_nearest_even_as_the_runtime_does()
    {
        float[] values = [.. HardCases(10, static bits => (float)BitConverter.UInt16BitsToHalf(bits))];
        ushort[] actual = new ushort[values.Length];
        ElementConversion.FromFloat32(ElementType.Float16, values, MemoryMarshal.AsBytes(actual.AsSpan()));
        for (int i = 0; i < values.Length; i++)
        {
            var expected = (Half)values[i];
            var half = BitConverter.UInt16BitsToHalf(actual[i]);
            Assert.True(
                Half.IsNaN(expected) ? Half.IsNaN(half) : BitConverter.HalfToUInt16Bits(expected) == actual[i],
                $"{values[i]:R}: {actual[i]:X4}, expected {expected}");
        }
    }

    [Fact]
    public void Bfloat16_rounds_to_nearest_even()
    {
        float[] values = [.. HardCases(7, static bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];
        ushort[] actual = new ushort[values.Length];
        ElementConversion.FromFloat32(ElementType.BFloat16, values, MemoryMarshal.AsBytes(actual.AsSpan()));
        for (int i = 0; i < values.Length; i++)
        {
            float back = BitConverter.UInt32BitsToSingle((uint)actual[i] << 16);
            if (float.IsNaN(values[i])) Assert.True(float.IsNaN(back));
            else Assert.Equal(NearestBfloat16(values[i]), actual[i]);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(33)]
    public void Any_length_comes_back_exact(int length)
    {
        float[] values = [.. Enumerable.Range(0, length).Select(static i => (i - 7) * 0.25f)];
        foreach (ElementType type in new[] { ElementType.Float32, ElementType.Float16, ElementType.BFloat16 })
        {
            byte[] stored = new byte[length * type.BitSize() / 8];
            float[] back = new float[length];
            ElementConversion.FromFloat32(type, values, stored);
            ElementConversion.ToFloat32(type, stored, back);
            Assert.Equal(values, back);
        }
    }

    private static ushort[] AllWords() => [.. Enumerable.Range(0, 1 << 16).Select(static i => (ushort)i)];

    /// <summary>Every narrow value, the point half-way to the next one, and the floats on both sides of that.</summary>
    private static IEnumerable<float> HardCases(int mantissaBits, Func<ushort, float> widen)
    {
        foreach (ushort word in AllWords())
        {
            float value = widen(word);
            yield return value;
            if (!float.IsFinite(value)) continue;
            uint half = BitConverter.SingleToUInt32Bits(value) + (1u << (22 - mantissaBits));
            for (uint bits = half - 1; bits <= half + 1; bits++) yield return BitConverter.UInt32BitsToSingle(bits);
        }
        float[] more = [float.Epsilon, 1e-40f, 2.9802322e-08f, 2.9802326e-08f, 5.9604645e-08f, 65519.996f, 65520f, 65536f, 3e38f];
        foreach (float value in more)
        {
            yield return value;
            yield return -value;
        }
    }

    /// <summary>By comparing distances in double, with no bit tricks beyond taking the neighbours.</summary>
    private static ushort NearestBfloat16(float value)
    {
        ushort lower = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        ushort upper = (ushort)(lower + 1);
        double below = BitConverter.UInt32BitsToSingle((uint)lower << 16);
        float above = BitConverter.UInt32BitsToSingle((uint)upper << 16);
        if (float.IsInfinity(value)) return lower;

        // Beyond the largest number the next step would be 2^128, which stands for infinity.
        double upperValue = float.IsInfinity(above) ? Math.CopySign(Math.Pow(2, 128), above) : above;
        double toLower = Math.Abs(value - below);
        double toUpper = Math.Abs(upperValue - value);
        if (toLower == toUpper) return (lower & 1) == 0 ? lower : upper;
        return toLower < toUpper ? lower : upper;
    }

    private static void AssertSame(float expected, float actual)
    {
        if (float.IsNaN(expected)) Assert.True(float.IsNaN(actual));
        else Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(actual));
    }
}
