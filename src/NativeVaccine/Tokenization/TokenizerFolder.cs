using NativeVaccine.IO;


namespace NativeVaccine.Tokenization;

/// <summary>Finds the tokenizer of a model folder.</summary>
internal static class TokenizerFolder
{
    /// <summary>Loads the tokenizer of a folder; null if it has none.</summary>
    /// <exception cref="InputException">It cannot be used.</exception>
    public static Tokenizer? TryLoad(string folder)
    {
        string model = Path.Combine(folder, "tokenizer.model");
        string json = Path.Combine(folder, "tokenizer.json");
        string vocabulary = Path.Combine(folder, "vocab.json");
        string merges = Path.Combine(folder, "merges.txt");
        if (File.Exists(model))
        {
            ReadOnlyMemory<byte> bytes = InputFile.ReadText(model);
            if (!TiktokenFile.IsOne(bytes.Span))
                return new SentencePieceTokenizer(SentencePieceModel.Parse(bytes.Span, model), TokenizerConfiguration.Read(folder));
            // A tiktoken file has neither the split pattern nor the opening token, which tokenizer.json has.
            if (!File.Exists(json))
                return TiktokenFile.Parse(bytes, model, TokenizerConfiguration.Read(folder));
        }

        if (File.Exists(json))
            return TokenizerJson.Parse(InputFile.ReadText(json), json, TokenizerConfiguration.Read(folder));
        if (File.Exists(vocabulary) && File.Exists(merges))
        {
            return VocabularyWithMerges.Parse(
                InputFile.ReadText(vocabulary), vocabulary, InputFile.ReadText(merges), merges, TokenizerConfiguration.Read(folder));
        }

        return null;
    }

    /// <summary>The refusal of a folder that has none.</summary>
    public static InputException None(string folder, string remark = "") =>
        new($"{folder}: no tokenizer: expected tokenizer.model, tokenizer.json, or vocab.json with merges.txt{remark}");
}
