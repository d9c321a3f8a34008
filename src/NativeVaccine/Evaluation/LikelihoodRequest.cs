using NativeVaccine.IO;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Evaluation;

/// <summary>Tokens whose probability is asked for, after others.</summary>
/// <param name="Context">What comes before; at least one token.</param>
/// <param name="Continuation">What follows; at least one token.</param>
public sealed record LikelihoodRequest(int[] Context, int[] Continuation)
{
    /// <summary>Whether the beginning of the context was cut off.</summary>
    public bool IsCut { get; private init; }

    /// <summary>
    /// The tokens of a text and what follows it, as lm-eval 0.4.13 counts them: both are encoded as one text, and what follows is all after
    /// the first n tokens, n being what the context has alone. A model sees only the last so many tokens as it has positions.
    /// </summary>
    /// <param name="tokenizer">The model's; opens the text as it always does.</param>
    /// <param name="context">The text.</param>
    /// <param name="contextIds">Its tokens.</param>
    /// <param name="continuation">What follows.</param>
    /// <param name="positions">The model's.</param>
    /// <exception cref="InputException">Nothing of what follows is left: it grows together with the text's last token.</exception>
    public static LikelihoodRequest Of(Tokenizer tokenizer, string context, int[] contextIds, string continuation, int positions)
    {
        int[] whole = tokenizer.Encode(context + continuation);
        if (whole.Length <= contextIds.Length)
        {
            throw new InputException(
                $"{InputText.Quote(continuation)} adds no token to the text before it, which has {contextIds.Length}: expected a choice with text");
        }
        int[] ids = whole[contextIds.Length..];
        // The last token is only predicted, so it takes no position.
        int most = positions + 1L - ids.Length is var room and > 0 ? (int)Math.Min(room, int.MaxValue) : 1;
        bool isCut = contextIds.Length > most;
        return new LikelihoodRequest(isCut ? contextIds[^most..] : contextIds, ids) { IsCut = isCut };
    }
}
