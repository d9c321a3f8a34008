using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>Reads vocab.json with merges.txt: byte-level BPE in GPT-2's own files, which Qwen2 uses too.</summary>
internal static class VocabularyWithMerges
{
    /// <summary>
    /// Reads a tokenizer. The files do not say how text is split: Qwen2's class names its own way, all others take GPT-2's.
    /// </summary>
    /// <exception cref="InputException">One of the files is damaged.</exception>
    public static ByteLevelTokenizer Parse(
        ReadOnlyMemory<byte> vocabulary,
        string vocabularySource,
        ReadOnlyMemory<byte> merges,
        string mergesSource,
        TokenizerConfiguration configuration)
    {
        using JsonDocument document = JsonFile.Parse(vocabulary, vocabularySource);
        Dictionary<string, int> ids = TokenizerJson.Vocabulary(document.RootElement, vocabularySource);
        var added = new Dictionary<int, AddedToken>(configuration.AddedTokens);
        AddOwnEndToken(ids, added);
        var tokens = ByteLevelVocabulary.FromMerges(ids, Merges(merges, mergesSource), added.Keys, ignoreMerges: false, mergesSource);

        bool qwen2 = configuration.TokenizerClass?.StartsWith("Qwen2", StringComparison.Ordinal) ?? false;
        Regex pattern = SplitPatterns.Find(qwen2 ? SplitPatterns.Qwen2 : SplitPatterns.Gpt2, vocabularySource);
        var special = SpecialTokens.Resolve(configuration, text => TokenizerJson.IdOf(added, text), frame: null);
        var preparation = new TextPreparation([pattern], NormalizesToNfc: qwen2, AddsPrefixSpace: false);
        return new ByteLevelTokenizer(tokens, preparation, added, special, vocabularySource);
    }

    /// <summary>GPT-2 keeps its end token in vocab.json itself.</summary>
    private static void AddOwnEndToken(Dictionary<string, int> ids, Dictionary<int, AddedToken> added)
    {
        if (ids.TryGetValue(TiktokenFile.Gpt2End, out int id))
            added.TryAdd(id, new AddedToken(TiktokenFile.Gpt2End, IsSpecial: true));
    }

    private static IEnumerable<(string Left, string Right)> Merges(ReadOnlyMemory<byte> merges, string source)
    {
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(merges))
        {
            string line = Encoding.UTF8.GetString(text.Span).TrimEnd('\r');
            if (number == 1 && line.StartsWith("#version", StringComparison.Ordinal))
                continue;
            string[] pair = line.Split(' ');
            if (pair.Length != 2)
                throw new InputException(
                    string.Create(CultureInfo.InvariantCulture, $"{source}:{number}: expected two tokens with a space between"));
            yield return (pair[0], pair[1]);
        }
    }
}
