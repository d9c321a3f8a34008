using System.Diagnostics.CodeAnalysis;

namespace NativeVaccine.Models;

/// <summary>What one element of a tensor on disk is. Weights are the first three; the others can be named and skipped.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "These are types; the field calls them so.")]
public enum ElementType
{
    /// <summary>IEEE binary32.</summary>
    Float32,

    /// <summary>IEEE binary16.</summary>
    Float16,

    /// <summary>The upper half of an IEEE binary32.</summary>
    BFloat16,

    /// <summary>IEEE binary64.</summary>
    Float64,

    /// <summary>8 bits: 5 exponent, 2 mantissa.</summary>
    Float8E5M2,

    /// <summary>8 bits: 4 exponent, 3 mantissa.</summary>
    Float8E4M3,

    /// <summary>8 bits: a power of two.</summary>
    Float8E8M0,

    /// <summary>4 bits: 2 exponent, 1 mantissa.</summary>
    Float4,

    /// <summary>6 bits: 2 exponent, 3 mantissa.</summary>
    Float6E2M3,

    /// <summary>6 bits: 3 exponent, 2 mantissa.</summary>
    Float6E3M2,

    /// <summary>Two binary32: real and imaginary part.</summary>
    Complex64,

    /// <summary>One byte, 0 or 1.</summary>
    Boolean,

    /// <summary>Signed, 8 bits.</summary>
    Int8,

    /// <summary>Signed, 16 bits.</summary>
    Int16,

    /// <summary>Signed, 32 bits.</summary>
    Int32,

    /// <summary>Signed, 64 bits.</summary>
    Int64,

    /// <summary>Unsigned, 8 bits.</summary>
    UInt8,

    /// <summary>Unsigned, 16 bits.</summary>
    UInt16,

    /// <summary>Unsigned, 32 bits.</summary>
    UInt32,

    /// <summary>Unsigned, 64 bits.</summary>
    UInt64,
}

/// <summary>Names and sizes of <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    // Source: the list of dtypes of the safetensors format.
    private static readonly (ElementType Type, string Name, int Bits)[] Table =
    [
        (ElementType.Float32, "F32", 32), (ElementType.Float16, "F16", 16), (ElementType.BFloat16, "BF16", 16),
        (ElementType.Float64, "F64", 64),
        (ElementType.Float8E5M2, "F8_E5M2", 8), (ElementType.Float8E4M3, "F8_E4M3", 8), (ElementType.Float8E8M0, "F8_E8M0", 8),
        (ElementType.Float4, "F4", 4), (ElementType.Float6E2M3, "F6_E2M3", 6), (ElementType.Float6E3M2, "F6_E3M2", 6),
        (ElementType.Complex64, "C64", 64), (ElementType.Boolean, "BOOL", 8),
        (ElementType.Int8, "I8", 8), (ElementType.Int16, "I16", 16), (ElementType.Int32, "I32", 32), (ElementType.Int64, "I64", 64),
        (ElementType.UInt8, "U8", 8), (ElementType.UInt16, "U16", 16), (ElementType.UInt32, "U32", 32), (ElementType.UInt64, "U64", 64),
    ];

    /// <summary>True for the types that the engine's weights may have on disk.</summary>
    public static bool IsWeight(this ElementType type) => type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16;

    /// <summary>Bits of one element.</summary>
    public static int BitSize(this ElementType type) => Table.First(row => row.Type == type).Bits;

    /// <summary>The name in a safetensors header: "F32", "BF16".</summary>
    public static string SafetensorsName(this ElementType type) => Table.First(row => row.Type == type).Name;

    /// <summary>Finds a type by its name in a safetensors header.</summary>
    public static bool TryParseSafetensors(string? name, out ElementType type)
    {
        foreach ((ElementType candidate, string text, _) in Table)
        {
            if (text != name) continue;
            type = candidate;
            return true;
        }
        type = default;
        return false;
    }

    /// <summary>The name in config.json: "float32", "float16", "bfloat16".</summary>
    public static string TorchName(this ElementType type) => type switch
    {
        ElementType.Float32 => "float32",
        ElementType.Float16 => "float16",
        ElementType.BFloat16 => "bfloat16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a type of weights"),
    };
}
