using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// The harmful samples that a method may look at, in an order without repetition that is shuffled anew each time the pool is through.
/// </summary>
/// <param name="samples">The pool; not empty.</param>
/// <param name="seed">Seed of the run.</param>
public sealed class HarmfulPool(IReadOnlyList<Sample> samples, ulong seed)
{
    private readonly HarmfulPoolOrder order = new(samples.Count, seed);

    /// <summary>The index of the sample that the look with this number, from 0, falls on.</summary>
    public int Draw(int look) => order.Index(look);

    /// <summary>A batch of some of the samples.</summary>
    public Batch Batch(IEnumerable<int> indices) => new([.. indices.Select(index => samples[index])]);
}
