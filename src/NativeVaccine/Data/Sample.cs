namespace NativeVaccine.Data;

/// <summary>
/// One training sequence. Labels lie beside their tokens, unshifted: the loss at position t - 1 predicts <c>Labels[t]</c>, so the label at
/// position 0 never counts.
/// </summary>
/// <param name="InputIds">Token ids, T of them.</param>
/// <param name="Labels">T labels: the token to be predicted, or <see cref="IgnoredLabel"/>.</param>
public sealed record Sample(int[] InputIds, int[] Labels)
{
    /// <summary>A label that takes no part in the loss.</summary>
    public const int IgnoredLabel = -100;

    /// <summary>How many labels take part in the loss: those that are not ignored, without the one at position 0.</summary>
    public int LabelCount { get; } = Labels.Skip(1).Count(label => label != IgnoredLabel);
}
