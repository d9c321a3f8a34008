using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>
/// A token is a word, and words are separated by white space: <c>WordLevel</c> with <c>WhitespaceSplit</c> of Hugging Face's tokenizers.
/// For small made languages; there is no token for unknown words.
/// </summary>
public sealed class WordLevelTokenizer : Tokenizer
{
    private readonly Dictionary<string, int> idOfWord = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> wordOfId = [];
    private readonly string source;

    internal WordLevelTokenizer(
        Dictionary<string, int> vocabulary, IReadOnlyDictionary<int, AddedToken> addedTokens, SpecialTokens specialTokens, string source)
        : base(specialTokens, new AddedVocabulary(addedTokens))
    {
        this.source = source;
        foreach ((string word, int id) in vocabulary)
        {
            if (!wordOfId.TryAdd(id, word))
                throw new InputException($"{source}: two words have the id {id}: expected one");
            if (!addedTokens.ContainsKey(id))
                idOfWord.Add(word, id);
        }

        if (idOfWord.Count == 0)
            throw new InputException($"{source}: no words: expected a vocabulary");
        VocabularySize = wordOfId.Keys.Concat(addedTokens.Keys).Max() + 1;
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
        return Added(id)?.Text ?? wordOfId.GetValueOrDefault(id, "");
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            if ((uint)id >= (uint)VocabularySize
                || (skipSpecialTokens && Added(id) is { IsSpecial: true }))
                continue;
            string word = Piece(id);
            if (word.Length == 0)
                continue;
            if (text.Length > 0)
                text.Append(' ');
            text.Append(word);
        }

        return text.ToString();
    }

    /// <exception cref="InputException">A word is not in the vocabulary.</exception>
    private protected override void AppendTokens(string text, bool beginsText, List<int> ids, int most)
    {
        foreach (string word in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (ids.Count >= most)
                return;
            ids.Add(idOfWord.TryGetValue(word, out int id)
                ? id
                : throw new InputException($"{source}: has no word '{InputText.Shorten(word)}': expected only words of its vocabulary"));
        }
    }
}
