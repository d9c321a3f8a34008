using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Cuts text into the pieces within which a byte-level tokenizer merges. Patterns are applied one after the other, each within the pieces
/// of the one before; matches and what lies between them are pieces.
/// </summary>
/// <remarks>
/// .NET matches UTF-16 units, the patterns are meant for code points. So they are matched against a copy of the text in which every
/// character beyond U+FFFF is one character of its general category.
/// </remarks>
internal sealed class TextSplitter(IReadOnlyList<Regex> patterns, string source) : PreTokenizer
{
    /// <summary>
    /// Merging takes time quadratic in the length of a piece, so a longer one (a run of thousands of letters without a space) is cut into
    /// parts of this many characters. Ordinary text has no such piece.
    /// </summary>
    public const int LongestPiece = 4096;

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => Split(text);

    /// <inheritdoc/>
    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => Split(text.ToString());

    private List<(int Offset, int Length)> Split(string text)
    {
        (string copy, int[]? offsets) = OneUnitPerCodePoint(text);
        List<(int Begin, int End)> pieces = [(0, copy.Length)];
        foreach (Regex pattern in patterns)
            pieces = Cut(copy, pieces, pattern);

        var result = new List<(int Offset, int Length)>(pieces.Count);
        foreach ((int begin, int end) in pieces)
        {
            for (int part = begin; part < end; part += LongestPiece)
            {
                int partEnd = Math.Min(part + LongestPiece, end);
                int offset = offsets is null ? part : offsets[part];
                result.Add((offset, (offsets is null ? partEnd : offsets[partEnd]) - offset));
            }
        }

        return result;
    }

    private List<(int Begin, int End)> Cut(string text, List<(int Begin, int End)> pieces, Regex pattern)
    {
        var result = new List<(int Begin, int End)>();
        try
        {
            foreach ((int begin, int end) in pieces)
            {
                int done = begin;
                foreach (ValueMatch match in pattern.EnumerateMatches(text.AsSpan(begin, end - begin)))
                {
                    AddUnlessEmpty(done, begin + match.Index);
                    AddUnlessEmpty(begin + match.Index, done = begin + match.Index + match.Length);
                }

                AddUnlessEmpty(done, end);
            }
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new InputException(
                $"{source}: its split pattern takes too long: expected one that does not backtrack without end", exception);
        }

        return result;

        void AddUnlessEmpty(int from, int to)
        {
            if (from < to)
                result.Add((from, to));
        }
    }

    /// <summary>
    /// The copy, and for each of its characters, and its end, where it stands in the text; null where the copy is the text.
    /// </summary>
    private static (string Copy, int[]? Offsets) OneUnitPerCodePoint(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return (text, null);
        var copy = new StringBuilder(text.Length);
        var offsets = new List<int>(text.Length);
        int offset = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            offsets.Add(offset);
            copy.Append(rune.IsBmp ? (char)rune.Value : Representative(Rune.GetUnicodeCategory(rune)));
            offset += rune.Utf16SequenceLength;
        }

        offsets.Add(offset);
        return (copy.ToString(), [.. offsets]);
    }

    private static char Representative(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u0100',
        UnicodeCategory.LowercaseLetter => '\u0101',
        UnicodeCategory.TitlecaseLetter => '\u01C5',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u01BB',
        UnicodeCategory.NonSpacingMark => '\u0300',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.EnclosingMark => '\u0488',
        UnicodeCategory.DecimalDigitNumber => '\u0660',
        UnicodeCategory.LetterNumber => '\u2160',
        UnicodeCategory.OtherNumber => '\u00B2',
        UnicodeCategory.ConnectorPunctuation => '\u203F',
        UnicodeCategory.DashPunctuation => '\u2010',
        UnicodeCategory.OpenPunctuation => '\u2045',
        UnicodeCategory.ClosePunctuation => '\u2046',
        UnicodeCategory.InitialQuotePunctuation => '\u00AB',
        UnicodeCategory.FinalQuotePunctuation => '\u00BB',
        UnicodeCategory.OtherPunctuation => '\u00A1',
        UnicodeCategory.MathSymbol => '\u00B1',
        UnicodeCategory.CurrencySymbol => '\u00A2',
        UnicodeCategory.ModifierSymbol => '\u00A8',
        UnicodeCategory.OtherSymbol => '\u00A9',
        UnicodeCategory.Format => '\u00AD',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\u0378',
    };
}
