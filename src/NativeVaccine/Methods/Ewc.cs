using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// Elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796, section 2), a baseline of the Vaccine paper (arXiv 2402.01109):
/// fine-tuning in which a weight is held the more, the more the safe answers depend on it.
/// </summary>
public sealed class Ewc(MethodSettings settings) : Method
{
    private static readonly NumberOption Lambda = new("lambda", "weight of the penalty (1e9 in the authors' scripts)", 1e4);
    private static readonly PoolOption FisherData = new("fisher_data", "samples by which the importance of weights is measured", SampleKind.Fisher);

    private static readonly MethodVector Start = new("the initial weights", IsKept: true);
    private static readonly MethodVector Fisher = new("the importance of weights", IsKept: true);
    private static readonly MethodVector Drift = new("w - w0");

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("ewc", static settings => new Ewc(settings))
    {
        Stages = [TrainingStage.Finetune],
        Options = [Lambda, FisherData],
        Metrics =
        [
            new("ce_loss", "Cross-entropy", "On the user's samples, in nats."),
            new("penalty", "Penalty", "lambda times the sum of F (w - w0)^2, a part of the loss."),
            new("penalty_gradient_norm", "Gradient norm of the penalty", "Before it is added to the cross-entropy's."),
        ],
        Replay = [new ReplaySamples("fisher_samples", SampleKind.Fisher, InBatches: true)],
        WhyNoReference = "the authors' program adds the gradient of the last of the Fisher samples to that of the first step",
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { Vectors = [Start, Fisher, Drift] };

    /// <summary>F: the sum over the batches of the squares of each one's gradient, dropout on, as in the authors' program.</summary>
    public override void Begin(StepContext step)
    {
        Session session = step.Session;
        step.Vector(Start).CopyFrom(session.Parameters);
        foreach (MicroBatch batch in step.TakeAll(SampleKind.Fisher))
        {
            session.Gradients.Zero();
            session.Forward(batch.Batch, batch.PassOptions(pass: 1), step.Cancellation);
            session.Backward(new BackwardOptions { Gradients = session.Gradients }, step.Cancellation);
            step.Vector(Fisher).MultiplyAdd(1, session.Gradients, session.Gradients);
        }
    }

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        ParameterVector drift = step.Vector(Drift);
        drift.CopyFrom(session.Parameters);
        drift.Add(-1, step.Vector(Start));

        // The penalty is lambda F (w - w0)^2, without a half, and its gradient twice lambda F (w - w0).
        session.Gradients.Zero();
        session.Gradients.MultiplyAdd(2 * (float)settings.Get(Lambda), step.Vector(Fisher), drift);
        double gradientNorm = session.Gradients.Norm().Value;
        double penalty = session.Gradients.Dot(drift).Value / 2;

        double loss = step.AddGradient(step.Take(SampleKind.Training), session.Gradients);
        step.Metrics.Set("ce_loss", loss);
        step.Metrics.Set("penalty", penalty);
        step.Metrics.Set("penalty_gradient_norm", gradientNorm);
        step.Metrics.Loss = loss + penalty;
        step.Update(session.AllTensors);
    }
}
