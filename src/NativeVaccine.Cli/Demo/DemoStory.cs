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
    /// <summary>The ways of aligning that are compared, plain alignment first.</summary>
    public IReadOnlyList<DemoArm> Arms { get; init; } = DemoArm.Usual;

    public const int AlignmentSamples = 200;
    public const int ProbeSamples = 50;
    public const int HarmfulSamples = 200;
    public const int AttackSamples = 200;

    /// <summary>Attack steps between two looks at the harmful score.</summary>
    public const int StepsPerLook = 2;
}

/// <summary>
/// The whole story in the world of one seed: a base model learns the language, is aligned in several ways, and each is attacked by fine-tuning
/// on a benign task with some forbidden questions among it.
/// </summary>
internal sealed class DemoStory(
    Device device, DemoSettings settings, ulong seed, string folder, ProgressDisplay progress, CancellationToken cancellation)
{
    public const string UnalignedName = "unaligned";

    private const int LongestSample = 24;

    private readonly ToyWorld world = new(seed);
    private readonly DemoStage stages = new(cancellation);

    /// <summary>Makes nothing but the world: the base model, and its data as text (<see cref="ToyWorldFiles"/>).</summary>
    public void MakeWorld()
    {
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        DemoStage.WriteData(DataFile("pretraining"), world.Pretraining(settings.PretrainingSamples));
        Pretrain();
        ToyWorldFiles.Write(folder, world);
    }

    /// <summary>Runs it.</summary>
    public SeedResult Run()
    {
        var watch = Stopwatch.StartNew();
        WriteData();
        using ModelFolder model = ModelFolder.Open(Pretrain());
        List<ArmResult> results = [Attack(UnalignedName, model, [])];
        foreach (DemoArm arm in settings.Arms)
        {
            long begun = Stopwatch.GetTimestamp();
            Adapter alignment = Adapter.Load(Align(arm, model.Path), model.Configuration);
            double seconds = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            results.Add(Attack(arm.Name, model, [alignment]) with { AlignmentSeconds = seconds });
        }
        return new SeedResult(seed, results, watch.Elapsed.TotalSeconds);
    }

    private void WriteData()
    {
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        DemoStage.WriteData(DataFile("pretraining"), world.Pretraining(settings.PretrainingSamples));
        DemoStage.WriteData(DataFile("alignment"), world.Alignment(DemoSettings.AlignmentSamples));
        DemoStage.WriteData(DataFile("probe"), world.Harmful(DemoSettings.ProbeSamples));
        DemoStage.WriteData(DataFile("harmful"), world.Harmful(DemoSettings.HarmfulSamples));
        DemoStage.WritePairs(DataFile("pairs"), world.Pairs(DemoSettings.AlignmentSamples));
        DemoStage.WriteData(DataFile("attack"), world.Attack(DemoSettings.AttackSamples, settings.PoisonRatio));
    }

    private string Pretrain()
    {
        string untrained = Path.Combine(folder, "untrained");
        ToyModel.Write(untrained, seed);
        TrainingOptions options = Options(settings, seed) with
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

    /// <returns>The folder of the adapter.</returns>
    private string Align(DemoArm arm, string model)
    {
        TrainingOptions options = arm.Apply(AlignmentOptions(settings, seed)) with
        {
            Model = model,
            Data = arm.Info.Pairs is null ? DataFile("alignment") : null,
            InitAdapter = arm.ContinuesPlain ? AlignmentAdapter(DemoArm.Plain.Name) : null,
        };
        foreach (PoolOption pool in arm.Info.Pools)
            options = options.With(pool.Name, DataFile(pool.OfPairs ? "pairs" : arm.Method == "tvaccine" ? "probe" : "harmful"));
        return stages.Train(options, AlignmentFolder(arm.Name), Stage($"aligning with {arm.Name}"));
    }

    private ArmResult Attack(string name, ModelFolder model, List<Adapter> alignment)
    {
        var exam = new ToyExam(world);
        var aligned = new MergedWeights(model, alignment);
        Scores before = Examine(exam, aligned);
        TrainingOptions options = Options(settings, seed) with
        {
            Stage = TrainingStage.Finetune,
            Model = model.Path,
            Adapter = alignment.Count == 0 ? [] : [AlignmentAdapter(name)],
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

    /// <summary>What the alignment of all arms has in common.</summary>
    public static TrainingOptions AlignmentOptions(DemoSettings settings, ulong seed) => Options(settings, seed) with
    {
        Epochs = settings.AlignmentEpochs,
        LearningRate = 3e-3,
    };

    /// <summary>What all stages have in common.</summary>
    private static TrainingOptions Options(DemoSettings settings, ulong seed) =>
        TrainingDefaults.For(TrainingStage.Align, "sft", Preset.Paper) with
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

    private string AlignmentAdapter(string arm) => Path.Combine(AlignmentFolder(arm), "adapter");

    private string AlignmentFolder(string arm) => Path.Combine(ArmFolder(arm), "alignment");

    private string ArmFolder(string arm) => Path.Combine(folder, arm.ToLowerInvariant().Replace(' ', '-'));
}
