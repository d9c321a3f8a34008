using System.Text;

namespace NativeVaccine.Tokenization;

/// <summary>A token that stands outside the learnt vocabulary (<c>AddedToken</c> of Hugging Face's tokenizers).</summary>
/// <param name="Text">Its name.</param>
/// <param name="IsSpecial">True if it is left out of decoded text, and never found in text.</param>
internal sealed record AddedToken(string Text, bool IsSpecial)
{
    /// <summary>It is found only where no letter, digit or underscore touches it.</summary>
    public bool IsSingleWord { get; init; }

    /// <summary>It takes the white space before it along.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>It takes the white space after it along.</summary>
    public bool StripsRight { get; init; }

    /// <summary>It is looked for in normalized text, itself normalized.</summary>
    public bool IsNormalized { get; init; }

    /// <summary>The file that names it, for messages.</summary>
    public string Source { get; init; } = "";
}

/// <summary>A part of a text: an added token, or text to be cut into tokens.</summary>
/// <param name="Id">The added token; null for text.</param>
/// <param name="Text">The text, normalized; empty for a token.</param>
/// <param name="BeginsText">True if the part begins where the whole text begins.</param>
internal readonly record struct TextPart(int? Id, string Text, bool BeginsText);

/// <summary>
/// The added tokens of a tokenizer, and where they are found in text: <c>AddedVocabulary</c> of Hugging Face's tokenizers with
/// <c>encode_special_tokens</c>. Of the tokens that begin left-most the longest is taken; special tokens take part in that, and stay text.
/// </summary>
internal sealed class AddedVocabulary
{
    private readonly Func<string, string> normalize;
    private readonly TokenMatcher plain;
    private readonly TokenMatcher normalized;
    private readonly TokenMatcher special;
    private readonly TokenMatcher marks;

    /// <summary>A vocabulary of added tokens.</summary>
    /// <param name="tokens">The tokens by id.</param>
    /// <param name="normalize">The tokenizer's normalizer; null where there is none.</param>
    /// <param name="otherSpecials">Special tokens that are not among <paramref name="tokens"/>.</param>
    public AddedVocabulary(
        IReadOnlyDictionary<int, AddedToken> tokens,
        Func<string, string>? normalize = null,
        IEnumerable<(string Text, int Id)>? otherSpecials = null)
    {
        (string Text, int Id)[] others = [.. otherSpecials ?? []];
        Tokens = tokens;
        this.normalize = normalize ?? (static text => text);
        plain = Matcher(static token => !token.IsNormalized, static text => text);
        normalized = Matcher(static token => token.IsNormalized, this.normalize);
        special = new TokenMatcher(tokens.Where(pair => pair.Value.IsSpecial).Select(pair => (pair.Value.Text, pair.Key)).Concat(others));
        // Gemma's line breaks are added tokens, but mark nothing.
        marks = new TokenMatcher(
            tokens.Where(pair => pair.Value.IsSpecial || !string.IsNullOrWhiteSpace(pair.Value.Text)).Select(pair => (pair.Value.Text, pair.Key)).Concat(others));
    }

    /// <summary>The tokens by id.</summary>
    public IReadOnlyDictionary<int, AddedToken> Tokens { get; }

    /// <summary>True if the text holds the text of a special token.</summary>
    public bool HoldsSpecial(string text) => special.Find(text, 0, out _, out _) >= 0;

    /// <summary>Cuts a text at every token that it holds, special or not, but at none of white space: either an id, or text.</summary>
    public IEnumerable<(int? Id, string Text)> CutAtTokens(string text)
    {
        int done = 0;
        for (int at = marks.Find(text, 0, out int length, out int id); at >= 0; at = marks.Find(text, done, out length, out id))
        {
            if (done < at)
                yield return (null, text[done..at]);
            yield return (id, "");
            done = at + length;
        }

        if (done < text.Length)
            yield return (null, text[done..]);
    }

    /// <summary>The id of a token by its text; null if there is none.</summary>
    public int? IdOf(string text)
    {
        foreach ((int id, AddedToken token) in Tokens)
        {
            if (token.Text == text)
                return id;
        }

        return null;
    }

    /// <summary>Cuts a text at the added tokens that it holds, and normalizes the text between.</summary>
    /// <param name="text">The text.</param>
    /// <param name="neverFound">Tokens whose texts stay text.</param>
    public IEnumerable<TextPart> Split(string text, IReadOnlySet<int>? neverFound = null)
    {
        foreach ((int begin, int end, int? id) in Cut(text, plain, neverFound))
        {
            if (id is not null)
            {
                yield return new TextPart(id, "", false);
                continue;
            }

            string normalized = normalize(text[begin..end]);
            foreach ((int innerBegin, int innerEnd, int? innerId) in Cut(normalized, this.normalized, neverFound))
                yield return new TextPart(innerId, innerId is null ? normalized[innerBegin..innerEnd] : "", begin == 0 && innerBegin == 0);
        }
    }

    private TokenMatcher Matcher(Func<AddedToken, bool> belongs, Func<string, string> normalize) =>
        new(Tokens.Where(pair => belongs(pair.Value)).Select(pair => (normalize(pair.Value.Text), pair.Key)));

    private IEnumerable<(int Begin, int End, int? Id)> Cut(string text, TokenMatcher matcher, IReadOnlySet<int>? neverFound)
    {
        int done = 0;
        for (int at = matcher.Find(text, 0, out int length, out int id); at >= 0; at = matcher.Find(text, at + length, out length, out id))
        {
            AddedToken token = Tokens[id];
            if (token.IsSpecial || neverFound?.Contains(id) == true || (token.IsSingleWord && !StandsAlone(text, at, length)))
                continue;
            int begin = token.StripsLeft ? Math.Max(done, text.AsSpan(0, at).TrimEnd().Length) : at;
            int end = at + length;
            if (token.StripsRight)
                end = text.Length - text.AsSpan(end).TrimStart().Length;
            if (done < begin)
                yield return (done, begin, null);
            yield return (begin, end, id);
            done = end;
        }

        if (done < text.Length)
            yield return (done, text.Length, null);
    }

    private static bool StandsAlone(string text, int at, int length) =>
        !(Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out Rune before, out _) == System.Buffers.OperationStatus.Done && IsWord(before))
        && !(Rune.DecodeFromUtf16(text.AsSpan(at + length), out Rune after, out _) == System.Buffers.OperationStatus.Done && IsWord(after));

    /// <summary>\w of Unicode Technical Standard 18: alphabetic, marks, decimal digits, connectors and joiners.</summary>
    private static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        <= System.Globalization.UnicodeCategory.LetterNumber => true,
        System.Globalization.UnicodeCategory.ConnectorPunctuation => true,
        // Circled and squared letters are symbols that count as alphabetic.
        _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169)
            or (>= 0x1F170 and <= 0x1F189),
    };
}
