using NativeVaccine.Data;

namespace NativeVaccine.Tokenization;

/// <summary>Finds the tokenizer of a model folder.</summary>
internal static class TokenizerFolder
{
    /// <summary>Loads the tokenizer of a folder.</summary>
    /// <exception cref="InputException">There is none, or it cannot be used.</exception>
    public static Tokenizer Load(string folder)
    {
        string model = Path.Combine(folder, "tokenizer.model");
        string json = Path.Combine(folder, "tokenizer.json");
        string vocabulary = Path.Combine(folder, "vocab.json");
        string merges = Path.Combine(folder, "merges.txt");
        if (File.Exists(model))
        {
            ReadOnlyMemory<byte> bytes = JsonInput.ReadFile(model);
            if (!TiktokenFile.IsOne(bytes.Span))
                return new SentencePieceTokenizer(SentencePieceModel.Parse(bytes.Span, model), TokenizerConfiguration.Read(folder));
            // A tiktoken file has neither the split pattern nor the opening token, which tokenizer.json has.
            if (!File.Exists(json))
                return TiktokenFile.Parse(bytes, model, TokenizerConfiguration.Read(folder));
        }

        if (File.Exists(json))
            return TokenizerJson.Parse(JsonInput.ReadFile(json), json, TokenizerConfiguration.Read(folder));
        if (File.Exists(vocabulary) && File.Exists(merges))
        {
            return VocabularyWithMerges.Parse(
                JsonInput.ReadFile(vocabulary), vocabulary, JsonInput.ReadFile(merges), merges, TokenizerConfiguration.Read(folder));
        }

        throw new InputException($"{folder}: no tokenizer: expected tokenizer.model, tokenizer.json, or vocab.json with merges.txt");
    }
}
