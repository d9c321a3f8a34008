using System.Globalization;
using System.Text;

namespace NativeVaccine.IO;

/// <summary>Makes text from a file, a path or the system fit into the one line of a message.</summary>
public static class InputText
{
    private const int LongestQuote = 100;
    private const int LongestMessage = 400;
    private const int LongestLine = 2000;
    private const int ZeroWidthJoiner = 0x200D;  // between the parts of one emoji

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

    /// <summary>A whole line for a person, whatever is quoted in it.</summary>
    public static string Line(string text) => Clean(text, LongestLine);

    /// <summary>UTF-8 without a byte order mark.</summary>
    internal static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> utf8) =>
        utf8.Span.StartsWith(Encoding.UTF8.Preamble) ? utf8[Encoding.UTF8.Preamble.Length..] : utf8;

    private static string Clean(string text, int longest)
    {
        var clean = new StringBuilder(Math.Min(text.Length, longest) + 3);
        bool wasBreak = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (clean.Length >= longest) return clean.Append("...").ToString();
            bool isBreak = rune.Value is '\r' or '\n' or '\t' or 0x0B or 0x0C or 0x85 or 0x2028 or 0x2029;
            if (!isBreak) clean.Append(IsShown(rune) ? rune.ToString() : "?");
            else if (!wasBreak) clean.Append(' ');
            wasBreak = isBreak;
        }
        return clean.ToString();
    }

    /// <summary>Whether a terminal shows it where it stands; half of a surrogate pair arrives as U+FFFD.</summary>
    private static bool IsShown(Rune rune) => rune != Rune.ReplacementChar
        && (rune.Value == ZeroWidthJoiner
            || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate));
}
