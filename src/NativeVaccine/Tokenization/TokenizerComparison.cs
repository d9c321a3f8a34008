namespace NativeVaccine.Tokenization;

/// <summary>
/// How far two tokenizers give the same tokens: for ordinary text in several scripts, for the vocabulary's own pieces, and for pieces joined
/// at random, always the same ones.
/// </summary>
/// <param name="Count">Texts compared; before those that begin with a space stands a letter.</param>
/// <param name="Different">Those of them that have other tokens.</param>
/// <param name="Example">One of these.</param>
/// <param name="Leading">Texts that begin with a space and, without the letter, have other tokens.</param>
internal readonly record struct TokenizerComparison(int Count, int Different, string Example, int Leading)
{
    /// <summary>What a space is in a piece.</summary>
    public const string Space = "\u2581";

    private const int MostSinglePieces = 40_000;
    private const int JoinedTexts = 2_000;
    private const int PiecesOfAJoinedText = 12;

    private static readonly string[] Texts =
    [
        "", "a", "The quick brown fox jumps over the lazy dog.", "It's 3.14, isn't it? (No: 2 + 2 = 4!)", "one  two   three    four\n\n\tfive\r\n",
        "def f(x):\n    return x ** 2  # squared\n", "caf\u00E9 na\u00EFve \u00C6r\u00F8 Stra\u00DFe", "\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440!", "\u6771\u4EAC\u306F\u4ECA\u65E5\u3082\u6674\u308C\u3067\u3059\u3002",
        "\u05E9\u05DC\u05D5\u05DD \u0645\u0631\u062D\u0628\u0627", "\U0001F98A and \U0001F469\u200D\U0001F469\u200D\U0001F467", "a\u0301 \u00BD \u2168 \uFB01", "https://example.org/a?b=c&d=%20#e", "x\u2581y \u2581 z",
        "AAAAAAAAAAAAAAAA", "0123456789 1,000,000", "{\"key\": [1, null, true]}", "trailing spaces   ", "a\0b\u0007c", "\tleading tab",
    ];

    /// <summary>Compares two.</summary>
    /// <param name="tokenizer">Its pieces are among the texts.</param>
    /// <param name="other">Of the same vocabulary.</param>
    public static TokenizerComparison Of(Tokenizer tokenizer, Tokenizer other)
    {
        (int count, int different, string example, int leading) = (0, tokenizer.ClosingId == other.ClosingId ? 0 : 1, "", 0);
        foreach (string text in Texts.Concat(TextsOf(tokenizer)))
        {
            string inner = text;
            if (text.StartsWith(' ') || text.StartsWith(Space, StringComparison.Ordinal))
            {
                if (!IsSame(text)) leading++;
                inner = $"a{text}";
            }

            count++;
            if (IsSame(inner)) continue;
            if (different++ == 0) example = inner;
        }

        return new TokenizerComparison(count, different, example, leading);

        bool IsSame(string text) => tokenizer.Encode(text).AsSpan().SequenceEqual(other.Encode(text));
    }

    /// <summary>Every piece by itself (of a large vocabulary one in several), and pieces joined.</summary>
    private static IEnumerable<string> TextsOf(Tokenizer tokenizer)
    {
        string[] pieces = [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.Piece(id).Replace(Space, " ", StringComparison.Ordinal))];
        int step = 1 + (pieces.Length / MostSinglePieces);
        ulong state = 1;
        return pieces.Where((_, id) => id % step == 0).Concat(Enumerable.Range(0, JoinedTexts).Select(_ => string.Concat(Enumerable.Range(0, PiecesOfAJoinedText).Select(_ => Next()))));

        string Next()
        {
            state = unchecked((state * 6364136223846793005) + 1442695040888963407);  // Knuth's MMIX
            return pieces[(int)((state >> 33) % (ulong)pieces.Length)];
        }
    }
}
