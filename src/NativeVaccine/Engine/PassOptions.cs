namespace NativeVaccine.Engine;

/// <summary>What a forward pass is to do besides computing the loss.</summary>
public sealed record ForwardOptions
{
    /// <summary>True if LoRA's inputs are dropped out.</summary>
    public bool Dropout { get; init; }

    /// <summary>Seed of the run; with <see cref="Step"/> and <see cref="Pass"/> it fixes the dropout masks.</summary>
    public ulong Seed { get; init; }

    /// <summary>Step of the run.</summary>
    public uint Step { get; init; }

    /// <summary>Pass of the step; two passes with the same number have the same masks.</summary>
    public uint Pass { get; init; }

    /// <summary>False for evaluation: activations are not kept, and no backward pass may follow.</summary>
    public bool ForBackward { get; init; } = true;

    /// <summary>
    /// 0; or a layer to start from, with the residual that the forward pass before left there. Batch and masks must be those of that pass.
    /// </summary>
    public int FromLayer { get; init; }

    /// <summary>Site tensors that receive the activations of their layers, before anything is added; at most one of a kind.</summary>
    public IReadOnlyList<SiteTensor> Record { get; init; } = [];

    /// <summary>Site tensors that are added to the activations of their layers; at most one of a kind.</summary>
    public IReadOnlyList<SiteTensor> Add { get; init; } = [];

    /// <summary>
    /// L + 1 weights of a loss head (final norm, lm_head, cross-entropy) at each point of the residual stream; null for one head of
    /// weight 1 after the last layer.
    /// </summary>
    public float[]? HeadWeights { get; init; }
}

/// <summary>What a backward pass is to compute. It goes down to the lowest layer that anything asked for needs, and no further.</summary>
public sealed record BackwardOptions
{
    /// <summary>Gradients are added to this vector; null for none.</summary>
    public ParameterVector? Gradients { get; init; }

    /// <summary>The tensors whose gradients are computed; null for all.</summary>
    public TensorSet? Tensors { get; init; }

    /// <summary>The gradient is that of LossScale times the mean loss of the batch.</summary>
    public float LossScale { get; init; } = 1;

    /// <summary>No layer below it gets a gradient.</summary>
    public int Floor { get; init; }

    /// <summary>Site tensors that receive the gradient at their layers; at most one of a kind.</summary>
    public IReadOnlyList<SiteTensor> Read { get; init; } = [];

    /// <summary>Site tensors that are added to the gradient at their layers; at most one of a kind.</summary>
    public IReadOnlyList<SiteTensor> Add { get; init; } = [];

    /// <summary>The kind of site where the gradient's norm is taken, unstored, in every layer from <see cref="Floor"/> up.</summary>
    public SiteKind? NormsOf { get; init; }
}

/// <summary>What a forward pass gave.</summary>
public sealed class PassResult
{
    private readonly Scalar? lossSum;

    internal PassResult(long labelCount, Scalar? lossSum)
    {
        LabelCount = labelCount;
        this.lossSum = lossSum;
    }

    /// <summary>Labels that take part in the loss.</summary>
    public long LabelCount { get; }

    /// <summary>The sum of their cross-entropies in nats, weighted over the heads.</summary>
    /// <exception cref="InvalidOperationException">The batch had no labels.</exception>
    public Scalar LossSum => lossSum ?? throw new InvalidOperationException("a batch without labels has no loss");

    /// <summary>The sum over the count; NaN if no label counts. The first reading waits.</summary>
    public double MeanLoss => LossSum.Value / LabelCount;
}
