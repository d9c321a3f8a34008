using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>Supervised fine-tuning: cross-entropy, and nothing else.</summary>
public sealed class Sft : Method
{
    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("sft", static _ => new Sft());

    /// <inheritdoc/>
    public override string Name => Info.Name;

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        session.Gradients.Zero();
        foreach (MicroBatch micro in step.MicroBatches)
        {
            PassResult pass = session.Forward(micro.Batch, micro.Masks(pass: 1));
            session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = micro.Share });
            micro.Record(pass);
        }
        step.Update(session.AllTensors);
    }
}
