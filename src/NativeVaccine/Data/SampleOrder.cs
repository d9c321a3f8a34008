using NativeVaccine.Numerics;

namespace NativeVaccine.Data;

/// <summary>
/// Which samples each optimizer step sees: every epoch is a fresh permutation of all samples, cut into micro-batches, the last of which may
/// be smaller. A pure function of the seed and the step, so a resumed run continues in the same order without any saved state.
/// Not safe for use by several threads at once (the permutation of the last epoch asked for is kept).
/// </summary>
public sealed class SampleOrder
{
    private readonly int sampleCount;
    private readonly int batchSize;
    private readonly int samplesPerStep;
    private readonly ulong seed;
    private int epochAtHand = -1;
    private int[] permutation = [];

    /// <summary>The order for <paramref name="epochs"/> passes over <paramref name="sampleCount"/> samples.</summary>
    /// <param name="sampleCount">How many samples there are.</param>
    /// <param name="batchSize">Samples of a micro-batch.</param>
    /// <param name="accumulate">Micro-batches of an optimizer step.</param>
    /// <param name="epochs">Passes over the data.</param>
    /// <param name="seed">The seed of the run.</param>
    /// <exception cref="InputException">One of the numbers is not positive, or there would be more steps than can be counted.</exception>
    public SampleOrder(int sampleCount, int batchSize, int accumulate, int epochs, ulong seed)
    {
        RequirePositive(sampleCount, "the number of samples");
        RequirePositive(batchSize, "the batch size");
        RequirePositive(accumulate, "the number of accumulated batches");
        RequirePositive(epochs, "the number of epochs");
        this.sampleCount = sampleCount;
        this.batchSize = batchSize;
        samplesPerStep = (int)Math.Min((long)batchSize * accumulate, sampleCount);
        this.seed = seed;
        StepsPerEpoch = (int)(((long)sampleCount + samplesPerStep - 1) / samplesPerStep);
        long totalSteps = (long)epochs * StepsPerEpoch;
        if (totalSteps > int.MaxValue)
            throw new InputException(
                $"{epochs} epochs of {StepsPerEpoch} steps are too many: expected at most {int.MaxValue} steps in all");
        TotalSteps = (int)totalSteps;
    }

    /// <summary>Optimizer steps of one epoch: samples over (batch size * accumulated batches), rounded up.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>Optimizer steps of the run.</summary>
    public int TotalSteps { get; }

    /// <summary>The micro-batches of an optimizer step (from 0): indices of samples.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such step.</exception>
    public IReadOnlyList<int[]> Batch(int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(step, TotalSteps);
        int epoch = step / StepsPerEpoch;
        if (epoch != epochAtHand)
        {
            permutation = new PhiloxStream(seed, RandomPurpose.SampleOrder, (ulong)epoch).Permutation(sampleCount);
            epochAtHand = epoch;
        }

        int begin = step % StepsPerEpoch * samplesPerStep;
        int end = (int)Math.Min((long)begin + samplesPerStep, sampleCount);
        return [.. permutation[begin..end].Chunk(batchSize)];
    }

    private static void RequirePositive(int value, string what)
    {
        if (value <= 0)
            throw new InputException($"{what} is {value}: expected at least 1");
    }
}
