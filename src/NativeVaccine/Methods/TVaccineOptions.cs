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

    /// <summary>To the lowest layer that the authors' code does not recompute: see <see cref="CheckpointNeighbours"/>.</summary>
    Neighbours,

    /// <summary>As far as anything trains.</summary>
    None,
}

/// <summary>The settings of T-Vaccine, by the names of the paper.</summary>
/// <param name="Rho">Norm of the perturbation, all chosen layers together.</param>
/// <param name="Layers">S: how many layers are chosen.</param>
/// <param name="ResampleEvery">J: a choice stands for so many steps.</param>
/// <param name="ProbeEvery">K: a look at a harmful sample stands for so many steps.</param>
public sealed record TVaccineOptions(double Rho, int Layers, int ResampleEvery, int ProbeEvery)
{
    /// <summary>What trains.</summary>
    public FreezeScope FreezeScope { get; init; } = FreezeScope.Layer;

    /// <summary>Where the training pass stops.</summary>
    public BackwardFloor BackwardFloor { get; init; } = BackwardFloor.Chosen;

    /// <summary>True if the second pass drops out what the first did.</summary>
    public bool SameMasks { get; init; }
}
