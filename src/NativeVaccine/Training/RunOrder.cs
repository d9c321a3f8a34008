using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Training;

/// <summary>The largest batches of a run.</summary>
/// <param name="MaxTokens">Tokens of the largest one.</param>
/// <param name="MaxSamples">Samples of the one that has most.</param>
/// <param name="LongestSample">Tokens of the longest sample.</param>
public sealed record BatchLimits(int MaxTokens, int MaxSamples, int LongestSample);

/// <summary>
/// Which samples every step uses: a shuffled order of its own, or that of the run that is followed. It has no state to be saved.
/// </summary>
public sealed class RunOrder
{
    private readonly TrainingData data;
    private readonly SampleOrder order;

    /// <summary>The order of a run.</summary>
    /// <exception cref="InputException">
    /// There are no samples, or the run that is followed has more micro-batches in a step than the options allow.
    /// </exception>
    public RunOrder(TrainingOptions options, TrainingData data)
    {
        this.data = data;
        order = new SampleOrder(data.Samples.Count, options.Batch, options.Accumulate, options.Epochs, options.Seed);
        // Random numbers are named by step and micro-batch, so their count in a step must be known beforehand.
        foreach (ReplayStep step in data.Replay ?? [])
        {
            int count = step.MicroBatches.Count;
            if (count > options.Accumulate)
            {
                throw new InputException(
                    $"replay: step {step.Step} has {count} micro-batches; expected at most {options.Accumulate} (--accumulate)");
            }
        }
    }

    /// <summary>Optimizer steps of the run.</summary>
    public int TotalSteps => data.Replay?.Count ?? order.TotalSteps;

    /// <summary>The pass over the data, from 0, in which a step lies.</summary>
    public int Epoch(int step) => step / order.StepsPerEpoch;

    /// <summary>The samples of each micro-batch of a step.</summary>
    public IReadOnlyList<int[]> MicroBatches(int step) => Replay(step)?.MicroBatches ?? order.Batch(step);

    /// <summary>What the run that is followed did in a step; null if none is.</summary>
    public ReplayStep? Replay(int step) => data.Replay?[step];

    /// <summary>The largest batches, of training samples and of harmful ones.</summary>
    public BatchLimits Limits()
    {
        int tokens = 0, samples = 0, longest = 0;
        for (int step = 0; step < TotalSteps; step++)
        {
            foreach (int[] batch in MicroBatches(step)) Include(data.Samples, batch);
            if (data.Harmful is { } pool && Replay(step)?.ProbeSamples is { } probe) Include(pool, probe);
        }
        for (int i = 0; i < data.Harmful?.Count; i++) Include(data.Harmful, [i]);
        return new BatchLimits(tokens, samples, longest);

        void Include(IReadOnlyList<Sample> pool, int[] batch)
        {
            samples = Math.Max(samples, batch.Sum(index => pool[index].PartLengths.Count));
            tokens = Math.Max(tokens, Batch.RequireTokens(batch.Sum(index => (long)pool[index].InputIds.Length)));
            longest = Math.Max(longest, batch.Max(index => pool[index].LongestPart));
        }
    }
}
