using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Numerics;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Bench;

/// <summary>What a benchmark of training steps found.</summary>
/// <param name="Tokens">Of a step.</param>
/// <param name="Seconds">Of each timed step.</param>
/// <param name="LastLoss">Of the last step.</param>
/// <param name="PlannedBytes">What the plan says that the session takes.</param>
/// <param name="TakenBytes">What it took from the device.</param>
/// <param name="UsedBytes">What of it is in use.</param>
/// <param name="RecomputedLayers">Layers that compute their activations again in the backward pass.</param>
/// <param name="TrainableParameters">Parameters that train.</param>
internal sealed record StepTimes(
    long Tokens,
    IReadOnlyList<double> Seconds,
    double LastLoss,
    long PlannedBytes,
    long TakenBytes,
    long UsedBytes,
    int RecomputedLayers,
    long TrainableParameters)
{
    /// <summary>Of a step.</summary>
    public double MedianSeconds
    {
        get
        {
            double[] sorted = [.. Seconds.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}

/// <summary>
/// Times optimizer steps of a method on a model of random weights: the trainer, the method and the engine are those of a real run; only
/// files are missing. All samples have the same length and a label on every token.
/// </summary>
internal sealed class StepBenchmark
{
    private const uint TokenPurpose = 101;
    private readonly ModelConfiguration shape;
    private readonly TrainingOptions options;
    private readonly int warmUpSteps;
    private readonly int steps;

    /// <summary>A benchmark.</summary>
    /// <param name="shape">Of the model.</param>
    /// <param name="options">Of the run; a step has batch * accumulate samples of the largest length.</param>
    /// <param name="warmUpSteps">Steps before the timed ones; T-Vaccine's probe lies in the first.</param>
    /// <param name="steps">Timed steps.</param>
    public StepBenchmark(ModelConfiguration shape, TrainingOptions options, int warmUpSteps, int steps)
    {
        (this.shape, this.options, this.warmUpSteps, this.steps) = (shape, options, warmUpSteps, steps);
    }

    /// <summary>Runs it.</summary>
    /// <param name="display">Shows how far it is.</param>
    /// <param name="cancellation">Stops it at the next step.</param>
    public StepTimes Run(ProgressDisplay display, CancellationToken cancellation)
    {
        Method method = MethodCatalog.Create(options);
        method.RequireFits(shape.LayerCount);
        TrainingData data = CreateData(method);
        using Device device = Device.Open(options.Device, options.Threads, options.Gemm);
        TrainingOptions effective = RunDevice.Effective(options, device);
        NumberTypes types = RunDevice.Types(device, effective.Precision, isStoredAsBFloat16: true);
        using MemoryPlan plan = MemoryPlan.Create(device, shape, TrainingPlan.For(effective, method, data, types));
        using Session session = Session.Create(device, plan);
        var weights = new RandomWeights(session.Configuration.Family.HasNormOffset);
        session.Load(weights, display.Stage("random weights"), cancellation: cancellation);
        if (!options.Full) session.InitializeAdapter(options.Seed);
        return Time(session, method, data, display.Stage("steps"), cancellation);
    }

    private StepTimes Time(Session session, Method method, TrainingData data, ProgressStage stage, CancellationToken cancellation)
    {
        List<StepMetrics> timed = [];
        var trainer = new Trainer(session, method, options, data)
        {
            StepDone = metrics =>
            {
                if (metrics.Step >= warmUpSteps) timed.Add(metrics);
                stage.Report((metrics.Step + 1.0) / (warmUpSteps + steps));
            },
        };
        trainer.Run(cancellation);
        (long taken, long used) = session.Memory;
        return new StepTimes(
            timed[^1].Tokens,
            [.. timed.Select(static step => step.Seconds)],
            timed[^1].Loss,
            session.Plan.TotalBytes,
            taken,
            used,
            session.Plan.RecomputedLayers,
            session.Plan.TrainableParameterCount);
    }

    /// <summary>Every step sees the same samples and, where the method chooses layers, the same ones, spread over all from the first.</summary>
    private TrainingData CreateData(Method method)
    {
        var random = new PhiloxStream(options.Seed, TokenPurpose, step: 0);
        Sample[] samples = [.. Enumerable.Range(0, options.Batch * options.Accumulate).Select(_ => RandomSample(random))];
        int[][] batches = [.. Enumerable.Range(0, samples.Length).Chunk(options.Batch)];
        return new TrainingData(samples)
        {
            Pools = (from pool in MethodCatalog.Require(options.Method).Streams from kind in pool.Kinds select (kind, pool))
                .ToDictionary(static stream => stream.kind, stream => RandomPool(stream.pool, random)),
            Replay = [.. Enumerable.Range(0, warmUpSteps + steps)
                .Select(step => new ReplayStep(step, batches) { Values = method.EvenReplay(shape.LayerCount) })],
        };
    }

    private SamplePool RandomPool(PoolOption pool, PhiloxStream random)
    {
        int wanted = pool.SamplesAtATime(options.Settings);
        int count = wanted > 0 ? wanted : options.Batch * options.Accumulate;
        return new SamplePool([.. Enumerable.Range(0, count).Select(_ => RandomSample(random))]);
    }

    private Sample RandomSample(PhiloxStream random)
    {
        int[] ids = [.. Enumerable.Range(0, options.MaxLength).Select(_ => random.NextInt(shape.VocabularySize))];
        return new Sample(ids, ids) { Refuses = [true] }; // whichever samples a method wants, these are
    }
}
