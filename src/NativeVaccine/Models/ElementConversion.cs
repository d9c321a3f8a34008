using System.Numerics;
using System.Runtime.InteropServices;

namespace NativeVaccine.Models;

/// <summary>
/// float to and from binary16 and bfloat16, by integer arithmetic on whole vectors: .NET has no vector conversion of these.
/// To the narrow types it rounds to nearest, ties to even; a NaN stays a NaN. Little-endian machines only, as safetensors is.
/// </summary>
internal static class ElementConversion
{
    private interface ILaneOperation
    {
        /// <summary>Converts the bits of one element per 32-bit lane; a 16-bit element lies in the lower half of its lane.</summary>
        static abstract Vector<uint> Apply(Vector<uint> lanes);
    }

    /// <summary>Widens elements stored as <paramref name="type"/> (F32, F16, BF16) into floats.</summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="source">As many elements as <paramref name="destination"/>.</param>
    /// <param name="destination">Overwritten.</param>
    public static void ToFloat32(ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        Span<uint> words = MemoryMarshal.Cast<float, uint>(destination);
        switch (type)
        {
            case ElementType.Float32: source.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case ElementType.Float16: Widen<Float16ToFloat32>(MemoryMarshal.Cast<byte, ushort>(source), words); break;
            case ElementType.BFloat16: Widen<BFloat16ToFloat32>(MemoryMarshal.Cast<byte, ushort>(source), words); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a type of weights");
        }
    }

