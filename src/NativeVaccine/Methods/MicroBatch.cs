using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>A batch that goes through the model at once. A step has one, or several whose gradients are accumulated.</summary>
public sealed class MicroBatch
{
    private readonly StepMetrics metrics;

    internal MicroBatch(Batch batch, float share, bool dropout, ulong seed, uint number, StepMetrics metrics)
    {
        (Batch, Share, Dropout, Seed, Number) = (batch, share, dropout, seed, number);
        this.metrics = metrics;
    }

    /// <summary>The samples.</summary>
    public Batch Batch { get; }

    /// <summary>
    /// The weight of its mean loss in that of the step: one over the step's micro-batches, or its part of the step's labels, as
    /// <see cref="LossMean"/> says.
    /// </summary>
    public float Share { get; }

    /// <summary>True if adapters' inputs are dropped out.</summary>
    public bool Dropout { get; }

    /// <summary>Seed of the run.</summary>
    public ulong Seed { get; }

    /// <summary>Counts the micro-batches of the run: with the seed it names the random numbers that belong to this one.</summary>
    public uint Number { get; }

    /// <summary>Options of a forward pass with the dropout masks that belong to a pass of this micro-batch, numbered from 1.</summary>
    public ForwardOptions Masks(uint pass) => new() { Dropout = Dropout, Seed = Seed, Step = Number, Pass = pass };

    /// <summary>Notes the pass that trains.</summary>
    public void Record(PassResult pass) => metrics.Loss += Share * pass.MeanLoss;

    /// <summary>Notes the pass that found the perturbation.</summary>
    /// <param name="pass">Its loss.</param>
    /// <param name="gradient">The gradient at the perturbed sites.</param>
    public void RecordFirstPass(PassResult pass, SiteNorms gradient)
    {
        metrics.Pass1Loss = (metrics.Pass1Loss ?? 0) + (Share * pass.MeanLoss);
        metrics.SiteGradientNorm = (metrics.SiteGradientNorm ?? 0) + (Share * gradient.Total);
        metrics.AddSiteGradientNorms(gradient, Share);
    }

    /// <summary>Notes the size of what was added to the activations.</summary>
    public void RecordPerturbation(SiteNorms perturbation) =>
        metrics.PerturbationNorm = (metrics.PerturbationNorm ?? 0) + (Share * perturbation.Total);
}
