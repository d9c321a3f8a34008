namespace NativeVaccine.Data;

/// <summary>
/// Where the answers of a pair differ (RepNoise, arXiv 2405.14577): both sides begin with the same prompt and are laid beside each other,
/// the shorter one padded on the right with token 0.
/// </summary>
internal static class PairMask
{
    private const int Padding = 0;

    /// <summary>T marks: true where a side's token is part of its answer and is not the other side's at the same place.</summary>
    public static bool[] Of(Sample side, Sample other) => [.. side.InputIds.Select((id, t) =>
        side.Labels[t] != Sample.IgnoredLabel && id != (t < other.InputIds.Length ? other.InputIds[t] : Padding))];

    /// <summary>T labels, ignored where there is no mark. Token 0 is no label: the authors' program takes it for padding.</summary>
    public static int[] Labels(Sample side, bool[] mask) =>
        [.. side.Labels.Select((label, t) => mask[t] && label != Padding ? label : Sample.IgnoredLabel)];

    /// <summary>How many labels a side has where it differs from the other.</summary>
    public static int LabelCount(Sample side, Sample other) => Sample.CountOf(Labels(side, Of(side, other)));
}
