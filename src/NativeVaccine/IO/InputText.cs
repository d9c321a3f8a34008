using System.Text;

namespace NativeVaccine.IO;

/// <summary>Makes text from a file fit into the one line of a message.</summary>
internal static class InputText
{
    private const int LongestQuote = 100;
    private const int LongestMessage = 400;

    /// <summary>UTF-8 without a byte order mark.</summary>
    public static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> utf8) =>
        utf8.Span.StartsWith(Encoding.UTF8.Preamble) ? utf8[Encoding.UTF8.Preamble.Length..] : utf8;

    /// <summary>The text in quotes, shortened, without control characters.</summary>
    public static string Quote(string text) => $"'{Shorten(text)}'";

    /// <summary>The text shortened, without control characters.</summary>
    public static string Shorten(string text) => Clean(text, LongestQuote);

    /// <summary>A message of the runtime, without line breaks.</summary>
    public static string OneLine(string text) => Clean(text, LongestMessage);

    /// <summary>The first names of a list, and how many more there are.</summary>
    public static string Some(IReadOnlyList<string> names)
    {
        const int shown = 4;
        string first = string.Join(", ", names.Take(shown).Select(Shorten));
        return names.Count <= shown ? first : FormattableString.Invariant($"{first} and {names.Count - shown} more");
    }

    private static string Clean(string text, int longest)
    {
        var clean = new StringBuilder(Math.Min(text.Length, longest) + 3);
        foreach (char character in text.AsSpan(0, Math.Min(text.Length, longest)))
            clean.Append(char.IsControl(character) || char.IsSurrogate(character) || character is '\u2028' or '\u2029' ? '?' : character);
        if (text.Length > longest) clean.Append("...");
        return clean.ToString();
    }
}
