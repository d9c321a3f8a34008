using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>How large the noise of <see cref="RandomVaccine"/> is.</summary>
public enum NoiseSize
{
    /// <summary>rho is the variance of each element, as in the paper.</summary>
    Variance,

    /// <summary>rho is the norm of all noise together, as in <see cref="Vaccine"/>: a control that differs in direction only.</summary>
    Norm,
}

/// <summary>
/// The control of the Vaccine paper (arXiv 2402.01109): Gaussian noise at every layer's embedding in place of the perturbation
/// that hurts most. One pass.
/// </summary>
/// <param name="rho">Size of the noise.</param>
/// <param name="size">What it is the size of.</param>
public sealed class RandomVaccine(double rho, NoiseSize size = NoiseSize.Variance) : Method
{
    /// <summary>Its name and options. The variance is from the middle of the paper's grid of 1e-4 to 1.</summary>
    public static MethodInfo Info { get; } = new(
        "random-vaccine",
        static options => new RandomVaccine(options.Rho, options.NoiseSize),
        new MethodOption("rho", Default: 0.01),
        new MethodOption("noise_size"));

    /// <inheritdoc/>
    public override string Name => Info.Name;

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { AttentionSites = new SiteBudget(1) };

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        SiteTensor e = session.Site(SiteKind.AttentionOutput);
        e.Select(LayerSet.All(session.LayerCount));
        session.Gradients.Zero();
        foreach (MicroBatch micro in step.MicroBatches)
        {
            float deviation = size == NoiseSize.Variance ? (float)Math.Sqrt(rho) : 1;
            e.Fill(deviation, micro.Seed, micro.Number, micro.Batch.TokenCount);
            if (size == NoiseSize.Norm) e.ScaleToNorm((float)rho, e.Norms());
            SiteNorms noise = e.Norms();

            PassResult pass = session.Forward(micro.Batch, micro.Masks(pass: 1) with { Add = [e] });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = micro.Share });

            micro.RecordPerturbation(noise);
            micro.Record(pass);
        }
        step.Update(session.AllTensors);
    }
}
