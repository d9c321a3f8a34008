using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>How <see cref="Booster"/> undoes its step.</summary>
public enum InnerRestore
{
    /// <summary>The saved parameters are copied back.</summary>
    Copy,

    /// <summary>The step is added, as the authors' program does: the parameters are then off by rounding.</summary>
    AddBack,
}

/// <summary>
/// Booster (Huang, Hu, Ilhan, Tekin and Liu, arXiv 2409.01586, algorithm 1): the model learns refusals, and to lose less of its harmful
/// loss in a normalized step along that loss's gradient.
/// </summary>
public sealed class Booster(MethodSettings settings) : Method
{
    private static readonly NumberOption InnerStep = new(
        "inner_step",
        "alpha: length of Booster's step along the harmful gradient (the authors' recipe: --learning-rate 5e-4 --schedule constant --batch 10 "
        + "--lora-rank 32 --lora-alpha 4 --lora-targets q_proj,k_proj,v_proj --dropout 0 --max-length 256 --epochs 20)",
        0.1);
    private static readonly NumberOption Lambda = new("lambda", "weight of what Booster's step takes from the harmful gradient", 5);
    private static readonly WholeNumberOption HarmfulBatch =
        new("harmful_batch", "harmful samples of a step; 0 for as many as training samples", 0, minimum: 0) { Reference = 10 };
    private static readonly WordOption<InnerRestore> Restore =
        new("restore", "how Booster's step is undone", InnerRestore.Copy, InnerRestore.AddBack);
    private static readonly PoolOption HarmfulData =
        new("harmful_data", "harmful samples", SampleKind.Harmful) { Count = HarmfulBatch };

    private static readonly MethodVector HarmfulGradient = new("harmful_gradient");
    private static readonly MethodVector Saved = new("saved_parameters");

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("booster", static settings => new Booster(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [InnerStep, Lambda, HarmfulData, HarmfulBatch, Restore],
        Metrics =
        [
            new("harmful_loss", "Harmful loss", "Cross-entropy of the harmful samples."),
            new("harmful_loss_after", "Harmful loss after the step", "The same after a step along its gradient."),
            new("harmful_gradient_norm", "Harmful gradient", "Norm of the harmful loss's gradient."),
            new("harmful_gradient_norm_after", "Harmful gradient after the step", "The same after a step along it."),
            new("harmful_difference_norm", "Difference of the harmful gradients", "Norm of what the step changed in the harmful loss's gradient."),
            new("alignment_gradient_norm", "Alignment gradient", "Norm of the training loss's gradient."),
        ],
        Replay = [new ReplaySamples("harmful_samples", SampleKind.Harmful)],
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } =
        new() { Vectors = settings.Get(Restore) == InnerRestore.Copy ? [HarmfulGradient, Saved] : [HarmfulGradient] };

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        (ParameterVector w, ParameterVector g, ParameterVector harmful) = (session.Parameters, session.Gradients, step.Vector(HarmfulGradient));
        IReadOnlyList<MicroBatch> batches = step.Take(SampleKind.Harmful);
        float alpha = (float)settings.Get(InnerStep);
        bool copies = settings.Get(Restore) == InnerRestore.Copy;

        // g_h = grad h(w); w' = w - alpha g_h / |g_h|; g_h' = grad h(w'), dropping out the same, as the step alone shall make the difference.
        harmful.Zero();
        step.Metrics.Set("harmful_loss", step.AddGradient(batches, harmful));
        Scalar norm = harmful.Norm();
        if (copies) step.Vector(Saved).CopyFrom(w);
        w.AddToNorm(-alpha, harmful, norm);
        g.Zero();
        step.Metrics.Set("harmful_loss_after", step.AddGradient(batches, g));
        Scalar normAfter = g.Norm();
        if (copies) w.CopyFrom(step.Vector(Saved));
        else w.AddToNorm(alpha, harmful, norm);
        harmful.Add(-1, g);
        Scalar differenceNorm = harmful.Norm();

        // g = grad f(w) + lambda (g_h - g_h').
        g.Zero();
        step.Metrics.Loss = step.AddGradient(step.Take(SampleKind.Training), g);
        Scalar alignmentNorm = g.Norm();
        g.Add((float)settings.Get(Lambda), harmful);
        step.Update(session.AllTensors);

        step.Metrics.Set("harmful_gradient_norm", norm.Value);
        step.Metrics.Set("harmful_gradient_norm_after", normAfter.Value);
        step.Metrics.Set("harmful_difference_norm", differenceNorm.Value);
        step.Metrics.Set("alignment_gradient_norm", alignmentNorm.Value);
    }
}
