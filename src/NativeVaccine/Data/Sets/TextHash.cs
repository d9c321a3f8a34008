using System.IO.Hashing;
using System.Text;

namespace NativeVaccine.Data.Sets;

/// <summary>Stands for a text where texts are compared: 128 bits, so that millions of them fit into memory and none is taken for another.</summary>
internal static class TextHash
{
    /// <summary>The hash of a prompt.</summary>
    public static UInt128 Of(string prompt) => XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(prompt));

    /// <summary>The hash of a prompt and its answer; the same text cut elsewhere has another.</summary>
    public static UInt128 Of(string prompt, string? answer) => Of($"{prompt.Length}:{prompt}{answer}");
}
