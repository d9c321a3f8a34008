using System.Diagnostics;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Cli.Demo;

/// <summary>How large the demo is; smaller for tests.</summary>
/// <param name="PretrainingSamples">Text for the base model, seen once.</param>
/// <param name="AlignmentEpochs">Passes over the alignment set.</param>
/// <param name="AttackEpochs">Passes over the attacker's data.</param>
/// <param name="PoisonRatio">Share of forbidden questions in it.</param>
internal sealed record DemoSettings(int PretrainingSamples = 4160, int AlignmentEpochs = 20, int AttackEpochs = 2, double PoisonRatio = 0.1)
{
    public int AlignmentSamples => 200;
    public int ProbeSamples => 50;
    public int AttackSamples => 200;

    /// <summary>Attack steps between two looks at the harmful score.</summary>
    public int StepsPerLook => 2;
}

/// <summary>
/// The whole story in the world of one seed: a base model learns the language, is aligned in four ways, and each is attacked by fine-tuning
/// on a benign task with some forbidden questions among it.
/// </summary>
internal sealed class DemoStory(Device device, DemoSettings settings, ulong seed, string folder, ProgressDisplay progress, CancellationToken cancellation)
{
    public const string UnalignedName = "unaligned";
    public const string PlainName = "SFT";
    public const string VaccineName = "Vaccine";
    public const string TVaccineName = "T-Vaccine";
    public const string NoiseName = "random noise";

    private static readonly (string Name, DemoMethod Method)[] Alignments =
        [(PlainName, DemoMethod.Sft), (VaccineName, DemoMethod.Vaccine), (TVaccineName, DemoMethod.TVaccine), (NoiseName, DemoMethod.Noise)];

    private readonly ToyWorld world = new(seed);

    /// <summary>The arms in the order in which they are told: the unaligned model first.</summary>
    public static IReadOnlyList<string> ArmNames { get; } = [UnalignedName, .. Alignments.Select(static alignment => alignment.Name)];

    /// <summary>Runs it.</summary>
    public SeedResult Run()
    {
        var watch = Stopwatch.StartNew();
        string untrained = Path.Combine(folder, "untrained");
        ToyModel.Write(untrained, seed);
        string pretrained = Path.Combine(folder, "base");
        var training = new StageTraining(device);
        using (ModelFolder start = ModelFolder.Open(untrained))
        {
            training.Train(start, StageTraining.Pretraining, world.Pretraining(settings.PretrainingSamples), [], DemoMethod.Sft, seed,
                (_, _) => cancellation.ThrowIfCancellationRequested(),
                session => ModelWriter.Write(pretrained, ToyModel.Configuration, session.SnapshotWeights(), to => ModelWriter.CopyCompanionFiles(untrained, to)),
                Stage("learning the language"));
        }
        using ModelFolder model = ModelFolder.Open(pretrained);
        List<ArmResult> arms = [Attack(UnalignedName, model, [])];
        foreach ((string name, DemoMethod method) in Alignments) arms.Add(Attack(name, model, [Align(name, method, model)]));
        return new SeedResult(seed, arms, watch.Elapsed.TotalSeconds);
    }

    private Adapter Align(string name, DemoMethod method, ModelFolder model)
    {
        Adapter? aligned = null;
        new StageTraining(device).Train(model, StageTraining.Alignment with { Epochs = settings.AlignmentEpochs }, world.Alignment(settings.AlignmentSamples),
            world.Probe(settings.ProbeSamples), method, seed, (_, _) => cancellation.ThrowIfCancellationRequested(),
            session => aligned = session.SaveAdapter(), Stage($"aligning with {name}"));
        aligned!.Save(Path.Combine(folder, FolderName(name), "aligned"));
        return aligned;
    }

    private ArmResult Attack(string name, ModelFolder model, List<Adapter> alignment)
    {
        var exam = new ToyExam(world);
        var merged = new MergedWeights(model, alignment);
        var curve = new List<CurvePoint>();
        Adapter? attack = null;
        Scores before = Examine(exam, merged);
        new StageTraining(device).Train(merged, StageTraining.Attack with { Epochs = settings.AttackEpochs }, world.Attack(settings.AttackSamples, settings.PoisonRatio),
            [], DemoMethod.Sft, seed,
            (session, step) =>
            {
                cancellation.ThrowIfCancellationRequested();
                if (step % settings.StepsPerLook == 0) curve.Add(exam.Look(session, step));
            },
            session => attack = session.SaveAdapter(), Stage($"attacking {name}"));
        attack!.Save(Path.Combine(folder, FolderName(name), "attacked"));
        return new ArmResult(name, before, Examine(exam, new MergedWeights(merged, [attack])), curve);
    }

    private Scores Examine(ToyExam exam, IWeightSource weights)
    {
        const int QuestionsAtATime = 50;
        using MemoryPlan plan = MemoryPlan.Create(device, ToyModel.Configuration, new SessionOptions
        {
            Training = false,
            Optimizer = false,
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

    private ProgressStage Stage(string title) => progress.Stage($"seed {seed}: {title}");

    private static string FolderName(string arm) => arm.ToLowerInvariant().Replace(' ', '-');
}
