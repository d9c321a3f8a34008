using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>What trains.</summary>
internal enum Trained
{
    AllWeights,

    /// <summary>Adapters of rank 8 on all seven projections, as in the T-Vaccine paper.</summary>
    Lora,
}

/// <summary>A training step to time: a shape, what trains, and a batch that stays the same.</summary>
internal sealed record TrainingCase(BenchmarkShape Shape, Trained Trained, TrainingBatch Batch)
{
    public const int Threads = 2;
    public const double LearningRate = 1e-3;
    public const double WeightDecay = 0.1;
    public const float Clip = 1;
    private const int Rank = 8;
    private const float Alpha = 16;

    public string Name => $"{Shape.Name}, {(Trained == Trained.Lora ? "LoRA" : "all weights")}, {Batch.Name}";

    /// <summary>The plan's options for exactly this batch.</summary>
    public SessionOptions SessionOptions => new()
    {
        MaxTokens = Batch.TokenCount,
        MaxSamples = Batch.Samples.Count,
        LongestSample = Batch.LongestSample,
        Full = Trained == Trained.AllWeights,
        Lora = Trained == Trained.Lora ? new LoraOptions(Rank, Alpha, 0, Projections.All) : null,
        RecomputedLayers = 0,
    };

    /// <summary>The engine, loaded and ready to step.</summary>
    public EngineTraining CreateEngine(Device device)
    {
        var training = new EngineTraining(device, this);
        training.Session.Load(new RandomWeights());
        if (Trained == Trained.Lora) training.Session.LoadAdapter(Adapter());
        return training;
    }

    /// <summary>The same on TorchSharp.</summary>
    public PaddedTrainingStep CreateTorch()
    {
        var weights = new RandomWeights();
        ReferenceConfiguration configuration = Shape.Reference;
        Dictionary<string, ReferenceTensor> tensors = configuration.ParameterShapes().ToDictionary(
            static parameter => parameter.Name, parameter => weights.Tensor(parameter.Name, parameter.Shape), StringComparer.Ordinal);
        ReferenceLora? lora = Trained == Trained.Lora ? ReferenceAdapter() : null;
        var step = new PaddedTrainingStep(configuration, tensors, lora, learningRate: LearningRate, weightDecay: WeightDecay, clip: Clip);
        TorchSharp.torch.set_num_threads(Threads); // last: the reference's oracle, which the step refers to, asks for one thread
        return step;
    }

    private Adapter Adapter()
    {
        var adapter = new Adapter(Shape.Configuration, Rank, Alpha, 0, Projections.All);
        var weights = new RandomWeights();
        for (int layer = 0; layer < Shape.Configuration.LayerCount; layer++)
        {
            foreach (Projection projection in Projections.All)
            {
                string module = Module(layer, projection);
                weights.ReadFloat32(module + ".lora_A", adapter[layer, projection].A);
                weights.ReadFloat32(module + ".lora_B", adapter[layer, projection].B);
            }
        }
        return adapter;
    }

    private ReferenceLora ReferenceAdapter()
    {
        var weights = new RandomWeights();
        var matrices = new Dictionary<string, ReferenceTensor>(StringComparer.Ordinal);
        for (int layer = 0; layer < Shape.Configuration.LayerCount; layer++)
        {
            foreach (Projection projection in Projections.All)
            {
                (int outputs, int inputs) = Shape.Configuration.ProjectionShape(projection);
                string module = Module(layer, projection);
                matrices.Add(module + ".lora_A", weights.Tensor(module + ".lora_A", [Rank, inputs]));
                matrices.Add(module + ".lora_B", weights.Tensor(module + ".lora_B", [outputs, Rank]));
            }
        }
        return new ReferenceLora(Rank, Alpha, matrices);
    }

    private static string Module(int layer, Projection projection) =>
        $"layers.{layer}.{ReferenceConfiguration.ModulePath(projection.HuggingFaceName())}";
}

/// <summary>A session that trains on one batch.</summary>
internal sealed class EngineTraining : IDisposable
{
    private readonly IReadOnlyList<Sample> samples;

    public EngineTraining(Device device, TrainingCase training)
    {
        samples = training.Batch.Samples;
        using MemoryPlan plan = MemoryPlan.Create(device, training.Shape.Configuration, training.SessionOptions);
        Session = Session.Create(device, plan);
        Session.Optimizer.WeightDecay = TrainingCase.WeightDecay;
    }

    public Session Session { get; }

    /// <summary>Forward, backward, clip, update: what <see cref="PaddedTrainingStep.Step"/> does. Returns the mean loss.</summary>
    public double Step()
    {
        double loss = Forward();
        Backward();
        Update();
        return loss;
    }

    public double Forward() => Session.Forward(new Batch(samples)).MeanLoss;

    public void Backward()
    {
        Session.Gradients.Zero();
        Session.Backward(new BackwardOptions { Gradients = Session.Gradients });
    }

    /// <summary>Clips and steps; reading the norm waits for the end.</summary>
    public double Update() => Session.Optimizer.Step(Session.Gradients, TrainingCase.LearningRate, clip: TrainingCase.Clip).Value;

    public void Dispose() => Session.Dispose();
}
