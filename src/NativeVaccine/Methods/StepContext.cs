using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>What a method is given for one optimizer step.</summary>
public sealed class StepContext
{
    /// <summary>The model.</summary>
    public required Session Session { get; init; }

    /// <summary>The step, from 0.</summary>
    public required int Number { get; init; }

    /// <summary>Steps of the run.</summary>
    public required int TotalSteps { get; init; }

    /// <summary>Seed of the run.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Largest norm of the gradient; a longer one is scaled down to it. 0 for no limit.</summary>
    public required double Clip { get; init; }

    /// <summary>The samples of the step.</summary>
    public required StepSamples Samples { get; init; }

    /// <summary>
    /// Ends <see cref="Method.Begin"/> early, which may take many passes: nothing of it is kept then, and a resumed run does it again. A step is
    /// done to its end.
    /// </summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>The parameter vectors that the method asked for, in the order of <see cref="MethodNeeds.Vectors"/>.</summary>
    public required IReadOnlyList<MethodVector> Vectors { get; init; }

    /// <summary>Takes the numbers of the step.</summary>
    public required StepMetrics Metrics { get; init; }

    /// <summary>What the run that is followed did in this step; null if none is followed.</summary>
    public ReplayStep? Replay => Samples.Replay;

    /// <summary>Told what a user should know and no field of the metrics says, in a line.</summary>
    public Action<string>? Notice { get; init; }

    /// <summary>
    /// The micro-batches that this step takes next from a stream. From <see cref="SampleKind.Training"/> they are the same each time.
    /// </summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<MicroBatch> Take(SampleKind kind) => Samples.Take(kind);

    /// <summary>The micro-batches that so many takes from a stream give, one after another.</summary>
    /// <exception cref="InputException">The run has no samples of this stream, or follows one that did not take them so often.</exception>
    public IReadOnlyList<IReadOnlyList<MicroBatch>> Take(SampleKind kind, int times) => Samples.Take(kind, times);

    /// <summary>All samples of a stream in their order, in micro-batches.</summary>
    /// <exception cref="InputException">The run has no samples of this stream.</exception>
    public IReadOnlyList<MicroBatch> TakeAll(SampleKind kind) => Samples.TakeAll(kind);

    /// <summary>A parameter vector of the method's own.</summary>
    public ParameterVector Vector(MethodVector vector)
    {
        for (int i = 0; i < Vectors.Count; i++)
        {
            if (ReferenceEquals(Vectors[i], vector)) return Session.Extra(i);
        }
        throw new ArgumentException($"the method did not ask for the vector {vector.Name}", nameof(vector));
    }

    /// <summary>The mean cross-entropy of some micro-batches, and its gradient, which is added to a vector.</summary>
    /// <param name="batches">The micro-batches.</param>
    /// <param name="gradient">The vector.</param>
    /// <param name="pass">Names the dropout masks: a method that passes over a micro-batch again takes another one.</param>
    /// <returns>The loss in nats.</returns>
    public double AddGradient(IReadOnlyList<MicroBatch> batches, ParameterVector gradient, uint pass = 1)
    {
        double loss = 0;
        foreach (MicroBatch micro in batches)
        {
            PassResult result = Session.Forward(micro.Batch, micro.PassOptions(pass));
            Session.Backward(new BackwardOptions { Gradients = gradient, LossScale = micro.Share });
            loss += micro.Share * result.MeanLoss;
        }
        return loss;
    }

    /// <summary>
    /// Clips the gradients by their norm over the tensors that have one, and steps these tensors. Norms and biases, which train only where
    /// all parameters do, do not decay, as in transformers.
    /// </summary>
    public void Update(TensorSet tensors)
    {
        var withoutDecay = new TensorSet(
            Session.TrainableTensors, tensor => tensors[tensor.TrainableIndex!.Value] && !Decays(tensor));
        Metrics.GradientNorm = withoutDecay.Count == 0
            ? Session.Optimizer.Step(Session.Gradients, LearningRate, tensors, (float)Clip).Value
            : UpdateInTwoParts(tensors, withoutDecay);
        Metrics.TensorsWithGradient = tensors.Count;
    }

    private static bool Decays(ModelTensor tensor) => !tensor.IsNorm && tensor.Kind != TensorKind.Bias;

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
