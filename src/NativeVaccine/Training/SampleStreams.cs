using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>The largest batches of a run.</summary>
/// <param name="MaxTokens">Tokens of the largest one.</param>
/// <param name="MaxSamples">Samples of the one that has most.</param>
/// <param name="LongestSample">Tokens of the longest sample.</param>
/// <param name="MaxLabels">Labels that count of the batch that has most.</param>
public sealed record BatchLimits(int MaxTokens, int MaxSamples, int LongestSample, int MaxLabels);

/// <summary>
/// Which samples every step takes: training samples in a shuffled order, the other streams' one after another, or all as the run did that is
/// followed.
/// </summary>
public sealed class SampleStreams
{
    private readonly TrainingOptions options;
    private readonly TrainingData data;
    private readonly SampleOrder order;
    private readonly Dictionary<SampleKind, PoolOrder> pools;
    private readonly SampleKind? otherSide;
    private readonly SortedDictionary<string, long> positions = new(StringComparer.Ordinal);

    /// <summary>The streams of a run.</summary>
    /// <exception cref="InputException">
    /// There are no samples, or the run that is followed has more micro-batches in a step than the options allow.
    /// </exception>
    public SampleStreams(TrainingOptions options, TrainingData data)
    {
        (this.options, this.data) = (options, data);
        order = new SampleOrder(data.Samples.Count, options.Batch, options.Accumulate, options.Epochs, options.Seed);
        pools = data.Pools.ToDictionary(static pool => pool.Key, pool => new PoolOrder(pool.Value.Samples.Count, options.Seed, pool.Key));
        MethodInfo info = MethodCatalog.Require(options.Method);
        otherSide = info.Pairs?.Kind;
        if (otherSide is { } other && Pool(other).Samples.Count != data.Samples.Count)
            throw new InputException($"{data.Samples.Count} harmless sides of pairs and {Pool(other).Samples.Count} others; expected as many");
        // Random numbers are named by step and micro-batch, so their count in a step must be known beforehand.
        foreach (ReplayStep step in data.Replay ?? [])
        {
            int count = step.Of(info.MainStream(step))?.Count ?? 0;
            if (count > options.Accumulate)
            {
                throw new InputException(
                    $"replay: step {step.Step} has {count} micro-batches; expected at most {options.Accumulate} (--accumulate)");
            }
        }
    }

    /// <summary>Optimizer steps of the run.</summary>
    public int TotalSteps => data.Replay?.Count ?? order.TotalSteps;

    /// <summary>How many samples were taken from each stream but the training samples, by its name: for a checkpoint.</summary>
    public IReadOnlyDictionary<string, long> Positions
    {
        get => positions;
        set
        {
            positions.Clear();
            foreach ((string kind, long position) in value) positions[kind] = position;
        }
    }

    /// <summary>The pass over the data, from 0, in which a step lies.</summary>
    public int Epoch(int step) => step / order.StepsPerEpoch;

    /// <summary>What the run that is followed did in a step; null if none is.</summary>
    public ReplayStep? Replay(int step) => data.Replay?[step];

    /// <summary>The samples of a stream.</summary>
    /// <exception cref="InputException">The run has none.</exception>
    public SamplePool Pool(SampleKind kind) => data.Find(kind)
        ?? throw new InputException($"method {options.Method} takes {kind.Word()} samples, and there are none");

    /// <summary>Tokens of some samples of a stream; of training samples that are sides of pairs, with those of the other sides.</summary>
    public long TokensOf(SampleKind kind, IEnumerable<int> samples) => samples.Sum(index => (long)Pool(kind).Samples[index].InputIds.Length
        + (kind == SampleKind.Training && otherSide is { } other ? Pool(other).Samples[index].InputIds.Length : 0));

