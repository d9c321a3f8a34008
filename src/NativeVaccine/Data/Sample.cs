namespace NativeVaccine.Data;

/// <summary>
/// One training sample: a sequence, or several parts of a packed record, which do not see each other. Labels lie beside their tokens,
/// unshifted: the loss at position t - 1 predicts <c>Labels[t]</c>, so the label at the first position of a part never counts.
/// </summary>
/// <param name="InputIds">Token ids, T of them, part after part.</param>
/// <param name="Labels">T labels: the token to be predicted, or <see cref="IgnoredLabel"/>.</param>
public sealed record Sample(int[] InputIds, int[] Labels)
{
    /// <summary>A label that takes no part in the loss.</summary>
    public const int IgnoredLabel = -100;

    /// <summary>Tokens of each part, T together; one part unless said.</summary>
    public IReadOnlyList<int> PartLengths { get; init; } = [InputIds.Length];

    /// <summary>Whether the answer of each part refuses; null where nobody asked (<see cref="SampleForm.IsRefusal"/>).</summary>
    public IReadOnlyList<bool>? Refuses { get; init; }

    /// <summary>Tokens of the longest part.</summary>
    public int LongestPart => PartLengths.Max();

    /// <summary>How many labels take part in the loss: those that are not ignored, without the first one of each part.</summary>
    public int LabelCount => Split(Labels).Sum(CountOf);

    /// <summary>A sample of several parts.</summary>
    internal static Sample Of(IReadOnlyList<(int[] Ids, int[] Labels)> parts) =>
        new([.. parts.SelectMany(static part => part.Ids)], [.. parts.SelectMany(static part => part.Labels)])
        {
            PartLengths = [.. parts.Select(static part => part.Ids.Length)],
        };

    /// <summary>How many labels of a part take part in the loss.</summary>
    internal static int CountOf(int[] labels) => labels.Skip(1).Count(static label => label != IgnoredLabel);

    /// <summary>T values, part by part.</summary>
    internal IEnumerable<int[]> Split(int[] values)
    {
        int begin = 0;
        foreach (int length in PartLengths)
        {
            yield return values[begin..(begin + length)];
            begin += length;
        }
    }
}
