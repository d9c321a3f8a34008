using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Methods;

/// <summary>What T-Vaccine freezes in the layers that were not chosen.</summary>
public enum FreezeScope
{
    /// <summary>Everything: only the chosen layers train. What the paper says.</summary>
    Layer,

    /// <summary>Their attention alone; MLPs train in every layer that a gradient reaches. What the authors' code does.</summary>
    Attention,
}

/// <summary>How far down T-Vaccine's training pass goes.</summary>
public enum BackwardFloor
{
    /// <summary>To the lowest chosen layer.</summary>
    Chosen,

    /// <summary>To the lowest layer that the authors' code does not recompute: see <see cref="TVaccineFreezing.NotRecomputed"/>.</summary>
    Neighbours,

    /// <summary>As far as anything trains.</summary>
    None,
}

/// <summary>Which tensors T-Vaccine trains when some layers are chosen.</summary>
public static class TVaccineFreezing
{
    private const int DeepestWithoutNeighbours = 26;
    private static readonly Projection[] Attention = [.. Projections.All.Where(static projection => projection.IsAttention())];
    private static readonly Projection[] Mlp = [.. Projections.All.Where(static projection => !projection.IsAttention())];

    /// <summary>
    /// The layers that the authors' code does not recompute: the chosen ones and, in models of more than 26 layers, the one below each. Its
    /// recomputation cuts the gradient below the lowest of them, so for that code the rule decides what trains (docs/methods.md, "T-Vaccine").
    /// </summary>
    public static LayerSet NotRecomputed(LayerSet chosen, int layerCount) => layerCount > DeepestWithoutNeighbours
        ? LayerSet.Of(chosen.Concat(chosen.Where(static layer => layer > 0).Select(static layer => layer - 1)))
        : chosen;

    /// <summary>The lowest layer that gets a gradient.</summary>
    public static int Floor(BackwardFloor floor, LayerSet chosen, int layerCount) => floor switch
    {
        BackwardFloor.Chosen => chosen.Lowest,
        BackwardFloor.Neighbours => NotRecomputed(chosen, layerCount).Lowest,
        BackwardFloor.None => 0,
        _ => throw new ArgumentOutOfRangeException(nameof(floor)),
    };

    /// <summary>The tensors that get one.</summary>
    public static TensorSet Trainable(Session session, FreezeScope scope, LayerSet chosen, int floor) => scope switch
    {
        FreezeScope.Layer => session.TensorsOf(chosen),
        FreezeScope.Attention => session.TensorsOf(chosen, Attention)
            .Union(session.TensorsOf(LayerSet.Of(Enumerable.Range(floor, session.LayerCount - floor)), Mlp)),
        _ => throw new ArgumentOutOfRangeException(nameof(scope)),
    };
}