    /// <summary>
    /// The micro-batches that a step takes next; none of the training samples where the step that is followed took none. Of the
    /// other sides of pairs they are those of the training samples.
    /// </summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<int[]> Take(SampleKind kind, int step)
    {
        int poolSize = Pool(kind).Samples.Count;
        if (kind == otherSide) return Take(SampleKind.Training, step);
        if (Replay(step)?.Of(kind) is { } followed) return followed;
        if (kind == SampleKind.Training) return Replay(step) is null ? order.Batch(step) : [];
        int count = TakenAtATime(kind, poolSize);
        long position = positions.GetValueOrDefault(kind.Word());
        positions[kind.Word()] = position + count;
        return [.. pools[kind].Take(position, count).Chunk(options.BatchOf(kind))];
    }

    /// <summary>All samples of a stream in their order.</summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<int[]> TakeAll(SampleKind kind, int step) =>
        Replay(step)?.Of(kind) ?? [.. Enumerable.Range(0, Pool(kind).Samples.Count).Chunk(options.Batch)];

    /// <summary>
    /// The largest batches: of the training samples and of the other sides of pairs exactly, of other streams as large as the longest samples
    /// make them.
    /// </summary>
    public BatchLimits Limits()
    {
        int tokens = 0, samples = 0, longest = 0, labels = 0;
        for (int step = 0; step < TotalSteps; step++)
        {
            if (Replay(step) is not { } followed)
            {
                IncludeAll(SampleKind.Training, order.Batch(step));
                continue;
            }
            foreach ((SampleKind kind, IReadOnlyList<int[]> batches) in followed.Samples) IncludeAll(kind, batches);
        }
        foreach ((SampleKind kind, SamplePool pool) in data.Pools.Where(pool => pool.Key != otherSide))
        {
            int count = Math.Min(options.BatchOf(kind), pool.Samples.Count);
            // A batch that begins in one round of the pool and ends in the next may have a sample twice.
            bool mayRepeat = pool.Samples.Count % count != 0 && TakenAtATime(kind, pool.Samples.Count) < pool.Samples.Count;
            Include(Largest(pool, count, mayRepeat, static sample => sample.InputIds.Length), pool);
            Include(Largest(pool, count, mayRepeat, static sample => sample.PartLengths.Count), pool);
            Include(Largest(pool, count, mayRepeat, static sample => sample.LabelCount), pool);
            longest = Math.Max(longest, pool.Samples.Max(static sample => sample.LongestPart));
        }
        return new BatchLimits(tokens, samples, longest, labels);

        void IncludeAll(SampleKind kind, IReadOnlyList<int[]> batches)
        {
            foreach (int[] batch in batches) Include(batch, Pool(kind));
            if (kind == SampleKind.Training && otherSide is { } other) IncludeAll(other, batches);
        }

        void Include(int[] batch, SamplePool pool)
        {
            samples = Math.Max(samples, batch.Sum(index => pool.Samples[index].PartLengths.Count));
            tokens = Math.Max(tokens, Batch.RequireTokens(batch.Sum(index => (long)pool.Samples[index].InputIds.Length)));
            longest = Math.Max(longest, batch.Max(index => pool.Samples[index].LongestPart));
            labels = Math.Max(labels, batch.Sum(index => pool.Samples[index].LabelCount));
        }
    }

    /// <summary>How many samples of a stream are taken together, in one or more batches.</summary>
    private int TakenAtATime(SampleKind kind, int poolSize)
    {
        int wanted = options.PoolOf(kind)?.SamplesAtATime(options.Settings) ?? 0;
        return (int)Math.Min(wanted > 0 ? wanted : (long)options.Batch * options.Accumulate, poolSize);
    }

    private static int[] Largest(SamplePool pool, int count, bool mayRepeat, Func<Sample, int> size)
    {
        IEnumerable<int> falling = Enumerable.Range(0, pool.Samples.Count).OrderByDescending(index => size(pool.Samples[index]));
        return [.. (mayRepeat ? falling.SelectMany(static index => new[] { index, index }) : falling).Take(count)];
    }
}
