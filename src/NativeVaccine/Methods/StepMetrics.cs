using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// What a step has to tell: a line of metrics.jsonl. Where gradients are accumulated, losses and site norms are the means over the
/// micro-batches. What a method has nothing to say about is null.
/// </summary>
public sealed class StepMetrics
{
    private readonly SortedDictionary<int, double> siteGradientNorms = [];

    /// <summary>The step, from 0.</summary>
    public required int Step { get; init; }

    /// <summary>The pass over the data, from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>The samples used, by the records of the data that they came from.</summary>
    public required IReadOnlyList<int> Samples { get; init; }

    /// <summary>The learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Tokens of the samples.</summary>
    public required long Tokens { get; init; }

    /// <summary>Mean cross-entropy in nats of the last pass, the one that trains.</summary>
    public double Loss { get; set; }

    /// <summary>Norm of the gradient before clipping, over the tensors that have one.</summary>
    public double GradientNorm { get; set; }

    /// <summary>How many tensors have a gradient in this step.</summary>
    public int TensorsWithGradient { get; set; }

    /// <summary>Wall-clock time of the step.</summary>
    public double Seconds { get; set; }

    /// <summary>Memory in use on the device: the plan's bytes.</summary>
    public long PeakBytes { get; set; }

    /// <summary>Mean cross-entropy of the pass that found the perturbation.</summary>
    public double? Pass1Loss { get; set; }

    /// <summary>N: norm of the gradient at the perturbed sites, all layers together.</summary>
    public double? SiteGradientNorm { get; set; }

    /// <summary>The same by layer; empty for methods with one pass.</summary>
    public IReadOnlyDictionary<int, double> SiteGradientNorms => siteGradientNorms;

    /// <summary>Norm of what was added to the activations, all layers together.</summary>
    public double? PerturbationNorm { get; set; }

    /// <summary>The layers that were chosen.</summary>
    public LayerSet? ActiveLayers { get; set; }

    /// <summary>The harmful samples that the probe looked at, by their records likewise; null if the step has no probe.</summary>
    public IReadOnlyList<int>? ProbeSamples { get; set; }

    /// <summary>Their mean cross-entropy.</summary>
    public double? ProbeLoss { get; set; }

    /// <summary>Norm of their gradient at every layer.</summary>
    public IReadOnlyList<double>? ProbeNorms { get; set; }

    /// <summary>Each layer's share of the sum of these norms.</summary>
    public IReadOnlyList<double>? Probabilities { get; set; }

    internal void AddSiteGradientNorms(SiteNorms norms, double share)
    {
        foreach (int layer in norms.Layers)
            siteGradientNorms[layer] = siteGradientNorms.GetValueOrDefault(layer) + (share * norms[layer]);
    }
}
