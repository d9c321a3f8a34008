using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>Finds the tokenizer of a model folder.</summary>
internal static class TokenizerFolder
{
    /// <summary>Loads the tokenizer of a folder; null if it has none.</summary>
    /// <exception cref="InputException">It cannot be used.</exception>
    public static Tokenizer? TryLoad(string folder, Action<string>? notice = null)
    {
        InputFile.RequireFolder(folder, "a Hugging Face model folder");
        string model = Path.Combine(folder, "tokenizer.model");
        string json = Path.Combine(folder, "tokenizer.json");
        string vocabulary = Path.Combine(folder, "vocab.json");
        string merges = Path.Combine(folder, "merges.txt");
        if (File.Exists(model))
        {
            ReadOnlyMemory<byte> bytes = InputFile.ReadText(model);
            if (TiktokenFile.IsOne(bytes.Span))
            {
                // A tiktoken file has neither the split pattern nor the opening token, which tokenizer.json has.
                if (!File.Exists(json))
                    return TiktokenFile.Parse(bytes, model, TokenizerConfiguration.Read(folder, notice));
            }
            else
            {
                var pieces = SentencePieceModel.Parse(bytes.Span, model);
                if (pieces.ModelPrefix != SentencePieceConversion.MadeOfJson || !File.Exists(json))
                {
                    var tokenizer = new SentencePieceTokenizer(pieces, TokenizerConfiguration.Read(folder, notice));
                    if (notice is not null && File.Exists(json))
                        Compare(tokenizer, json, notice);
                    return tokenizer;
                }
            }
        }

        if (File.Exists(json))
            return TokenizerJson.Parse(InputFile.ReadText(json), json, TokenizerConfiguration.Read(folder, notice));
        if (File.Exists(vocabulary) && File.Exists(merges))
        {
            return VocabularyWithMerges.Parse(
                InputFile.ReadText(vocabulary), vocabulary, InputFile.ReadText(merges), merges, TokenizerConfiguration.Read(folder, notice));
        }

        return null;
    }

    /// <summary>The refusal of a folder that has none.</summary>
    public static InputException None(string folder, string remark = "") =>
        new($"{folder}: no tokenizer: expected tokenizer.model, tokenizer.json, or vocab.json with merges.txt{remark}");

    /// <summary>Says where tokenizer.json, which other programs read, differs from the tokenizer.model that counts here.</summary>
    private static void Compare(SentencePieceTokenizer tokenizer, string json, Action<string> notice)
    {
        var differences = new List<string>();
        try
        {
            using JsonDocument document = JsonFile.ParseObject(InputFile.ReadText(json), json);
            int jsonSize = TokenizerJson.Size(document.RootElement, json);
            if (jsonSize != tokenizer.VocabularySize)
                differences.Add($"has {jsonSize} tokens (tokenizer.model {tokenizer.VocabularySize})");
            SequenceFrame frame = SequenceFrame.Read(document.RootElement, json);
            int? begin = tokenizer.AddsBeginOfSequence ? tokenizer.BeginOfSequenceId : null;
            if (frame.Opening != begin)
                differences.Add($"puts {Name(frame.Opening)} before a text (tokenizer.model and its flags {Name(begin)})");
            if (frame.Closing != tokenizer.ClosingId)
                differences.Add($"puts {Name(frame.Closing)} after a text (tokenizer.model and its flags {Name(tokenizer.ClosingId)})");
        }
        catch (InputException exception)
        {
            differences.Add($"cannot be read here ({exception.Message})");
        }

        if (differences.Count > 0)
            notice($"{json} {string.Join(" and ", differences)}; tokenizer.model counts");

        static string Name(int? id) => id is { } token ? $"token {token}" : "nothing";
    }
}
