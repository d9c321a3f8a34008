using NativeVaccine.Data;

namespace NativeVaccine.Methods;

/// <summary>
/// What a method is called, what it uses and what it tells. Every method declares its own in its file; command line, config.json, checks,
/// help, metrics, report and replay follow from it.
/// </summary>
/// <param name="Name">The name by which the command line selects it.</param>
/// <param name="Create">Makes it with the settings of a run.</param>
public sealed record MethodInfo(string Name, Func<MethodSettings, Method> Create)
{
    /// <summary>The stages of a model's life that it is for.</summary>
    public required IReadOnlyList<Training.TrainingStage> Stages { get; init; }

    /// <summary>The options that it uses, besides those of every run. Others' options are refused where it is selected.</summary>
    public IReadOnlyList<MethodOption> Options { get; init; } = [];

    /// <summary>Those of its options that are files of samples.</summary>
    public IEnumerable<PoolOption> Pools => Options.OfType<PoolOption>();

    /// <summary>Those of them that are streams beside the training samples.</summary>
    public IEnumerable<PoolOption> Streams => Pools.Where(static pool => pool.Appended is null);

    /// <summary>The one of them that stands in place of <c>--data</c>; null where the training samples are no sides of pairs.</summary>
    public PoolOption? Pairs => Pools.FirstOrDefault(static pool => pool.OfPairs);

    /// <summary>What its steps tell, beside the numbers of every method, that a report draws.</summary>
    public IReadOnlyList<MethodMetric> Metrics { get; init; } = [];

    /// <summary>What its lines of replay.jsonl have beside the samples.</summary>
    public IReadOnlyList<ReplayField> Replay { get; init; } = [];

    /// <summary>For a method whose steps are of several states, which take their samples from different streams; null for others.</summary>
    public ReplayStates? States { get; init; }

    /// <summary>The stream that a step trains on, which is what its field <c>samples</c> is of.</summary>
    public SampleKind MainStream(Training.ReplayStep step) => States?.MainStream(step.Word(States.Field)) ?? SampleKind.Training;

    /// <summary>Why there is no preset "reference": what the authors' program computes is not worth following. Null if there is one.</summary>
    public string? WhyNoReference { get; init; }
}

/// <summary>How a report draws a metric.</summary>
public enum MetricKind
{
    /// <summary>A number for each step: a curve.</summary>
    Number,

    /// <summary>Layer numbers: a column for each step, filled where a layer is named.</summary>
    Layers,

    /// <summary>A share for each layer, in some steps: a column for each of those.</summary>
    LayerShares,

    /// <summary>A number for each layer, likewise.</summary>
    LayerNumbers,
}

/// <summary>A metric that a report draws.</summary>
/// <param name="Name">Its field in metrics.jsonl.</param>
/// <param name="Title">Heading of its chart.</param>
/// <param name="Note">What it is, in a sentence.</param>
/// <param name="Kind">How it is drawn.</param>
public sealed record MethodMetric(string Name, string Title, string Note, MetricKind Kind = MetricKind.Number);

/// <summary>A field of replay.jsonl. Where it is also a metric, it is the metric of the same name.</summary>
/// <param name="Name">Its name.</param>
public abstract record ReplayField(string Name);

/// <summary>Samples that were taken from a stream.</summary>
/// <param name="Name">The field.</param>
/// <param name="Kind">The stream.</param>
/// <param name="InBatches">True for an array of arrays, a micro-batch each; false for one array of all samples.</param>
public sealed record ReplaySamples(string Name, SampleKind Kind, bool InBatches = false) : ReplayField(Name);

/// <summary>Layers that were chosen, ascending.</summary>
public sealed record ReplayLayers(string Name) : ReplayField(Name);

/// <summary>One of some words.</summary>
public sealed record ReplayWord(string Name, params IReadOnlyList<string> Words) : ReplayField(Name);

/// <summary>The states of a method's steps.</summary>
/// <param name="Field">The <see cref="ReplayWord"/>, and metric, that names a step's state.</param>
/// <param name="Streams">
/// The stream that a state trains on, which is what its field <c>samples</c> is of. What it takes from others stands under their own fields.
/// </param>
public sealed record ReplayStates(string Field, IReadOnlyDictionary<string, SampleKind> Streams)
{
    /// <summary>The stream that a step trains on.</summary>
    public SampleKind MainStream(string? state) => state is null ? SampleKind.Training : Streams[state];
}
