using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>What a step takes from the streams, as micro-batches, and what of it is to be recorded.</summary>
public sealed class StepSamples
{
    private readonly SampleStreams streams;
    private readonly TrainingOptions options;
    private readonly int step;
    private readonly Dictionary<SampleKind, IReadOnlyList<int[]>> taken = [];
    private IReadOnlyList<MicroBatch>? training;

    /// <summary>What a step takes.</summary>
    public StepSamples(SampleStreams streams, TrainingOptions options, int step) =>
        (this.streams, this.options, this.step) = (streams, options, step);

    /// <summary>The samples that were taken from each stream.</summary>
    public IReadOnlyDictionary<SampleKind, IReadOnlyList<int[]>> Taken => taken;

    /// <summary>What the run that is followed did in this step; null if none is followed.</summary>
    public ReplayStep? Replay => streams.Replay(step);

    /// <summary>The micro-batches that come next in a stream; of the training samples those of the step, each time.</summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<MicroBatch> Take(SampleKind kind) => kind == SampleKind.Training
        ? training ??= Build(kind, streams.Take(kind, step))
        : Build(kind, streams.Take(kind, step));

    /// <summary>The micro-batches that so many takes from a stream give, one after another.</summary>
    /// <exception cref="InputException">The run has no samples of this stream, or follows one that did not take them so often.</exception>
    public IReadOnlyList<IReadOnlyList<MicroBatch>> Take(SampleKind kind, int times)
    {
        if (Replay?.Of(kind) is not { } followed) return [.. Enumerable.Range(0, times).Select(_ => Take(kind))];
        if (followed.Count % times != 0)
        {
            throw new InputException(FormattableString.Invariant(
                $"replay: step {step} has {followed.Count} {kind.Word()} micro-batches; expected a multiple of the {times} times that they are taken"));
        }
        return [.. followed.Chunk(followed.Count / times).Select(batches => Build(kind, batches))];
    }

    /// <summary>All samples of a stream in their order.</summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<MicroBatch> TakeAll(SampleKind kind) => Build(kind, streams.TakeAll(kind, step));

    private MicroBatch[] Build(SampleKind kind, IReadOnlyList<int[]> batches)
    {
        if (batches.Count == 0) return [];
        taken[kind] = taken.TryGetValue(kind, out IReadOnlyList<int[]>? before) ? [.. before, .. batches] : batches;
        SamplePool pool = streams.Pool(kind);
        Sample[][] samples = [.. batches.Select(batch => batch.Select(index => pool.Samples[index]).ToArray())];
        Batch[] built = [.. samples.Select(static batch => new Batch(batch))];
        float[] shares = Shares(built);
        return [.. built.Select((batch, index) => new MicroBatch(batch, shares[index])
        {
            Samples = samples[index],
            Kind = kind,
            Dropout = options.UsesDropout,
            Seed = options.Seed,
            Number = unchecked((uint)(((long)step * options.Accumulate) + index)),
        })];
    }

    /// <summary>The weight of each micro-batch's mean in that of all.</summary>
    private float[] Shares(Batch[] batches)
    {
        if (options.LossMean == LossMean.Batch) return [.. batches.Select(_ => 1f / batches.Length)];
        int[] labels = [.. batches.Select(static batch => batch.LabelCounts.ToArray().Sum())];
        return [.. labels.Select(count => (float)((double)count / labels.Sum()))];
    }
}
