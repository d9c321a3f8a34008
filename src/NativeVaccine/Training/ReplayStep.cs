using System.Text.Json.Nodes;
using NativeVaccine.Data;

namespace NativeVaccine.Training;

/// <summary>What one optimizer step of a run used, so that another program can follow it.</summary>
/// <param name="Step">The step, from 0.</param>
/// <param name="Samples">The micro-batches that it took from each stream; what it did not take from is not there.</param>
public sealed record ReplayStep(int Step, IReadOnlyDictionary<SampleKind, IReadOnlyList<int[]>> Samples)
{
    /// <summary>A step that took training samples.</summary>
    public ReplayStep(int step, IReadOnlyList<int[]> training)
        : this(step, new Dictionary<SampleKind, IReadOnlyList<int[]>> { [SampleKind.Training] = training })
    {
    }

    /// <summary>The method's other fields, as its declaration has them.</summary>
    public JsonObject Values { get; init; } = [];

    /// <summary>The micro-batches that it took from a stream; null if none.</summary>
    public IReadOnlyList<int[]>? Of(SampleKind kind) => Samples.GetValueOrDefault(kind);

    /// <summary>A field of whole numbers, such as layers; null if the step has none.</summary>
    public int[]? Integers(string field) => Values[field] is JsonArray array ? [.. array.Select(static item => item!.GetValue<int>())] : null;

    /// <summary>A field with a word; null if the step has none.</summary>
    public string? Word(string field) => Values[field]?.GetValue<string>();
}
