using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Engine;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>A run of eight steps on the smallest fixture, with dropout: everything that a run has to remember changes in it.</summary>
internal sealed class SmallRun : IDisposable
{
    private readonly FixtureSession model;

    public SmallRun(TrainingOptions options)
    {
        Options = options;
        using ModelFolder folder = ModelFolder.Open(Fixtures.Path("micro-llama"));
        Data = new TrainingData(Judged(Samples("align", options.MaxLength)))
        {
            TamperPrompts = TamperWatch.Open(options, Form(options.MaxLength), folder, Notices.Add),
            Pools = (from pool in MethodCatalog.Require(options.Method).Streams from kind in pool.Kinds select (kind, pool)).ToDictionary(
                static stream => stream.kind,
                stream => new SamplePool(stream.pool.OfPairs ? OtherSides(options.MaxLength) : Samples("harmful", options.MaxLength))),
        };
        Method = MethodCatalog.Create(options);
        model = new FixtureSession("micro-llama", TrainingPlan.For(options, Method, Data, TestDevice.Types));
        if (options.InitAdapter is { } adapter) Session.LoadAdapter(Adapter.Load(adapter, Session.Configuration));
        else if (!options.Full) Session.InitializeAdapter(options.Seed);
    }

    public static int TotalSteps => 8;

    public static string SampleFile => Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");

    public TrainingOptions Options { get; }

    public TrainingData Data { get; }

    public Method Method { get; }

    public Session Session => model.Session;

    public Device Device => model.Device;

    /// <summary>The weights, both moments, and the steps of every tensor.</summary>
    public (float[] Parameters, float[] First, float[] Second, long[] Steps) State => (
        FixtureSession.Read(Session.Parameters),
        FixtureSession.Read(Session.Optimizer.FirstMoment),
        FixtureSession.Read(Session.Optimizer.SecondMoment),
        Session.Optimizer.Steps);

    /// <summary>Options for eight samples in batches of two, twice.</summary>
    public static TrainingOptions OptionsFor(string method) => TrainingDefaults.For(MethodCatalog.Require(method).Stages[0], method, Preset.Paper)
        .With("harmful_data", SampleFile + "#harmful")
        .With("guide_data", SampleFile + "#harmful")
        .With("fisher_data", SampleFile + "#harmful")
        .With("guide_steps", 2)
        .With("user_steps", 3)
        .With("layers", 2)
        .With("resample_every", 3)
        .With("probe_every", 4)
        .With("inner_steps", 3)
        .With("tamper_gradient_every", 2) with
    {
        Model = Fixtures.Path("micro-llama"),
        Data = SampleFile + "#align",
        Epochs = 2,
        Batch = 2,
        LearningRate = 1e-2,
        CheckpointEvery = 0,
        Device = TestDevice.Name,
        Precision = TestDevice.Precision,
    };

    public static IReadOnlyList<Sample> Samples(string pool, int maxLength = 200) =>
        SampleReader.Read($"{SampleFile}#{pool}", Form(maxLength)).Samples;

    private static SampleForm Form(int maxLength) => new(Tokenizer.Load(Fixtures.Path("micro-llama")), PromptTemplate.Alpaca, maxLength);

    /// <summary>Every other sample refuses, the first among them.</summary>
    private static IReadOnlyList<Sample> Judged(IReadOnlyList<Sample> samples) =>
        [.. samples.Select(static (sample, index) => sample with { Refuses = [index % 2 == 0] })];

    /// <summary>Each training sample's prompt with the answer of the next one.</summary>
    public static IReadOnlyList<Sample> OtherSides(int maxLength = 200)
    {
        IReadOnlyList<Sample> samples = Samples("align", maxLength);
        return [.. samples.Index().Select(pair => Joined(pair.Item, samples[(pair.Index + 1) % samples.Count]))];

        static Sample Joined(Sample prompt, Sample answer)
        {
            (int end, int begin) = (FirstLabel(prompt), FirstLabel(answer));
            return new([.. prompt.InputIds[..end], .. answer.InputIds[begin..]], [.. prompt.Labels[..end], .. answer.Labels[begin..]]);
        }

        static int FirstLabel(Sample sample) => Array.FindIndex(sample.Labels, static label => label != Sample.IgnoredLabel);
    }

    /// <summary>Trains in a folder, or without one.</summary>
    /// <param name="folder">Where the run is recorded.</param>
    /// <param name="stepDone">Called after each step.</param>
    /// <param name="cancellation">Stops the run.</param>
    /// <returns>The metrics of the steps that were done.</returns>
    public List<StepMetrics> Train(RunFolder? folder = null, Action<StepMetrics>? stepDone = null, CancellationToken cancellation = default)
    {
        var metrics = new List<StepMetrics>();
        new Trainer(Session, Method, Options, Data)
        {
            Folder = folder,
            Notice = Notices.Add,
            Looked = Looks.Add,
            StepDone = step =>
            {
                metrics.Add(step);
                stepDone?.Invoke(step);
            },
        }.Run(cancellation);
        return metrics;
    }

    /// <summary>Trains the steps of a run that is followed.</summary>
    /// <returns>The metrics of the steps.</returns>
    public List<StepMetrics> Follow(params ReplayStep[] steps)
    {
        var metrics = new List<StepMetrics>();
        new Trainer(Session, Method, Options, Data with { Replay = steps }) { StepDone = metrics.Add }.Run();
        return metrics;
    }

    public List<string> Notices { get; } = [];

    public List<TamperLook> Looks { get; } = [];

    public void Dispose() => model.Dispose();
}
