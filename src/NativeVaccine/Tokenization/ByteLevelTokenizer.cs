using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using CommunityToolkit.HighPerformance.Buffers;
using Microsoft.ML.Tokenizers;

namespace NativeVaccine.Tokenization;

/// <summary>How text is prepared before a byte-level vocabulary cuts it.</summary>
/// <param name="Patterns">The split patterns, in order.</param>
/// <param name="NormalizesToNfc">Text is brought into Unicode's normalization form C first.</param>
/// <param name="AddsPrefixSpace">A text that does not begin with a space gets one.</param>
internal sealed record TextPreparation(IReadOnlyList<Regex> Patterns, bool NormalizesToNfc, bool AddsPrefixSpace);

/// <summary>
/// Byte-level BPE, as Llama-3, Qwen2 and GPT-2 use it: the text is cut by patterns, and within a piece bytes are merged, the pair whose
/// joint token comes first in merge order before the others. A piece that is a token is that token. Merging is Microsoft.ML.Tokenizers'.
/// </summary>
public sealed class ByteLevelTokenizer : Tokenizer
{
    private readonly ByteLevelVocabulary vocabulary;
    private readonly TextPreparation preparation;
    private readonly TextSplitter splitter;
    private readonly TiktokenTokenizer merger;

    internal ByteLevelTokenizer(
        ByteLevelVocabulary vocabulary,
        TextPreparation preparation,
        IReadOnlyDictionary<int, AddedToken> addedTokens,
        SpecialTokens specialTokens,
        string source)
        : base(specialTokens, new AddedVocabulary(addedTokens, preparation.NormalizesToNfc ? CanonicalComposition.Normalize : null))
    {
        this.vocabulary = vocabulary;
        this.preparation = preparation;
        VocabularySize = vocabulary.BytesById.Keys.Concat(addedTokens.Keys).Max() + 1;
        using MemoryStream ranks = vocabulary.ToTiktoken();
        splitter = new TextSplitter(preparation.Patterns, source);
        merger = TiktokenTokenizer.Create(ranks, preTokenizer: null, normalizer: null);
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
        if (Added(id) is { } added)
            return added.Text;
        return vocabulary.BytesById.TryGetValue(id, out byte[]? bytes) ? ByteAlphabet.Spell(bytes) : "";
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        using var utf8 = new ArrayPoolBufferWriter<byte>();
        foreach (int id in ids)
        {
            if (Added(id) is { } added)
            {
                if (!(skipSpecialTokens && added.IsSpecial))
                    Encoding.UTF8.GetBytes(added.Text, utf8);
            }
            else if (vocabulary.BytesById.TryGetValue(id, out byte[]? bytes))
            {
                utf8.Write(bytes);
            }
        }

        return Encoding.UTF8.GetString(utf8.WrittenSpan);
    }

    private protected override void AppendTokens(string text, bool beginsText, List<int> ids, int most)
    {
        if (preparation.AddsPrefixSpace && text.Length > 0 && text[0] != ' ')
            text = ' ' + text;
        foreach ((int offset, int length) in splitter.Split(text))
        {
            if (ids.Count >= most)
                return;
            foreach (int rank in merger.EncodeToIds(text.AsSpan(offset, length), considerPreTokenization: false, considerNormalization: false))
                ids.Add(vocabulary.IdsByRank[rank]);
        }
    }
}
