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

    /// <summary>
    /// True if passes are compared with a teacher: room for the labelled rows of the largest batch
    /// (<see cref="ForwardOptions.RecordTeacher"/>). Not where all weights train.
    /// </summary>
    public bool HasTeacher { get; init; }

    /// <summary>True if the method looks at <see cref="Data.Sample.Refuses"/> of the training samples.</summary>
    public bool JudgesRefusals { get; init; }

    /// <summary>Parameter vectors of the method's own.</summary>
    public IReadOnlyList<MethodVector> Vectors { get; init; } = [];

    /// <summary>
    /// Optimizers of the method's own, <see cref="Session.Optimizers"/> from 1 on. A step that uses one resets it first: checkpoints do not
    /// hold them.
    /// </summary>
    public int FurtherOptimizers { get; init; }
}

/// <summary>A parameter vector of a method's own, zero before the first step.</summary>
/// <param name="Name">What it is, in checkpoints.</param>
/// <param name="IsKept">True if a step needs what an earlier one left in it, so that checkpoints hold it.</param>
public sealed record MethodVector(string Name, bool IsKept = false);
