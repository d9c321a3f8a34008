using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>What a method needs beyond the model, its gradients and the optimizer: the memory plan makes room for it.</summary>
public sealed record MethodNeeds
{
    /// <summary>Site tensors at the attention outputs.</summary>
    public SiteBudget AttentionSites { get; init; }

    /// <summary>Site tensors at the MLP outputs.</summary>
    public SiteBudget MlpSites { get; init; }

    /// <summary>Site tensors in the residual stream.</summary>
    public SiteBudget ResidualSites { get; init; }

    /// <summary>Parameter vectors of the method's own.</summary>
    public int ExtraVectors { get; init; }

    /// <summary>True if it looks at harmful samples.</summary>
    public bool HarmfulPool { get; init; }
}
