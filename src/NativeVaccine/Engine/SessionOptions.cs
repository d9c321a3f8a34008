using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>The adapters that train: W x + Alpha / Rank * B A dropout(x) (Hu et al., arXiv 2106.09685).</summary>
/// <param name="Rank">r.</param>
/// <param name="Alpha">Numerator of the scale.</param>
/// <param name="Dropout">Probability with which an element of the adapter's input is dropped in training; from 0 and below 1.</param>
/// <param name="Targets">The projections that have an adapter, in every layer.</param>
public sealed record LoraOptions(int Rank, float Alpha, float Dropout, IReadOnlyList<Projection> Targets)
{
    /// <summary>The largest rank of a session.</summary>
    public const int LargestRank = 1024;

    /// <summary>What a session must have room for to run a model with an adapter beside it.</summary>
    /// <exception cref="InputException">Its layers differ, or its rank is above <see cref="LargestRank"/>.</exception>
    public static LoraOptions Of(Adapter adapter)
    {
        UniformLora form = adapter.RequireUniform("the adapter");
        if (form.Rank <= LargestRank) return new LoraOptions(form.Rank, (float)form.Alpha, 0, form.Targets);
        throw new InputException(FormattableString.Invariant(
            $"the adapters have rank {form.Rank} together; expected at most {LargestRank}; `nvaccine merge` bakes them into the model"));
    }
}

/// <summary>How many site tensors of a kind a session has room for.</summary>
/// <param name="Tensors">How many.</param>
/// <param name="Layers">How many layers each holds at once; 0 for all (and for the residual stream, all L + 1 points).</param>
public readonly record struct SiteBudget(int Tensors, int Layers = 0);

/// <summary>What a session must have room for. The plan is made from it, and the session never takes more.</summary>
public sealed record SessionOptions
{
    /// <summary>T: tokens of the largest batch, all samples together.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>B: samples of the largest batch.</summary>
    public required int MaxSamples { get; init; }

    /// <summary>Tokens of the longest sample.</summary>
    public required int LongestSample { get; init; }

    /// <summary>False for forward passes only, which need less memory.</summary>
    public bool Training { get; init; } = true;

    /// <summary>True if all weights train, in fp32, and there are no adapters.</summary>
    public bool Full { get; init; }

    /// <summary>The adapters; null for none.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>What the frozen matrices are held in: Float32 or BFloat16.</summary>
    public ElementType WeightType { get; init; } = ElementType.Float32;

    /// <summary>What activations are held in: Float32 or BFloat16; a CPU has Float32 only.</summary>
    public ElementType ActivationType { get; init; } = ElementType.Float32;

    /// <summary>How many AdamW optimizers there is room for, each with two moments of its own.</summary>
    public int Optimizers { get; init; } = 1;

    /// <summary>How many parameter vectors a method needs besides parameters, gradients and moments.</summary>
    public int ExtraVectors { get; init; }

    /// <summary>Site tensors at the attention outputs.</summary>
    public SiteBudget AttentionSites { get; init; }

    /// <summary>Site tensors at the MLP outputs.</summary>
    public SiteBudget MlpSites { get; init; }

    /// <summary>Site tensors in the residual stream.</summary>
    public SiteBudget ResidualSites { get; init; }

    /// <summary>Rows of logits computed at a time; 0 to let the engine choose.</summary>
    public int HeadRows { get; init; }

    /// <summary>
    /// Labelled rows that <see cref="ForwardOptions.RecordTeacher"/> can keep, at most <see cref="MaxTokens"/>; 0 for none. Not with
    /// <see cref="Full"/>: the teacher's logits follow from its hidden rows only where the final norm and lm_head are frozen.
    /// </summary>
    public int TeacherRows { get; init; }

    /// <summary>
    /// How many layers, from the lowest, compute their activations again in the backward pass instead of keeping them; -1 for as few as
    /// <see cref="MemoryLimit"/> allows. Losses and gradients are bit-identical whatever it is.
    /// </summary>
    public int RecomputedLayers { get; init; } = -1;

    /// <summary>Bytes that the plan must stay within; 0 for no limit.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>Samples that <see cref="Decoder"/> continues at a time; 0 for no decoding.</summary>
    public int DecodeSamples { get; init; }

    /// <summary>Tokens that each of them may reach, prompt and continuation together.</summary>
    public int DecodeCapacity { get; init; }

    /// <summary>The budget of a kind of site.</summary>
    public SiteBudget Sites(SiteKind kind) => kind switch
    {
        SiteKind.AttentionOutput => AttentionSites,
        SiteKind.MlpOutput => MlpSites,
        SiteKind.Residual => ResidualSites,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
