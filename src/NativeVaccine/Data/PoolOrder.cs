using NativeVaccine.Numerics;

namespace NativeVaccine.Data;

/// <summary>
/// The order in which the samples of a pool are taken: without repetition, and shuffled anew each time the pool is through. A pure function
/// of seed and position.
/// </summary>
public sealed class PoolOrder
{
    private readonly int poolSize;
    private readonly ulong seed;
    private readonly uint purpose;
    private int[] permutation = [];
    private long roundAtHand = -1;

    /// <summary>The order of a stream.</summary>
    /// <param name="poolSize">Samples of the pool.</param>
    /// <param name="seed">Seed of the run.</param>
    /// <param name="kind">Each stream is shuffled by itself.</param>
    /// <exception cref="InputException">The pool is empty.</exception>
    public PoolOrder(int poolSize, ulong seed, SampleKind kind)
    {
        if (poolSize <= 0) throw new InputException($"the {kind.Word()} pool is empty: expected at least 1 sample");
        (this.poolSize, this.seed) = (poolSize, seed);
        purpose = kind switch
        {
            SampleKind.Harmful => RandomPurpose.HarmfulPoolOrder,
            SampleKind.Guide => RandomPurpose.GuidePoolOrder,
            SampleKind.Fisher => RandomPurpose.FisherPoolOrder,
            SampleKind.HeldOut => RandomPurpose.HeldOutPoolOrder,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "has an order of its own"),
        };
    }

    /// <summary>The samples at some positions, one after another: indices in the pool.</summary>
    /// <param name="position">How many were taken before, over all rounds.</param>
    /// <param name="count">How many.</param>
    public int[] Take(long position, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        int[] taken = new int[count];
        for (int i = 0; i < count; i++, position++)
        {
            long round = position / poolSize;
            if (round != roundAtHand)
                (permutation, roundAtHand) = (new PhiloxStream(seed, purpose, (ulong)round).Permutation(poolSize), round);
            taken[i] = permutation[position % poolSize];
        }
        return taken;
    }
}
