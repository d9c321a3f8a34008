namespace NativeVaccine.Tokenization;

/// <summary>Where a leading space is put before text (<c>prepend_scheme</c> of Metaspace).</summary>
internal enum PrependScheme
{
    Never,
    First,
    Always,
}

/// <summary>How the pre-tokenizer prepares text, all of it after the normalizer.</summary>
/// <param name="Space">What a space becomes; null leaves spaces as they are.</param>
/// <param name="Prepend">Where <paramref name="Space"/> is put before text that does not begin with it.</param>
/// <param name="Splits">The text is cut before each <paramref name="Space"/>.</param>
internal sealed record SpacePreparation(string? Space, PrependScheme Prepend, bool Splits)
{
    /// <summary>Text stays as the normalizer made it.</summary>
    public static SpacePreparation None { get; } = new(null, PrependScheme.Never, Splits: false);
}

/// <summary>
/// A SentencePiece vocabulary as tokenizer.json describes it: BPE by the list of merges, with byte fallback. Llama-2, Mistral and Gemma come
/// in this form where a folder has no tokenizer.model.
/// </summary>
public sealed class ByteFallbackTokenizer : Tokenizer
{
    private readonly ByteFallbackVocabulary vocabulary;
    private readonly SpacePreparation preparation;
    private readonly PieceDecoder decoder;

    internal ByteFallbackTokenizer(
        ByteFallbackVocabulary vocabulary,
        Func<string, string> normalize,
        SpacePreparation preparation,
        PieceDecoder decoder,
        IReadOnlyDictionary<int, AddedToken> addedTokens,
        SpecialTokens specialTokens)
        : base(specialTokens, new AddedVocabulary(addedTokens, normalize))
    {
        (this.vocabulary, this.preparation, this.decoder) = (vocabulary, preparation, decoder);
        PutsSpaceFirst = preparation.Prepend != PrependScheme.Never || normalize("a").Length > 1;
        VocabularySize = vocabulary.Pieces.Keys.Concat(addedTokens.Keys).Max() + 1;
    }

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <summary>A space is put before a text, by the normalizer or after it.</summary>
    internal bool PutsSpaceFirst { get; }

    /// <inheritdoc/>
    public override string Piece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabularySize);
        return Added(id)?.Text ?? vocabulary.Pieces.GetValueOrDefault(id, "");
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var pieces = new List<string>(ids.Length);
        foreach (int id in ids)
        {
            if ((uint)id < (uint)VocabularySize && !(skipSpecialTokens && Added(id) is { IsSpecial: true }) && Piece(id) is { Length: > 0 } piece)
                pieces.Add(piece);
        }

        return decoder.Decode(pieces);
    }

    private protected override void AppendTokens(string text, bool beginsText, List<int> ids, int most)
    {
        if (preparation.Space is { } space)
        {
            text = text.Replace(" ", space, StringComparison.Ordinal);
            bool prepends = preparation.Prepend == PrependScheme.Always || (preparation.Prepend == PrependScheme.First && beginsText);
            if (prepends && !text.StartsWith(space, StringComparison.Ordinal))
                text = space + text;
            if (preparation.Splits)
            {
                foreach (string word in Words(text, space).TakeWhile(_ => ids.Count < most))
                    vocabulary.AppendTokens(word, ids, most);
                return;
            }
        }

        vocabulary.AppendTokens(text, ids, most);
    }

    private static IEnumerable<string> Words(string text, string space)
    {
        int begin = 0;
        while (begin < text.Length)
        {
            int end = text.IndexOf(space, begin + 1, StringComparison.Ordinal);
            end = end < 0 ? text.Length : end;
            yield return text[begin..end];
            begin = end;
        }
    }
}
