using NativeVaccine.Data;

namespace NativeVaccine.Training;

/// <summary>What a run learns from.</summary>
/// <param name="Samples">The training samples; each has a label that counts.</param>
/// <param name="Harmful">Harmful samples, for methods that look at them; null if there are none.</param>
/// <param name="Replay">The run that is followed, its indices counting samples; null if none is.</param>
public sealed record TrainingData(
    IReadOnlyList<Sample> Samples, IReadOnlyList<Sample>? Harmful = null, IReadOnlyList<ReplayStep>? Replay = null)
{
    /// <summary>The record of the file that each sample came from, which is what metrics and replay name; null if they are the same.</summary>
    public IReadOnlyList<int>? Records { get; init; }

    /// <summary>The same of the harmful samples.</summary>
    public IReadOnlyList<int>? HarmfulRecords { get; init; }
}
