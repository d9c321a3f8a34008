using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>A batch that goes through the model at once. A step has one, or several whose gradients are accumulated.</summary>
/// <param name="Batch">The samples.</param>
/// <param name="Share">
/// The weight of its mean loss in that of the step: one over the step's micro-batches, or its part of the step's labels, as
/// <see cref="LossMean"/> says.
/// </param>
public sealed record MicroBatch(Batch Batch, float Share)
{
    /// <summary>The engine tells so many passes of a step from each other.</summary>
    private const uint PassesOfAStep = 16;

    /// <summary>Odd, so that no two multiples of it are the same.</summary>
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    /// <summary>The samples, as they came from their stream.</summary>
    public IReadOnlyList<Sample> Samples { get; init; } = [];

    /// <summary>The stream that its samples come from.</summary>
    public SampleKind Kind { get; init; }

    /// <summary>True if adapters' inputs are dropped out.</summary>
    public bool Dropout { get; init; }

    /// <summary>Seed of the run.</summary>
    public ulong Seed { get; init; }

    /// <summary>Counts the micro-batches of the run: with seed and stream it names the random numbers that belong to this one.</summary>
    public uint Number { get; init; }

    /// <summary>Options of a forward pass with the dropout masks that belong to a pass of this micro-batch, numbered from 1.</summary>
    public ForwardOptions PassOptions(uint pass)
    {
        // What the engine's number of a pass cannot hold makes another seed: the stream, and every sixteen passes.
        ulong other = ((ulong)Kind << 32) | (pass / PassesOfAStep);
        return new() { Dropout = Dropout, Seed = Seed ^ (other * Spread), Step = Number, Pass = pass % PassesOfAStep };
    }
}
