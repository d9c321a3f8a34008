namespace NativeVaccine.Engine;

/// <summary>What a <see cref="LossHead"/> computes of a row, in nats. p: the softmax over the vocabulary of the row's logits.</summary>
public enum LossKind
{
    /// <summary>Cross-entropy: -ln p of the label.</summary>
    Labels,

    /// <summary>
    /// The Kullback-Leibler divergence sum t (ln t - ln p) from the teacher's t of the same row, as
    /// <see cref="ForwardOptions.RecordTeacher"/> kept it last. Its gradient goes through p alone.
    /// </summary>
    Teacher,

    /// <summary>sum p ln p, whose least value is that of even probabilities.</summary>
    NegativeEntropy,
}

/// <summary>
/// A loss over the labelled rows of the residual stream at a point, after what is added there: final norm, lm_head, loss. Heads of one
/// point and number of norms share their logits, and no two of them may be of one kind.
/// </summary>
/// <param name="Point">0 enters layer 0, L leaves the last layer. Below L only in a session that trains.</param>
/// <param name="Kind">What is computed of each row.</param>
/// <param name="Weight">Of its sum in the pass's loss.</param>
/// <param name="Norms">How many times the final norm is applied: 1, or 2 as RepNoise's reference does at L.</param>
public sealed record LossHead(int Point, LossKind Kind = LossKind.Labels, float Weight = 1, int Norms = 1);

/// <summary>What a forward pass is to do besides computing the loss.</summary>
public sealed record ForwardOptions
{
    /// <summary>True if LoRA's inputs are dropped out.</summary>
    public bool Dropout { get; init; }

    /// <summary>Seed of the run; with <see cref="Step"/> and <see cref="Pass"/> it fixes the dropout masks.</summary>
    public ulong Seed { get; init; }

    /// <summary>Step of the run.</summary>
    public uint Step { get; init; }

    /// <summary>Pass of the step, from 0 to 15; two passes with the same number have the same masks.</summary>
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

    /// <summary>The losses that the pass computes; null for labels at L with weight 1, empty for none.</summary>
    public IReadOnlyList<LossHead>? Heads { get; init; }

    /// <summary>
    /// True if the hidden state of the labelled rows is kept for heads of <see cref="LossKind.Teacher"/>, until the next such pass. A pass
    /// with such a head must have as many labelled rows.
    /// </summary>
    public bool RecordTeacher { get; init; }

    /// <summary>True if the pass runs without the adapters and their dropout; only for evaluation.</summary>
    public bool AdapterOff { get; init; }
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
    private readonly Scalar[] headLossSums;

    internal PassResult(long labelCount, Scalar? lossSum, Scalar[] headLossSums)
    {
        LabelCount = labelCount;
        this.lossSum = lossSum;
        this.headLossSums = headLossSums;
    }

    /// <summary>Labels that take part in the loss.</summary>
    public long LabelCount { get; }

    /// <summary>The sum of their losses in nats, weighted over the heads.</summary>
    /// <exception cref="InvalidOperationException">The batch had no labels.</exception>
    public Scalar LossSum => lossSum ?? throw new InvalidOperationException("a batch without labels has no loss");

    /// <summary>The sum over the count; NaN if no label counts. The first reading waits.</summary>
    public double MeanLoss => LossSum.Value / LabelCount;

    /// <summary>
    /// The mean loss in nats of a head of <see cref="ForwardOptions.Heads"/>, not weighted; NaN if no label counts. The first reading
    /// waits.
    /// </summary>
    /// <param name="head">Its place in the list.</param>
    /// <exception cref="InvalidOperationException">The batch had no labels.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The pass had no such head.</exception>
    public double HeadLoss(int head)
    {
        _ = LossSum;
        ArgumentOutOfRangeException.ThrowIfNegative(head);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(head, headLossSums.Length);
        return headLossSums[head].Value / LabelCount;
    }
}
