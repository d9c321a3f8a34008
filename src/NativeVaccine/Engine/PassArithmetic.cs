using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>
/// The floating-point operations of passes, by arithmetic: 2 for each weight of a matrix and token that goes through it, forward; as many
/// backward for the gradient of its input, and as many again where the matrix itself trains. lm_head counts for the labelled rows. Attention
/// scores, norms and LoRA's small matrices are left out, and so is what is computed a second time to save memory (docs/methods.md, "What they
/// cost").
/// </summary>
internal sealed class PassArithmetic
{
    private readonly int layerCount;
    private readonly double layerWeights;
    private readonly double headWeights;
    private readonly bool trainsMatrices;

    /// <param name="configuration">The model's shape.</param>
    /// <param name="trainable">The tensors that train.</param>
    public PassArithmetic(ModelConfiguration configuration, IEnumerable<ModelTensor> trainable)
    {
        layerCount = configuration.LayerCount;
        layerWeights = Projections.All.Sum(projection => (double)configuration.ProjectionShape(projection).Outputs * configuration.ProjectionShape(projection).Inputs);
        headWeights = (double)configuration.VocabularySize * configuration.HiddenSize;
        trainsMatrices = trainable.Any(static tensor => tensor.Kind == TensorKind.Weight);
    }

    /// <summary>The operations of a forward pass.</summary>
    public double Forward(long tokens, long labels, ForwardOptions options) =>
        (2 * tokens * layerWeights * (layerCount - options.FromLayer)) + (2 * labels * headWeights * HeadsOf(options));

    /// <summary>The operations of the backward pass of a forward pass.</summary>
    public double Backward(long tokens, long labels, ForwardOptions forward, BackwardOptions options, IReadOnlyList<ModelTensor> trainable)
    {
        int products = trainsMatrices && options.Gradients is not null ? 2 : 1;
        return products * ((2 * tokens * layerWeights * (layerCount - LowestLayer(options, trainable))) + (2 * labels * headWeights * HeadsOf(forward)));
    }

    /// <summary>Heads of one point and number of norms share their logits.</summary>
    private static int HeadsOf(ForwardOptions options) =>
        options.Heads?.Select(static head => (head.Point, head.Norms)).Distinct().Count() ?? 1;

    /// <summary>The lowest layer that anything asked for needs.</summary>
    private int LowestLayer(BackwardOptions options, IReadOnlyList<ModelTensor> trainable)
    {
        int lowest = layerCount;
        if (options.Gradients is not null)
            lowest = (options.Tensors?.Tensors ?? trainable).Select(LayerOf).Where(layer => layer >= options.Floor).Append(lowest).Min();
        if (options.NormsOf is not null) lowest = Math.Min(lowest, options.Floor);
        foreach (SiteTensor site in options.Read) lowest = site.Layers.Append(lowest).Min();
        return Math.Max(lowest, options.Floor);
    }

    /// <summary>The embedding's gradient goes through all layers, that of what stands behind the layers through none.</summary>
    private int LayerOf(ModelTensor tensor) => tensor.Layer ?? (tensor.Kind == TensorKind.Embedding ? 0 : layerCount);
}
