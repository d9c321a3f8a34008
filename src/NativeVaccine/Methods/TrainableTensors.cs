using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Methods;

/// <summary>Which tensors T-Vaccine trains when some layers are chosen.</summary>
public static class TrainableTensors
{
    private static readonly Projection[] Attention = [.. Projections.All.Where(static projection => projection.IsAttention())];
    private static readonly Projection[] Mlp = [.. Projections.All.Where(static projection => !projection.IsAttention())];

    /// <summary>The lowest layer that gets a gradient.</summary>
    public static int Floor(BackwardFloor floor, LayerSet chosen, int layerCount) => floor switch
    {
        BackwardFloor.Chosen => chosen.Lowest,
        BackwardFloor.Neighbours => CheckpointNeighbours.Of(chosen, layerCount).Lowest,
        BackwardFloor.None => 0,
        _ => throw new ArgumentOutOfRangeException(nameof(floor)),
    };

    /// <summary>The tensors that get one.</summary>
    public static TensorSet Of(Session session, FreezeScope scope, LayerSet chosen, int floor) => scope switch
    {
        FreezeScope.Layer => session.TensorsOf(chosen),
        FreezeScope.Attention => session.TensorsOf(chosen, Attention)
            .Union(session.TensorsOf(LayerSet.Of(Enumerable.Range(floor, session.LayerCount - floor)), Mlp)),
        _ => throw new ArgumentOutOfRangeException(nameof(scope)),
    };
}
