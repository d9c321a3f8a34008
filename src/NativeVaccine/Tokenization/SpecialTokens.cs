using NativeVaccine.IO;

namespace NativeVaccine.Tokenization;

/// <summary>The tokens that open and close a sequence.</summary>
/// <param name="BeginOfSequenceId">The token that opens a sequence, if there is one.</param>
/// <param name="AddsBeginOfSequence">It is put before a text.</param>
/// <param name="EndOfSequenceId">The token that closes a sequence, if there is one.</param>
/// <param name="ClosingId">The token that the folder's own tokenizer puts after a text; null for none, which is usual.</param>
internal sealed record SpecialTokens(
    int? BeginOfSequenceId, bool AddsBeginOfSequence, int? EndOfSequenceId, int? ClosingId = null)
{
    /// <summary>
    /// Joins what the model folder's files say. With a tokenizer.json its post-processor alone says what is put around a text, as in
    /// transformers 5; without, add_bos_token and add_eos_token do.
    /// </summary>
    /// <param name="configuration">The folder's files.</param>
    /// <param name="idOf">The id of a special token by its text, or null.</param>
    /// <param name="frame">What the post-processor puts around a text; null where there is no tokenizer.json.</param>
    /// <param name="ownBegin">The vocabulary's own opening token, used where the files name none.</param>
    /// <param name="ownEnd">The vocabulary's own closing token, used where the files name none.</param>
    /// <param name="addsByDefault">Without a frame: whether the opening token is put before text where the files do not say.</param>
    /// <exception cref="InputException">The files name a token that the vocabulary lacks.</exception>
    public static SpecialTokens Resolve(
        TokenizerConfiguration configuration,
        Func<string, int?> idOf,
        SequenceFrame? frame,
        int? ownBegin = null,
        int? ownEnd = null,
        bool addsByDefault = false)
    {
        int? begin = Find(configuration.BeginOfSequence, "bos_token") ?? ownBegin;
        int? end = Find(configuration.EndOfSequence, "eos_token") ?? ownEnd;
        if (end is null && configuration.ModelEnd is { } modelEnd)
        {
            end = modelEnd;
            configuration.Notice($"{configuration.Source}: no eos_token; a sequence ends with config.json's, {modelEnd}");
        }

        if (frame is not null)
        {
            Compare(configuration.AddBeginOfSequence, "add_bos_token", frame.Opening, "before");
            Compare(configuration.AddEndOfSequence, "add_eos_token", frame.Closing, "after");
            return new SpecialTokens(frame.Opening ?? begin, frame.Opening is not null, end, frame.Closing);
        }

        bool adds = configuration.AddBeginOfSequence ?? addsByDefault;
        Require(configuration.AddBeginOfSequence, "add_bos_token", begin, "bos_token");
        Require(configuration.AddEndOfSequence, "add_eos_token", end, "eos_token");
        return new SpecialTokens(begin, adds && begin is not null, end, configuration.AddEndOfSequence is true ? end : null);

        int? Find(string? text, string field) => text is null
            ? null
            : idOf(text) ?? throw new InputException(
                $"{configuration.Source}: {field} '{InputText.Shorten(text)}' is not in the vocabulary: expected one of its tokens");

        void Compare(bool? flag, string field, int? token, string place)
        {
            if (flag is { } given && given != token is not null)
                configuration.Notice(
                    $"{configuration.Source}: {field} is {(given ? "true" : "false")}, but tokenizer.json puts "
                    + $"{(token is { } id ? $"token {id}" : "nothing")} {place} a text, and that counts");
        }

        void Require(bool? flag, string field, int? token, string name)
        {
            if (flag is true && token is null)
                throw new InputException($"{configuration.Source}: {field} is true but there is no {name}: expected its text");
        }
    }
}