    /// <summary>Rounds floats to <paramref name="type"/> (F32, F16, BF16).</summary>
    /// <param name="type">What <paramref name="destination"/> shall hold.</param>
    /// <param name="source">As many elements as <paramref name="destination"/>.</param>
    /// <param name="destination">Overwritten.</param>
    public static void FromFloat32(ElementType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<float, uint>(source);
        switch (type)
        {
            case ElementType.Float32: MemoryMarshal.AsBytes(source).CopyTo(destination); break;
            case ElementType.Float16: Narrow<Float32ToFloat16>(words, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            case ElementType.BFloat16: Narrow<Float32ToBFloat16>(words, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "expected a type of weights");
        }
    }

    /// <summary>The nearest values that bf16 has.</summary>
    public static Vector<float> RoundToBFloat16(Vector<float> values) => Round<Float32ToBFloat16, BFloat16ToFloat32>(values);

    /// <summary>The nearest values that fp16 has.</summary>
    public static Vector<float> RoundToFloat16(Vector<float> values) => Round<Float32ToFloat16, Float16ToFloat32>(values);

    private static Vector<float> Round<TNarrow, TWiden>(Vector<float> values)
        where TNarrow : ILaneOperation
        where TWiden : ILaneOperation =>
        Vector.AsVectorSingle(TWiden.Apply(TNarrow.Apply(Vector.AsVectorUInt32(values))));

    private static void Widen<TOperation>(ReadOnlySpan<ushort> source, Span<uint> destination)
        where TOperation : ILaneOperation
    {
        int lanes = Vector<uint>.Count;
        int i = 0;
        for (; i + (2 * lanes) <= destination.Length; i += 2 * lanes)
        {
            Vector.Widen(new Vector<ushort>(source.Slice(i, 2 * lanes)), out Vector<uint> lower, out Vector<uint> upper);
            TOperation.Apply(lower).CopyTo(destination.Slice(i, lanes));
            TOperation.Apply(upper).CopyTo(destination.Slice(i + lanes, lanes));
        }
        Span<uint> lane = stackalloc uint[lanes];
        for (; i < destination.Length; i++)
        {
            lane[0] = source[i];
            destination[i] = TOperation.Apply(new Vector<uint>(lane))[0];
        }
    }

    private static void Narrow<TOperation>(ReadOnlySpan<uint> source, Span<ushort> destination)
        where TOperation : ILaneOperation
    {
        int lanes = Vector<uint>.Count;
        int i = 0;
        for (; i + (2 * lanes) <= source.Length; i += 2 * lanes)
        {
            Vector<uint> lower = TOperation.Apply(new Vector<uint>(source.Slice(i, lanes)));
            Vector<uint> upper = TOperation.Apply(new Vector<uint>(source.Slice(i + lanes, lanes)));
            Vector.Narrow(lower, upper).CopyTo(destination.Slice(i, 2 * lanes));
        }
        Span<uint> lane = stackalloc uint[lanes];
        for (; i < source.Length; i++)
        {
            lane[0] = source[i];
            destination[i] = (ushort)TOperation.Apply(new Vector<uint>(lane))[0];
        }
    }

    private readonly struct BFloat16ToFloat32 : ILaneOperation
    {
        public static Vector<uint> Apply(Vector<uint> lanes) => Vector.ShiftLeft(lanes, 16);
    }

    private readonly struct Float16ToFloat32 : ILaneOperation
    {
        private const float TwoTo112 = 5.192296858534828e33f;

        public static Vector<uint> Apply(Vector<uint> lanes)
        {
            Vector<uint> sign = Vector.ShiftLeft(lanes & new Vector<uint>(0x8000), 16);
            Vector<uint> magnitude = lanes & new Vector<uint>(0x7FFF);
            // With its exponent field moved unchanged the number is too small by 2^(127-15); the product is exact, subnormals included.
            var rebiased = Vector.AsVectorSingle(Vector.ShiftLeft(magnitude, 13)) * new Vector<float>(TwoTo112);
            Vector<uint> isSpecial = Vector.GreaterThan(magnitude, new Vector<uint>(0x7BFF));
            return sign | Vector.AsVectorUInt32(rebiased) | (isSpecial & new Vector<uint>(0x7F80_0000));
        }
    }

    private readonly struct Float32ToBFloat16 : ILaneOperation
    {
        public static Vector<uint> Apply(Vector<uint> lanes)
        {
            Vector<uint> upper = Vector.ShiftRightLogical(lanes, 16);
            Vector<uint> rounded = Vector.ShiftRightLogical(lanes + new Vector<uint>(0x7FFF) + (upper & Vector<uint>.One), 16);
            Vector<uint> isNan = Vector.GreaterThan(lanes & new Vector<uint>(0x7FFF_FFFF), new Vector<uint>(0x7F80_0000));
            // The quiet bit keeps a NaN whose payload lies in the lost half from becoming infinity.
            return Vector.ConditionalSelect(isNan, upper | new Vector<uint>(0x40), rounded);
        }
    }

    private readonly struct Float32ToFloat16 : ILaneOperation
    {
        private const uint SmallestNormal = 0x3880_0000;   // 2^-14
        private const uint Overflow = 0x4780_0000;         // 2^16; what rounds up to it becomes infinity by itself
        private const uint OneHalf = 0x3F00_0000;          // 0.5f: its last bit weighs 2^-24, as a binary16 subnormal's does

        public static Vector<uint> Apply(Vector<uint> lanes)
        {
            Vector<uint> sign = lanes & new Vector<uint>(0x8000_0000);
            Vector<uint> magnitude = lanes ^ sign;
            Vector<uint> isOdd = Vector.ShiftRightLogical(magnitude, 13) & Vector<uint>.One;
            // Subtracting 112 from the exponent field is adding its two's complement.
            Vector<uint> normal = Vector.ShiftRightLogical(magnitude + new Vector<uint>(unchecked((uint)(-112 << 23)) + 0xFFF) + isOdd, 13);
            Vector<float> shifted = Vector.AsVectorSingle(magnitude) + Vector.AsVectorSingle(new Vector<uint>(OneHalf));
            Vector<uint> subnormal = Vector.AsVectorUInt32(shifted) - new Vector<uint>(OneHalf);
            Vector<uint> isNan = Vector.GreaterThan(magnitude, new Vector<uint>(0x7F80_0000));
            Vector<uint> special = new Vector<uint>(0x7C00) | (isNan & new Vector<uint>(0x0200));
            Vector<uint> result = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<uint>(SmallestNormal)), subnormal, normal);
            result = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(Overflow)), special, result);
            return result | Vector.ShiftRightLogical(sign, 16);
        }
    }
}
