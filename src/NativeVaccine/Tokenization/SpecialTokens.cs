using NativeVaccine.IO;


namespace NativeVaccine.Tokenization;

/// <summary>The tokens that open and close a sequence.</summary>
internal sealed record SpecialTokens(
    int? BeginOfSequenceId, bool AddsBeginOfSequence, int? EndOfSequenceId, IReadOnlyList<int> EndOfSequenceIds)
{
    /// <summary>Joins what the model folder's files say with what the vocabulary itself says.</summary>
    /// <param name="configuration">The folder's files.</param>
    /// <param name="idOf">The id of a special token by its text, or null.</param>
    /// <param name="ownBegin">The vocabulary's own opening token, used where the files name none.</param>
    /// <param name="ownEnd">The vocabulary's own closing token, used where the files name none.</param>
    /// <param name="addsByDefault">Whether the opening token is put before text where the files do not say.</param>
    /// <exception cref="InputException">The files name a token that the vocabulary lacks.</exception>
    public static SpecialTokens Resolve(
        TokenizerConfiguration configuration, Func<string, int?> idOf, int? ownBegin, int? ownEnd, bool addsByDefault)
    {
        int? begin = Find(configuration.BeginOfSequence, "bos_token") ?? ownBegin;
        int? end = Find(configuration.EndOfSequence, "eos_token") ?? ownEnd;
        bool adds = configuration.AddBeginOfSequence ?? addsByDefault;
        if (adds && begin is null && configuration.AddBeginOfSequence is true)
            throw new InputException($"{configuration.Source}: add_bos_token is true but there is no bos_token: expected its text");
        IEnumerable<int> ends = end is { } own ? configuration.EndOfSequenceIds.Append(own) : configuration.EndOfSequenceIds;
        return new SpecialTokens(begin, adds && begin is not null, end, [.. ends.Distinct()]);

        int? Find(string? text, string field) => text is null
            ? null
            : idOf(text) ?? throw new InputException(
                $"{configuration.Source}: {field} '{InputText.Shorten(text)}' is not in the vocabulary: expected one of its tokens");
    }
}
