using NativeVaccine.Engine;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>All that a run goes on from: what a checkpoint holds.</summary>
/// <param name="Session">Parameters, moments, and the method's own vectors.</param>
/// <param name="Method">What it remembers besides.</param>
/// <param name="Info">What it is called.</param>
/// <param name="Streams">How far each stream is taken.</param>
public sealed record RunState(Session Session, Method Method, MethodInfo Info, SampleStreams Streams)
{
    /// <summary>The method's own vectors that a later step needs.</summary>
    internal IReadOnlyList<(MethodVector Vector, ParameterVector Values)> Kept =>
        [.. Method.Needs.Vectors.Index().Where(static vector => vector.Item.IsKept).Select(vector => (vector.Item, Session.Extra(vector.Index)))];

    /// <summary>What they hold.</summary>
    internal IReadOnlyList<ParameterVector> KeptVectors => [.. Kept.Select(static kept => kept.Values)];
}
