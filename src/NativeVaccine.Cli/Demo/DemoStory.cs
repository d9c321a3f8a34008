using System.Diagnostics;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Demo;

/// <summary>How large the demo is; smaller for tests.</summary>
/// <param name="PretrainingSamples">Text for the base model, seen once.</param>
/// <param name="AlignmentEpochs">Passes over the alignment set.</param>
/// <param name="AttackEpochs">Passes over the attacker's data.</param>
/// <param name="PoisonRatio">Share of forbidden questions in it.</param>
/// <param name="Device">Where it runs.</param>
/// <param name="Threads">Threads of a CPU; 0 for as many as there are processors.</param>
internal sealed record DemoSettings(
    int PretrainingSamples = 4160,
    int AlignmentEpochs = 20,
    int AttackEpochs = 2,
    double PoisonRatio = 0.1,
    string Device = "cpu",
    int Threads = 0)
{
    public const int AlignmentSamples = 200;
    public const int ProbeSamples = 50;
    public const int AttackSamples = 200;

    /// <summary>Attack steps between two looks at the harmful score.</summary>
    public const int StepsPerLook = 2;
}

/// <summary>
/// The whole story in the world of one seed: a base model learns the language, is aligned in four ways, and each is attacked by fine-tuning
/// on a benign task with some forbidden questions among it.
/// </summary>
internal sealed class DemoStory(
    Device device, DemoSettings settings, ulong seed, string folder, ProgressDisplay progress, CancellationToken cancellation)
{
    public const string UnalignedName = "unaligned";
    public const string PlainName = "SFT";
    public const string VaccineName = "Vaccine";
    public const string TVaccineName = "T-Vaccine";
    public const string NoiseName = "random noise";

    private const int LongestSample = 24;

    private static readonly (string Name, string Method)[] Alignments =
        [(PlainName, "sft"), (VaccineName, "vaccine"), (TVaccineName, "tvaccine"), (NoiseName, "random-vaccine")];

    private readonly ToyWorld world = new(seed);
    private readonly DemoStage stages = new(cancellation);

    /// <summary>The arms in the order in which they are told: the unaligned model first.</summary>
    public static IReadOnlyList<string> ArmNames { get; } = [UnalignedName, .. Alignments.Select(static alignment => alignment.Name)];

    /// <summary>Runs it.</summary>
    public SeedResult Run()
    {
        var watch = Stopwatch.StartNew();
        WriteData();
        using ModelFolder model = ModelFolder.Open(Pretrain());
        List<ArmResult> arms = [Attack(UnalignedName, model, [])];
        foreach ((string name, string method) in Alignments)
        {
            Adapter alignment = Adapter.Load(Align(name, method, model.Path), model.Configuration);
            arms.Add(Attack(name, model, [alignment]));
        }
        return new SeedResult(seed, arms, watch.Elapsed.TotalSeconds);
    }

    private void WriteData()
    {
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        DemoStage.WriteData(DataFile("pretraining"), world.Pretraining(settings.PretrainingSamples));
        DemoStage.WriteData(DataFile("alignment"), world.Alignment(DemoSettings.AlignmentSamples));
        DemoStage.WriteData(DataFile("probe"), world.Probe(DemoSettings.ProbeSamples));
        DemoStage.WriteData(DataFile("attack"), world.Attack(DemoSettings.AttackSamples, settings.PoisonRatio));
    }

    private string Pretrain()
    {
        string untrained = Path.Combine(folder, "untrained");
        ToyModel.Write(untrained, seed);
        TrainingOptions options = Options("sft") with
        {
            Model = untrained,
            Data = DataFile("pretraining"),
            Full = true,
            Epochs = 1,
            Batch = 32,
            LearningRate = 3e-3,
            WarmupRatio = 0.3,
            WeightDecay = 0.01,
            Beta2 = 0.98,
        };
        return stages.Train(options, Path.Combine(folder, "base"), Stage("learning the language"));
    }

    private string Align(string name, string method, string model)
    {
        TrainingOptions options = Options(method) with
        {
            Model = model,
            Data = DataFile("alignment"),
            Epochs = settings.AlignmentEpochs,
            LearningRate = 3e-3,
        };
        // Each method takes what it knows. The control differs from Vaccine in the direction of the perturbation only: the norm over all
        // layers is the same.
        options = options.With("harmful_data", DataFile("probe")).With("rho", 2.0).With("layers", 6).With("resample_every", 5)
            .With("probe_every", 20).With("noise_size", NoiseSize.Norm);
        return stages.Train(options, Path.Combine(ArmFolder(name), "alignment"), Stage($"aligning with {name}"));
    }

    private ArmResult Attack(string name, ModelFolder model, List<Adapter> alignment)
    {
        var exam = new ToyExam(world);
        var aligned = new MergedWeights(model, alignment);
        Scores before = Examine(exam, aligned);
        TrainingOptions options = Options("sft") with
        {
            Stage = TrainingStage.Finetune,
            Model = model.Path,
            Adapter = alignment.Count == 0 ? [] : [Path.Combine(ArmFolder(name), "alignment", "adapter")],
            Data = DataFile("attack"),
            Epochs = settings.AttackEpochs,
            LearningRate = 1e-3,
            Schedule = ScheduleKind.Constant,
            WeightDecay = 0,
        };
        var curve = new List<CurvePoint>();
        Adapter attack = stages.TrainWatched(
            device,
            aligned,
            options,
            world.Attack(DemoSettings.AttackSamples, settings.PoisonRatio),
            Path.Combine(ArmFolder(name), "attack"),
            (session, step) =>
            {
                if (step % DemoSettings.StepsPerLook == 0) curve.Add(exam.Look(session, step));
            },
            Stage($"attacking {name}"));
        return new ArmResult(name, before, Examine(exam, new MergedWeights(aligned, [attack])), curve);
    }

    private Scores Examine(ToyExam exam, IWeightSource weights)
    {
        const int QuestionsAtATime = 50;
        using MemoryPlan plan = MemoryPlan.Create(device, ToyModel.Configuration, new SessionOptions
        {
            Training = false,
            Optimizers = 0,
            MaxTokens = QuestionsAtATime * ToyExam.LongestExchange,
            MaxSamples = QuestionsAtATime,
            LongestSample = ToyExam.LongestExchange,
            DecodeSamples = QuestionsAtATime,
            DecodeCapacity = ToyExam.LongestExchange,
        });
        using Session session = Session.Create(device, plan);
        session.Load(weights);
        return exam.Examine(session);
    }

    /// <summary>What all stages have in common.</summary>
    private TrainingOptions Options(string method) => TrainingDefaults.For(TrainingStage.Align, method, Preset.Paper) with
    {
        MaxLength = LongestSample,
        Dropout = 0,
        LoraRank = 8,
        LoraAlpha = 16,
        Seed = seed,
        // A stage takes seconds: who stops the demo begins again.
        CheckpointEvery = 0,
        Device = settings.Device,
        Threads = settings.Threads,
        Precision = WeightPrecision.Fp32, // a model this small gains nothing from bf16
    };

    private ProgressStage Stage(string title) => progress.Stage($"seed {seed}: {title}");

    private string DataFile(string name) => Path.Combine(folder, "data", $"{name}.jsonl");

    private string ArmFolder(string arm) => Path.Combine(folder, arm.ToLowerInvariant().Replace(' ', '-'));
}
