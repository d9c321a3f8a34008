using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// The small form of TAR (arXiv 2408.00761) that the T-Vaccine authors' program (arXiv 2410.09760) sets out to compute: refusals are also
/// learned where one step on harmful samples has led. That program's result never reaches its optimizer.
/// </summary>
public sealed class TarLite(MethodSettings settings) : Method
{
    private static readonly NumberOption InnerLearningRate = new("inner_learning_rate", "of the step on harmful samples", 0.01);
    private static readonly NumberOption TamperWeight = new("tamper_weight", "weight of the gradient after the step", 2);
    private static readonly PoolOption HarmfulData = new("harmful_data", "harmful samples", SampleKind.Harmful);

    private static readonly MethodVector TamperGradient = new("tamper_gradient");
    private static readonly MethodVector Saved = new("saved_parameters");

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("tar-lite", static settings => new TarLite(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [InnerLearningRate, TamperWeight, HarmfulData],
        Metrics =
        [
            new("harmful_loss", "Harmful loss", "Cross-entropy of the harmful samples."),
            new("loss_after", "Loss after the step", "The training loss after a step on the harmful samples."),
            new("harmful_gradient_norm", "Harmful gradient", "Norm of the harmful loss's gradient."),
            new("gradient_norm_after", "Gradient after the step", "Norm of the training loss's gradient there."),
            new("alignment_gradient_norm", "Alignment gradient", "Norm of the training loss's gradient."),
        ],
        Replay = [new ReplaySamples("harmful_samples", SampleKind.Harmful)],
        WhyNoReference = "the result of the authors' program never reaches its optimizer, which makes it plain sft",
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { Vectors = [TamperGradient, Saved] };

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        (ParameterVector w, ParameterVector g) = (session.Parameters, session.Gradients);
        (ParameterVector tamper, ParameterVector saved) = (step.Vector(TamperGradient), step.Vector(Saved));
        IReadOnlyList<MicroBatch> batches = step.Take(SampleKind.Training);

        // w' = w - rate * grad h(w).
        g.Zero();
        step.Metrics.Set("harmful_loss", step.AddGradient(step.Take(SampleKind.Harmful), g));
        Scalar harmfulNorm = g.Norm();
        saved.CopyFrom(w);
        w.Add(-(float)settings.Get(InnerLearningRate), g);

        // g = grad f(w) + weight * grad f(w').
        tamper.Zero();
        step.Metrics.Set("loss_after", step.AddGradient(batches, tamper, pass: 2));
        Scalar normAfter = tamper.Norm();
        w.CopyFrom(saved);
        g.Zero();
        step.Metrics.Loss = step.AddGradient(batches, g);
        Scalar alignmentNorm = g.Norm();
        g.Add((float)settings.Get(TamperWeight), tamper);
        step.Update(session.AllTensors);

        step.Metrics.Set("harmful_gradient_norm", harmfulNorm.Value);
        step.Metrics.Set("gradient_norm_after", normAfter.Value);
        step.Metrics.Set("alignment_gradient_norm", alignmentNorm.Value);
    }
}
