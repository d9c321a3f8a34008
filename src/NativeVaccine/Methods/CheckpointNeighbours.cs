using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// The layers that the authors' code does not recompute: the chosen ones and, in models of more than 26 layers, the one below each. Its
/// recomputation cuts the gradient below the lowest of them, so for that code the rule decides what trains (docs/methods.md, "T-Vaccine").
/// </summary>
public static class CheckpointNeighbours
{
    private const int DeepestWithoutNeighbours = 26;

    /// <summary>The chosen layers with their neighbours.</summary>
    public static LayerSet Of(LayerSet chosen, int layerCount) => layerCount > DeepestWithoutNeighbours
        ? LayerSet.Of(chosen.Concat(chosen.Where(static layer => layer > 0).Select(static layer => layer - 1)))
        : chosen;
}
