using NativeVaccine.Numerics;

namespace NativeVaccine.Data;

/// <summary>
/// Which harmful sample each probe uses: the pool is walked without replacement and shuffled anew each time it is through. A pure function
/// of the seed and the probe's number.
/// </summary>
public sealed class HarmfulPoolOrder
{
    private readonly int _poolSize;
    private readonly ulong _seed;

    /// <summary>The order for a pool of <paramref name="poolSize"/> samples.</summary>
    /// <exception cref="InputException">The pool is empty.</exception>
    public HarmfulPoolOrder(int poolSize, ulong seed)
    {
        if (poolSize <= 0)
            throw new InputException("the harmful pool is empty: expected at least 1 sample");
        _poolSize = poolSize;
        _seed = seed;
    }

    /// <summary>The index in the pool of the sample that probe number <paramref name="probe"/> (from 0) uses.</summary>
    public int Index(int probe)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(probe);
        var stream = new PhiloxStream(_seed, RandomPurpose.HarmfulPoolOrder, (ulong)(probe / _poolSize));
        return stream.Permutation(_poolSize)[probe % _poolSize];
    }
}
