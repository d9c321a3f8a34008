using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Makes a tokenizer.model of a tokenizer.json of the SentencePiece kind, and the other way round, for programs that need the one that a
/// folder has not. Without tokenizer.model, llama.cpp's converter gives every token of a Llama folder the same score, and the model then
/// splits most texts otherwise. Without tokenizer.json, transformers 5 makes one by a class that it takes from the model's type, and for
/// Mistral (seen with 5.12.1) that one puts no space before a text.
/// </summary>
internal static class SentencePieceConversion
{
    /// <summary>The <see cref="SentencePieceModel.ModelPrefix"/> of a tokenizer.model made here: beside the tokenizer.json, that one counts.</summary>
    public const string MadeOfJson = "NativeVaccine: of tokenizer.json";

    private const string ModelName = "tokenizer.model";
    private const string JsonName = "tokenizer.json";
    private const string UnknownText = "<unk>";

    /// <summary>
    /// Writes the one of the two files that is missing. It is kept only if it gives the same tokens: see <see cref="TokenizerComparison"/>.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="notice">Told in a line what was written, or why nothing was.</param>
    /// <exception cref="InputException">A file cannot be read or written.</exception>
    public static void Add(string folder, Action<string> notice)
    {
        string model = Path.Combine(folder, ModelName);
        string json = Path.Combine(folder, JsonName);
        if (File.Exists(model) == File.Exists(json)) return;
        switch (TokenizerFolder.TryLoad(folder))
        {
            case ByteFallbackTokenizer tokenizer:
                Write(tokenizer, model, JsonName, () => ToModel(json, tokenizer, folder), "keeps it there, as SentencePiece has it", notice);
                break;
            case SentencePieceTokenizer tokenizer:
                Write(tokenizer, json, ModelName, () => ToJson(model, tokenizer, folder), "gets no other there, as Hugging Face has it", notice);
                break;
        }
    }

    /// <param name="tokenizer">That of the file that is there.</param>
    /// <param name="path">The file that is missing.</param>
    /// <param name="present">The name of the one that is there.</param>
    /// <param name="convert">Makes the missing one, and the tokenizer that it gives.</param>
    /// <param name="leading">What the new file makes of a space at the beginning of a text, where the two differ.</param>
    /// <param name="notice">Told in a line what was written, or why nothing was.</param>
    private static void Write(
        Tokenizer tokenizer, string path, string present, Func<(byte[] Bytes, Tokenizer Written)> convert, string leading, Action<string> notice)
    {
        string name = Path.GetFileName(path);
        byte[] bytes;
        TokenizerComparison comparison;
        try
        {
            (bytes, Tokenizer written) = convert();
            comparison = TokenizerComparison.Of(tokenizer, written);
        }
        catch (InputException exception)
        {
            notice($"no {name} is written for {present}: {exception.Message}");
            return;
        }

        if (comparison.Different > 0)
        {
            notice(FormattableString.Invariant(
                $"no {name} is written for {present}: it would give other tokens for {comparison.Different} of {comparison.Count} texts, such as {InputText.Quote(comparison.Example)}"));
            return;
        }

        AtomicFile.WriteAllBytes(path, bytes);
        string apart = comparison.Leading > 0 ? $"; text that begins with a space or {TokenizerComparison.Space} {leading}" : "";
        notice(FormattableString.Invariant($"wrote a {name} beside {present}; both give the same tokens for {comparison.Count} texts{apart}"));
    }

    private static (byte[] Bytes, Tokenizer Written) ToJson(string model, SentencePieceTokenizer tokenizer, string folder)
    {
        var configuration = TokenizerConfiguration.Read(folder);
        byte[] bytes = SentencePieceJson.Of(SentencePieceModel.Parse(InputFile.ReadText(model).Span, ModelName), tokenizer, configuration);
        return (bytes, TokenizerJson.Parse(bytes, JsonName, configuration));
    }

    private static (byte[] Bytes, Tokenizer Written) ToModel(string json, ByteFallbackTokenizer tokenizer, string folder)
    {
        var configuration = TokenizerConfiguration.Read(folder);
        using JsonDocument document = JsonFile.Parse(InputFile.ReadText(json), json);
        byte[] bytes = Convert(document.RootElement, tokenizer, json, configuration);
        return (bytes, new SentencePieceTokenizer(SentencePieceModel.Parse(bytes, ModelName), configuration));
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
            ModelPrefix = MadeOfJson,
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
}
