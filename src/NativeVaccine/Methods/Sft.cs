using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>Supervised fine-tuning: cross-entropy, and nothing else.</summary>
public sealed class Sft : Method
{
    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } =
        new("sft", static _ => new Sft()) { Stages = [TrainingStage.Align, TrainingStage.Finetune] };

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        session.Gradients.Zero();
        step.Metrics.Loss = step.AddGradient(step.Take(SampleKind.Training), session.Gradients);
        step.Update(session.AllTensors);
    }
}
