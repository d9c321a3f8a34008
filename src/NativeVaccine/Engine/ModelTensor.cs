using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>What a tensor of a session is.</summary>
public enum TensorKind
{
    /// <summary>Token embeddings (V, C); also the head where it is tied.</summary>
    Embedding = 0,

    /// <summary>The norm before attention (C).</summary>
    AttentionNorm = 1,

    /// <summary>The norm before the MLP (C).</summary>
    MlpNorm = 2,

    /// <summary>The norm before the head (C).</summary>
    FinalNorm = 3,

    /// <summary>lm_head (V, C); absent where it is tied.</summary>
    Head = 4,

    /// <summary>A projection's matrix (outputs, inputs).</summary>
    Weight = 5,

    /// <summary>A projection's bias (outputs).</summary>
    Bias = 6,

    /// <summary>LoRA's A (r, inputs).</summary>
    LoraA = 7,

    /// <summary>LoRA's B (outputs, r).</summary>
    LoraB = 8,

    /// <summary>The norm on every head of q (HD), where there is one.</summary>
    QueryNorm = 9,

    /// <summary>The norm on every head of k (HD), where there is one.</summary>
    KeyNorm = 10,

    /// <summary>The norm on what attention gives (C), where there is one.</summary>
    AttentionOutputNorm = 11,

    /// <summary>The norm on what the MLP gives (C), where there is one.</summary>
    MlpOutputNorm = 12,
}

/// <summary>A tensor of a session.</summary>
/// <param name="Index">Its number in the session.</param>
/// <param name="Name">Its Hugging Face name, or PEFT's for LoRA's matrices.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Layer">Its layer, if it belongs to one.</param>
/// <param name="Projection">Its projection, if it belongs to one.</param>
/// <param name="Rows">1 for norms and biases.</param>
/// <param name="Columns">Elements of a row.</param>
/// <param name="TrainableIndex">Its number among the trainable tensors, if it trains: its place in a <see cref="TensorSet"/>.</param>
/// <param name="Offset">The place of its first element in a <see cref="ParameterVector"/>; -1 if it does not train.</param>
public sealed record ModelTensor(
    int Index, string Name, TensorKind Kind, int? Layer, Projection? Projection, long Rows, long Columns, int? TrainableIndex, long Offset)
{
    /// <summary>Rows times columns.</summary>
    public long ElementCount => Rows * Columns;

    /// <summary>True for LoRA's matrices, which are not part of the model's own weights.</summary>
    public bool IsAdapter => Kind is TensorKind.LoraA or TensorKind.LoraB;

    /// <summary>True for the weights of norms.</summary>
    public bool IsNorm => Kind is TensorKind.AttentionNorm or TensorKind.MlpNorm or TensorKind.FinalNorm or TensorKind.QueryNorm
        or TensorKind.KeyNorm or TensorKind.AttentionOutputNorm or TensorKind.MlpOutputNorm;

    internal static string NameOf(ModelFamily family, TensorKind kind, int layer, Projection projection) => kind switch
    {
        TensorKind.Embedding => WeightNames.Embedding,
        TensorKind.AttentionNorm => WeightNames.InputNorm(layer),
        TensorKind.MlpNorm => WeightNames.MlpNorm(family, layer),
        TensorKind.FinalNorm => WeightNames.FinalNorm,
        TensorKind.Head => WeightNames.Head,
        TensorKind.Weight => WeightNames.Weight(layer, projection),
        TensorKind.Bias => WeightNames.Bias(layer, projection),
        TensorKind.LoraA => WeightNames.LoraA(layer, projection),
        TensorKind.LoraB => WeightNames.LoraB(layer, projection),
        TensorKind.QueryNorm => WeightNames.QueryNorm(layer),
        TensorKind.KeyNorm => WeightNames.KeyNorm(layer),
        TensorKind.AttentionOutputNorm => WeightNames.AttentionOutputNorm(layer),
        TensorKind.MlpOutputNorm => WeightNames.MlpOutputNorm(layer),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "the engine has a tensor of a kind that is not known here"),
    };
}
