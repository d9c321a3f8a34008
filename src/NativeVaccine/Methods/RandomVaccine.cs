using NativeVaccine.Engine;
using NativeVaccine.Training;

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
public sealed class RandomVaccine(MethodSettings settings) : Method
{
    // From the middle of the paper's grid of 1e-4 to 1.
    private static readonly NumberOption Rho = new("rho", "size of the noise", 0.01);
    private static readonly WordOption<NoiseSize> Size = new("noise_size", "what rho is: each element's variance, or the norm of all", NoiseSize.Variance);

    private readonly PerturbedTraining perturbed = new(settings);

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("random-vaccine", static settings => new RandomVaccine(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [Rho, Size, .. PerturbedTraining.Options],
        Metrics = PerturbedTraining.Metrics,
        WhyNoReference = "the authors published no program for it",
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs => perturbed.Needs();

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        double rho = settings.Get(Rho);
        bool isNorm = settings.Get(Size) == NoiseSize.Norm;
        perturbed.Step(step, LayerSet.All(session.LayerCount), session.AllTensors, floor: 0, (micro, e) =>
        {
            e.Fill(isNorm ? 1 : (float)Math.Sqrt(rho), micro.Seed, micro.Number, micro.Batch.TokenCount);
            perturbed.KeepChosenSamples(micro, e);
            if (isNorm) e.ScaleToNorm((float)rho, e.Norms());
            return new Perturbation(micro.PassOptions(pass: 1));
        });
    }
}
