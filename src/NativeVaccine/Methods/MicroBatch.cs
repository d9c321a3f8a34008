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
    /// <summary>A pass of a stream is numbered so much above the same pass of the stream before.</summary>
    private const uint PassesOfAStream = 256;

    /// <summary>The stream that its samples come from.</summary>
    public SampleKind Kind { get; init; }

    /// <summary>True if adapters' inputs are dropped out.</summary>
    public bool Dropout { get; init; }

    /// <summary>Seed of the run.</summary>
    public ulong Seed { get; init; }

    /// <summary>Counts the micro-batches of the run: with seed and stream it names the random numbers that belong to this one.</summary>
    public uint Number { get; init; }

    /// <summary>Options of a forward pass with the dropout masks that belong to a pass of this micro-batch, numbered from 1.</summary>
    public ForwardOptions PassOptions(uint pass) =>
        new() { Dropout = Dropout, Seed = Seed, Step = Number, Pass = ((uint)Kind * PassesOfAStream) + pass };
}
