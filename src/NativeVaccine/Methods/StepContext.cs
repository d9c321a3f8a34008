using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>What a method is given for one optimizer step.</summary>
public sealed class StepContext
{
    /// <summary>The pass number of a probe; those of a micro-batch begin at 1.</summary>
    private const uint ProbePass = 0;

    /// <summary>The model.</summary>
    public required Session Session { get; init; }

    /// <summary>The step, from 0.</summary>
    public required int Number { get; init; }

    /// <summary>Seed of the run.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Largest norm of the gradient; a longer one is scaled down to it. 0 for no limit.</summary>
    public required double Clip { get; init; }

    /// <summary>The samples of the step.</summary>
    public required IReadOnlyList<MicroBatch> MicroBatches { get; init; }

    /// <summary>The harmful samples; null if there are none.</summary>
    public HarmfulPool? Harmful { get; init; }

    /// <summary>What the run that is followed did in this step; null if none is followed.</summary>
    public ReplayStep? Replay { get; init; }

    /// <summary>Takes the numbers of the step.</summary>
    public required StepMetrics Metrics { get; init; }

    /// <summary>Told what a user should know and no field of the metrics says, in a line.</summary>
    public Action<string>? Notice { get; init; }

    /// <summary>Options of the forward pass of a probe, with dropout masks of its own.</summary>
    public ForwardOptions ProbeMasks() => MicroBatches[0].Masks(ProbePass);

    /// <summary>
    /// Clips the gradients by their norm over the tensors that have one, and steps these tensors. Norms and biases, which train only where
    /// all parameters do, do not decay, as in transformers.
    /// </summary>
    public void Update(TensorSet tensors)
    {
        var withoutDecay = new TensorSet(
            Session.TrainableTensors, tensor => tensors[tensor.TrainableIndex!.Value] && !Decays(tensor.Kind));
        Metrics.GradientNorm = withoutDecay.Count == 0
            ? Session.Optimizer.Step(Session.Gradients, LearningRate, tensors, (float)Clip).Value
            : UpdateInTwoParts(tensors, withoutDecay);
        Metrics.TensorsWithGradient = tensors.Count;
    }

    private static bool Decays(TensorKind kind) =>
        kind is not (TensorKind.AttentionNorm or TensorKind.MlpNorm or TensorKind.FinalNorm or TensorKind.Bias);

    /// <summary>The norm is that of both parts together, so the gradients are clipped before either is stepped.</summary>
    private double UpdateInTwoParts(TensorSet tensors, TensorSet withoutDecay)
    {
        AdamW optimizer = Session.Optimizer;
        double norm = Session.Gradients.Norm(tensors).Value;
        if (Clip > 0) Session.Gradients.Scale((float)Math.Min(1, Clip / (norm + 1e-6)), tensors);
        optimizer.Step(Session.Gradients, LearningRate, tensors.Except(withoutDecay));
        double decay = optimizer.WeightDecay;
        optimizer.WeightDecay = 0;
        optimizer.Step(Session.Gradients, LearningRate, withoutDecay);
        optimizer.WeightDecay = decay;
        return norm;
    }
}
