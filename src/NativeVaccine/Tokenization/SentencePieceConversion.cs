using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Makes a tokenizer.model of a tokenizer.json of the SentencePiece kind, for programs that read nothing else: llama.cpp's converter gives
/// every token of a Llama folder without one the same score, and the model then splits most texts otherwise.
/// </summary>
internal static class SentencePieceConversion
{
    private const string Space = "\u2581";
    private const string UnknownText = "<unk>";
    private const int MostSinglePieces = 40_000;
    private const int JoinedTexts = 2_000;
    private const int PiecesOfAJoinedText = 12;

    /// <summary>Ordinary text in several scripts; what the vocabulary's own pieces make is compared beside it.</summary>
    private static readonly string[] Texts =
    [
        "", "a", "The quick brown fox jumps over the lazy dog.", "It's 3.14, isn't it? (No: 2 + 2 = 4!)", "one  two   three    four\n\n\tfive\r\n",
        "def f(x):\n    return x ** 2  # squared\n", "caf\u00E9 na\u00EFve \u00C6r\u00F8 Stra\u00DFe", "\u041F\u0440\u0438\u0432\u0435\u0442, \u043C\u0438\u0440!", "\u6771\u4EAC\u306F\u4ECA\u65E5\u3082\u6674\u308C\u3067\u3059\u3002",
        "\u05E9\u05DC\u05D5\u05DD \u0645\u0631\u062D\u0628\u0627", "\U0001F98A and \U0001F469\u200D\U0001F469\u200D\U0001F467", "a\u0301 \u00BD \u2168 \uFB01", "https://example.org/a?b=c&d=%20#e", "x\u2581y \u2581 z",
        "AAAAAAAAAAAAAAAA", "0123456789 1,000,000", "{\"key\": [1, null, true]}", "trailing spaces   ", "a\0b\u0007c", "\tleading tab",
    ];

    /// <summary>
    /// Writes tokenizer.model beside a tokenizer.json of the SentencePiece kind that has none. It is kept only if it gives the same tokens:
    /// for text as above, for the pieces, and for pieces joined at random.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="notice">Told in a line what was written, or why nothing was.</param>
    /// <exception cref="InputException">A file cannot be read or written.</exception>
    public static void Add(string folder, Action<string> notice)
    {
        string model = Path.Combine(folder, "tokenizer.model");
        string json = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(model) || !File.Exists(json)) return;
        if (TokenizerFolder.TryLoad(folder) is not ByteFallbackTokenizer tokenizer) return;
        var configuration = TokenizerConfiguration.Read(folder);
        byte[] bytes;
        SentencePieceTokenizer written;
        try
        {
            using JsonDocument document = JsonFile.Parse(InputFile.ReadText(json), json);
            bytes = Convert(document.RootElement, tokenizer, json, configuration);
            written = new SentencePieceTokenizer(SentencePieceModel.Parse(bytes, "tokenizer.model"), configuration);
        }
        catch (InputException exception)
        {
            notice($"no tokenizer.model is written for tokenizer.json: {exception.Message}");
            return;
        }

        Comparison comparison = Compare(tokenizer, written);
        if (comparison.Different > 0)
        {
            notice(FormattableString.Invariant(
                $"no tokenizer.model is written for tokenizer.json: it would give other tokens for {comparison.Different} of {comparison.Count} texts, such as {InputText.Quote(comparison.Example)}"));
            return;
        }

        AtomicFile.WriteAllBytes(model, bytes);
        string apart = comparison.Leading > 0
            ? FormattableString.Invariant($"; text that begins with a space or {Space} keeps it there, as SentencePiece has it")
            : "";
        notice(FormattableString.Invariant(
            $"wrote a tokenizer.model beside tokenizer.json; both give the same tokens for {comparison.Count} texts{apart}"));
    }

    private static byte[] Convert(JsonElement root, ByteFallbackTokenizer tokenizer, string source, TokenizerConfiguration configuration)
    {
        JsonElement description = JsonRecord.Required(root, "model", source);
        var rankOf = new Dictionary<string, int>(StringComparer.Ordinal);
        int rank = 0;
        foreach ((string left, string right) in TokenizerJson.Merges(JsonRecord.Required(description, "merges", source), $"{source}: merges"))
            rankOf.TryAdd(left + right, rank++);
        Dictionary<int, AddedToken> added = TokenizerJson.AddedTokens(root, source, configuration);
        string unknown = JsonRecord.OptionalText(description, "unk_token", $"{source}: model") ?? UnknownText;
        var writer = new SentencePieceWriter
        {
            ByteFallback = true,
            AddDummyPrefix = tokenizer.PutsSpaceFirst,
            BeginOfSequenceId = tokenizer.BeginOfSequenceId,
            EndOfSequenceId = tokenizer.EndOfSequenceId,
        };
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            string piece = tokenizer.Piece(id);
            if (piece.Length == 0) throw new InputException($"no token has the id {id}: expected one for each");
            PieceKind kind = piece == unknown ? PieceKind.Unknown
                : added.TryGetValue(id, out AddedToken? token)
                    ? token.IsSpecial || id == tokenizer.BeginOfSequenceId || id == tokenizer.EndOfSequenceId ? PieceKind.Control : PieceKind.UserDefined
                : ByteFallbackVocabulary.ByteOf(piece) is not null ? PieceKind.Byte
                // What no merge makes, text never becomes.
                : rankOf.ContainsKey(piece) || IsOneCharacter(piece) ? PieceKind.Normal : PieceKind.Unused;
            float score = kind is PieceKind.Normal or PieceKind.Unused ? -rankOf.GetValueOrDefault(piece, rank++) : 0;
            writer.Add(piece, score, kind);
        }

        return writer.ToBytes();
    }

    private static bool IsOneCharacter(string piece) => piece.Length == (char.IsSurrogatePair(piece, 0) ? 2 : 1);

    /// <param name="Count">Texts compared, those that begin with a space aside.</param>
    /// <param name="Different">Those of them that have other tokens.</param>
    /// <param name="Example">One of these.</param>
    /// <param name="Leading">Texts that begin with a space and have other tokens.</param>
    private readonly record struct Comparison(int Count, int Different, string Example, int Leading);

    private static Comparison Compare(ByteFallbackTokenizer tokenizer, SentencePieceTokenizer written)
    {
        (int count, int different, string example, int leading) = (0, tokenizer.ClosingId == written.ClosingId ? 0 : 1, "", 0);
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

        return new Comparison(count, different, example, leading);

        bool IsSame(string text) => tokenizer.Encode(text).AsSpan().SequenceEqual(written.Encode(text));
    }

    /// <summary>Every piece by itself (of a large vocabulary one in several), and pieces joined at random, always the same ones.</summary>
    private static IEnumerable<string> TextsOf(ByteFallbackTokenizer tokenizer)
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
