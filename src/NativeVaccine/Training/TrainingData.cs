using NativeVaccine.Data;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Training;

/// <summary>The samples of a stream.</summary>
/// <param name="Samples">They; each has a label that counts.</param>
/// <param name="Records">The record of the file that each came from, which is what metrics and replay name; null if they are the same.</param>
public sealed record SamplePool(IReadOnlyList<Sample> Samples, IReadOnlyList<int>? Records = null)
{
    /// <summary>The records of some samples.</summary>
    public int[] RecordsOf(IEnumerable<int> samples) => [.. samples.Select(sample => Records?[sample] ?? sample)];
}

/// <summary>What a run learns from, and what it is looked at with.</summary>
/// <param name="Training">The training samples.</param>
public sealed record TrainingData(SamplePool Training)
{
    /// <summary>Training samples that were not read from a file.</summary>
    public TrainingData(IReadOnlyList<Sample> samples)
        : this(new SamplePool(samples))
    {
    }

    /// <summary>The training samples.</summary>
    public IReadOnlyList<Sample> Samples => Training.Samples;

    /// <summary>The samples of the other streams that the method takes from.</summary>
    public IReadOnlyDictionary<SampleKind, SamplePool> Pools { get; init; } = new Dictionary<SampleKind, SamplePool>();

    /// <summary>What the model is asked on its way; null for nothing.</summary>
    public HarmfulPrompts? TamperPrompts { get; init; }

    /// <summary>The run that is followed, its indices counting samples; null if none is.</summary>
    public IReadOnlyList<ReplayStep>? Replay { get; init; }

    /// <summary>The samples of a stream; null if there are none.</summary>
    public SamplePool? Find(SampleKind kind) => kind == SampleKind.Training ? Training : Pools.GetValueOrDefault(kind);
}
