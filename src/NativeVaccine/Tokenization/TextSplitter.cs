using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Cuts text into the pieces within which a byte-level tokenizer merges. Patterns are applied one after the other, each within the pieces
/// of the one before; matches and what lies between them are pieces.
/// </summary>
/// <remarks>
/// .NET matches UTF-16 units, the patterns are meant for code points. So they are matched against a copy of the text in which every
/// character beyond U+FFFF is one character of its general category.
/// </remarks>
internal sealed class TextSplitter(IReadOnlyList<Regex> patterns, string source)
{
    /// <summary>
    /// Merging takes time quadratic in the length of a piece, so a longer one (a run of thousands of letters without a space) is cut into
    /// parts of this many characters. Ordinary text has no such piece.
    /// </summary>
    public const int LongestPiece = 4096;

    /// <summary>Matches that are looked for at a time, so that the end of a long text waits until it is wanted.</summary>
    private const int MatchesAtATime = 256;

    /// <summary>The pieces of a text, one after the other; what follows is looked at only when it is asked for.</summary>
    public IEnumerable<(int Offset, int Length)> Split(string text)
    {
        (string copy, int[]? offsets) = OneUnitPerCodePoint(text);
        IEnumerable<(int Begin, int End)> pieces = [(0, copy.Length)];
        foreach (Regex pattern in patterns)
            pieces = pieces.SelectMany(piece => Cut(copy, piece.Begin, piece.End, pattern));

        foreach ((int begin, int end) in pieces)
        {
            for (int part = begin; part < end; part += LongestPiece)
            {
                int partEnd = Math.Min(part + LongestPiece, end);
                int offset = offsets is null ? part : offsets[part];
                yield return (offset, (offsets is null ? partEnd : offsets[partEnd]) - offset);
            }
        }
    }

    private IEnumerable<(int Begin, int End)> Cut(string text, int begin, int end, Regex pattern)
    {
        int done = begin;
        var found = new List<(int Begin, int End)>();
        bool isMore = true;
        while (isMore)
        {
            isMore = FindMore(pattern, text.AsSpan(begin, end - begin), done - begin, found);
            foreach ((int from, int to) in found)
            {
                if (done < begin + from)
                    yield return (done, begin + from);
                if (from < to)
                    yield return (begin + from, begin + to);
                done = begin + to;
            }
        }

        if (done < end)
            yield return (done, end);
    }

    /// <summary>Finds the next matches.</summary>
    /// <returns>True if there may be more: the last one is not empty then, so that the next search may begin where it ends.</returns>
    private bool FindMore(Regex pattern, ReadOnlySpan<char> text, int from, List<(int Begin, int End)> found)
    {
        found.Clear();
        try
        {
            foreach (ValueMatch match in pattern.EnumerateMatches(text, from))
            {
                found.Add((match.Index, match.Index + match.Length));
                if (found.Count >= MatchesAtATime && match.Length > 0)
                    return true;
            }
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new InputException(
                $"{source}: its split pattern takes too long: expected one that does not backtrack without end", exception);
        }

        return false;
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
