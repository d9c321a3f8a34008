namespace NativeVaccine.Engine;

/// <summary>How a prompt is continued.</summary>
public sealed record GenerationOptions
{
    /// <summary>A continuation ends after this many tokens.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>A continuation ends with the first of these; the token belongs to it.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <summary>0 takes the likeliest token; otherwise logits are divided by it and a token is drawn.</summary>
    public float Temperature { get; init; }

    /// <summary>Only the likeliest so many tokens are drawn; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the likeliest tokens that together reach this probability are drawn; 1 for all.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>
    /// The logits of tokens that are there already, in the prompt or the continuation, are divided by it, or multiplied where they are
    /// negative, before a token is taken or drawn (Keskar et al., arXiv 1909.05858; repetition_penalty in transformers). 1 for none.
    /// </summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Seed of the draws.</summary>
    public ulong Seed { get; init; }

    /// <summary>Indices of the prompts to continue; null for all. Which others are continued changes no continuation.</summary>
    public IReadOnlyList<int>? Only { get; init; }
}
