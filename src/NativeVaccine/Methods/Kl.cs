using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// The KL baseline of the Vaccine paper (arXiv 2402.01109): fine-tuning in which the answers' distributions stay near those of the model
/// as it was before the first step.
/// </summary>
public sealed class Kl(MethodSettings settings) : Method
{
    private static readonly NumberOption Lambda = new("lambda", "weight of the divergence (1e-3 in the paper, 0.1 in the authors' scripts)", 0.1);

    private static readonly MethodVector Start = new("the initial weights", IsKept: true);
    private static readonly MethodVector Student = new("the weights while the teacher has their place");

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("kl", static settings => new Kl(settings))
    {
        Stages = [TrainingStage.Finetune],
        Options = [Lambda],
        Metrics =
        [
            new("ce_loss", "Cross-entropy", "In nats."),
            new("kl", "Divergence", "From the model before the first step, in nats a label; lambda times it is a part of the loss."),
        ],
        WhyNoReference = "the authors' program takes the softmax over the positions of a sequence, not over the vocabulary",
    };

    /// <summary>A fresh adapter begins as nothing, so without it the model is the teacher; of a continued one the beginning is kept.</summary>
    public override MethodNeeds Needs { get; } = new() { HasTeacher = true, Vectors = settings.ContinuesAdapter ? [Start, Student] : [] };

    /// <inheritdoc/>
    public override void Begin(StepContext step)
    {
        if (settings.ContinuesAdapter) step.Vector(Start).CopyFrom(step.Session.Parameters);
    }

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        int top = session.LayerCount;
        LossHead[] heads = [new(top), new(top, LossKind.Teacher, (float)settings.Get(Lambda))];
        session.Gradients.Zero();
        foreach (MicroBatch micro in step.Take(SampleKind.Training))
        {
            RecordTeacher(step, micro);
            PassResult pass = session.Forward(micro.Batch, micro.PassOptions(pass: 1) with { Heads = heads });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = micro.Share });
            step.Metrics.Add("ce_loss", micro.Share * pass.HeadLoss(0));
            step.Metrics.Add("kl", micro.Share * pass.HeadLoss(1));
            step.Metrics.Loss += micro.Share * pass.MeanLoss;
        }
        step.Update(session.AllTensors);
    }

    private void RecordTeacher(StepContext step, MicroBatch micro)
    {
        Session session = step.Session;
        var evaluation = new ForwardOptions { ForBackward = false, RecordTeacher = true, Heads = [] };
        if (!settings.ContinuesAdapter)
        {
            session.Forward(micro.Batch, evaluation with { AdapterOff = true });
            return;
        }
        step.Vector(Student).CopyFrom(session.Parameters);
        session.Parameters.CopyFrom(step.Vector(Start));
        session.Forward(micro.Batch, evaluation);
        session.Parameters.CopyFrom(step.Vector(Student));
    }
}
