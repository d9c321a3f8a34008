namespace NativeVaccine.TorchReference;

/// <summary>The arithmetic of a reference model.</summary>
public enum ReferencePrecision
{
    /// <summary>float32, as users train.</summary>
    Fp32,

    /// <summary>float64: the truth that float32 engines are held against.</summary>
    Fp64,
}

/// <summary>A sample of a batch.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Labels">As many labels, unshifted: the logits at t - 1 predict label t; -100 is ignored.</param>
public sealed record ReferenceSample(int[] Ids, int[] Labels)
{
    /// <summary>The label that no loss counts.</summary>
    public const int Ignored = -100;

    /// <summary>Labels that the loss counts: all but the first position's.</summary>
    public int LabelCount => Labels.Skip(1).Count(label => label != Ignored);
}

/// <summary>What a site is the output of.</summary>
public enum ReferenceSiteKind
{
    /// <summary>The attention's output projection with its LoRA, before the residual add.</summary>
    AttentionOutput,

    /// <summary>The MLP's down projection with its LoRA, before the residual add.</summary>
    MlpOutput,

    /// <summary>The residual stream: index 0 is the embeddings, index l what block l - 1 leaves.</summary>
    Residual,
}

/// <summary>A named point of the network.</summary>
/// <param name="Kind">What it is the output of.</param>
/// <param name="Index">The layer; for <see cref="ReferenceSiteKind.Residual"/> 0 to the number of layers.</param>
public readonly record struct ReferenceSite(ReferenceSiteKind Kind, int Index);

/// <summary>What a further loss compares a row's softmax p over the vocabulary with.</summary>
public enum ReferenceLossKind
{
    /// <summary>The batch's labels: cross-entropy.</summary>
    Labels,

    /// <summary><see cref="ReferenceRunOptions.TeacherLogits"/>: sum t (ln t - ln p).</summary>
    Teacher,

    /// <summary>Nothing: sum p ln p.</summary>
    NegativeEntropy,
}

/// <summary>A further loss, the mean over the labelled tokens: final norm, head, and a comparison.</summary>
/// <param name="Residual">The residual index that it reads.</param>
/// <param name="Weight">What it is multiplied by.</param>
/// <param name="Kind">The comparison.</param>
/// <param name="Norms">How many times the final norm is applied.</param>
public sealed record ReferenceHead(
    int Residual, double Weight, ReferenceLossKind Kind = ReferenceLossKind.Labels, int Norms = 1);

/// <summary>What a run adds to a plain forward and backward pass. Site tensors are (T, hidden), all samples one after another.</summary>
public sealed record ReferenceRunOptions
{
    /// <summary>Constants added at sites; no gradient flows through them.</summary>
    public IReadOnlyDictionary<ReferenceSite, double[]> Perturbations { get; init; } = new Dictionary<ReferenceSite, double[]>();

    /// <summary>Gradients added to those of the loss at sites, as if a further loss had put them there.</summary>
    public IReadOnlyDictionary<ReferenceSite, double[]> AddedGradients { get; init; } = new Dictionary<ReferenceSite, double[]>();

    /// <summary>Further losses read from the residual stream.</summary>
    public IReadOnlyList<ReferenceHead> Heads { get; init; } = [];

    /// <summary>(T_i, vocabulary) of sample i, as another run's <see cref="ReferenceResult.Logits"/>, for heads that compare with a teacher.</summary>
    public double[][] TeacherLogits { get; init; } = [];

    /// <summary>
    /// What the LoRA branch's input is multiplied by, (T, in), by module path as <c>layers.0.self_attn.q_proj</c>; 0 or 1 / (1 - p).
    /// </summary>
    public IReadOnlyDictionary<string, double[]> DropoutMasks { get; init; } = new Dictionary<string, double[]>();

    /// <summary>Which parameters' gradients are computed, by name; all, unless told. It only saves time.</summary>
    public Func<string, bool> GradientsOf { get; init; } = static _ => true;
}

/// <summary>A sample's share of the loss.</summary>
/// <param name="Sum">Cross-entropy summed over its labelled tokens.</param>
/// <param name="Labels">How many those are.</param>
public readonly record struct ReferenceSampleLoss(double Sum, int Labels);

/// <summary>Everything that a run saw. Site tensors are (T, hidden), all samples one after another.</summary>
public sealed class ReferenceResult
{
    internal ReferenceResult(int samples, int heads)
    {
        HeadLossSums = new double[heads];
        Samples = new ReferenceSampleLoss[samples];
        Logits = new double[samples][];
    }

    public ReferenceSampleLoss[] Samples { get; }

    /// <summary>(T_i, vocabulary) of sample i, a row for every token.</summary>
    public double[][] Logits { get; }

    public double LossSum => Samples.Sum(sample => sample.Sum);

    public int LabelCount => Samples.Sum(sample => sample.Labels);

    /// <summary>The mean over the batch's labelled tokens; 0 where there is none. Gradients are of this, plus what options add.</summary>
    public double MeanLoss => LossSum / Math.Max(LabelCount, 1);

    /// <summary>The loss sums of <see cref="ReferenceRunOptions.Heads"/>, not weighted.</summary>
    public double[] HeadLossSums { get; }

    /// <summary>Each site's own value, before its perturbation.</summary>
    public Dictionary<ReferenceSite, double[]> Activations { get; } = [];

    public Dictionary<ReferenceSite, double[]> SiteGradients { get; } = [];

    /// <summary>
    /// Gradients of every weight, by Hugging Face name, and of every LoRA matrix, as <c>layers.0.self_attn.q_proj.lora_A</c>; of those
    /// that <see cref="ReferenceRunOptions.GradientsOf"/> names.
    /// </summary>
    public Dictionary<string, double[]> Gradients { get; } = new(StringComparer.Ordinal);

    /// <summary>The L2 norm of the gradient at a site, over the whole batch.</summary>
    public double SiteGradientNorm(ReferenceSite site) => Math.Sqrt(SiteGradients[site].Sum(value => value * value));
}
