using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Commands;

/// <summary>The whole story in miniature: align a small model in several ways, attack each, and show which one holds how long.</summary>
internal sealed class DemoCommand : Verb
{
    private const ulong DefaultSeed = 1;
    private readonly Option<ulong?> seed = OptionKinds.Seed("--seed", "of the world, the model and the runs; 1 unless given");
    private readonly Option<int?> seeds =
        OptionKinds.WholeNumber("--seeds", "so many worlds, from --seed on, with mean and spread; 1 unless given", 1);
    private readonly Option<string?> methods = OptionKinds.Text(
        "--methods",
        "M,M,...",
        $"alignment methods to compare, or {DemoArm.Every}; {string.Join(',', DemoArm.Usual.Select(static arm => arm.Method))} unless given; sft is always one");
    private readonly Option<double?> poisonRatio =
        OptionKinds.Share("--poison-ratio", "share of forbidden questions in the attacker's data; 0.1 unless given");
    private readonly Option<bool> worldOnly = OptionKinds.Switch(
        "--world-only", "make nothing but the world of the seed: a base model, and its data as text (for experiments)");
    private readonly Option<string?> output =
        OptionKinds.Text("--out", "RUN", "folder for everything that is made; runs/demo-<date> unless given");
    private readonly Option<string?> device = OptionKinds.Text("--device", "cpu|cuda:N", "where to run; cpu unless given");
    private readonly Option<int?> threads =
        OptionKinds.WholeNumber("--threads", "threads of the CPU; 0: as many as there are processors", 0);
    private readonly MethodOptionSet ofMethods = new([.. DemoArm.All.Select(static arm => arm.Info)]);
    private readonly DemoSettings size;

    public DemoCommand(CommandContext context) : base(
        "demo",
        "Align a small model in several ways, attack each, and show which one holds how long (four ways take a minute or two)",
        "nvaccine demo --seeds 5",
        context)
    {
        size = context.Demo;
        AddAll([seed, seeds, methods, poisonRatio, worldOnly, output, device, threads, .. ofMethods.Values, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        IReadOnlyList<DemoArm> arms = WithWhatIsGiven(parsed, parsed.GetValue(methods) is { } names ? DemoArm.Choose(names) : size.Arms);
        string folder = parsed.GetValue(output) ?? $"runs/demo-{DateTime.Now.ToString("yyyy-MM-dd-HHmmss", CultureInfo.InvariantCulture)}";
        AtomicFolder.RequireFree(folder);
        Directory.CreateDirectory(AtomicFolder.Real(folder));
        DemoSettings settings = size with
        {
            PoisonRatio = parsed.GetValue(poisonRatio) ?? size.PoisonRatio,
            Device = parsed.GetValue(device) ?? size.Device,
            Threads = parsed.GetValue(threads) ?? size.Threads,
            Arms = arms,
        };
        using Device opened = Device.Open(settings.Device, settings.Threads);
        ulong first = parsed.GetValue(seed) ?? DefaultSeed;
        if (parsed.GetValue(worldOnly)) return MakeWorld(opened, settings, first, folder);
        var watch = Stopwatch.StartNew();
        List<SeedResult> results = ProgressDisplay.Run(Terminal, display => Enumerable.Range(0, parsed.GetValue(seeds) ?? 1)
            .Select(index => first + (ulong)index)
            .Select(world => new DemoStory(opened, settings, world, Path.Combine(folder, $"seed-{world}"), display, Cancellation).Run())
            .ToList());
        var report = new DemoReport(new DemoSummary(results, settings.PoisonRatio), settings);
        report.Save(folder);
        report.Write(Terminal);
        Terminal.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalSeconds:F0} s; models, adapters and numbers are in {folder}"));
        return ExitCode.Success;
    }

    private int MakeWorld(Device device, DemoSettings settings, ulong world, string folder)
    {
        ProgressDisplay.Run(Terminal, display =>
        {
            new DemoStory(device, settings, world, folder, display, Cancellation).MakeWorld();
            return folder;
        });
        Terminal.Error.WriteLine($"wrote {folder}");
        return ExitCode.Success;
    }

    /// <summary>The arms with the options of methods that were given, each in every arm whose method has it.</summary>
    /// <exception cref="InputException">One belongs to no arm.</exception>
    private DemoArm[] WithWhatIsGiven(ParseResult parsed, IReadOnlyList<DemoArm> arms)
    {
        foreach (Option option in ofMethods.Values.Where(parsed.IsGiven))
        {
            if (!arms.Any(arm => arm.Info.Options.Any(each => each.CommandLineName == option.Name)))
                throw new InputException($"{option.Name} is an option of none of the arms, {string.Join(',', arms.Select(static arm => arm.Method))}");
        }
        DemoArm[] with = [.. arms.Select(arm => arm.With(ofMethods.Given(parsed, arm.Info)))];
        foreach (DemoArm arm in with) arm.RequireFits();
        return with;
    }
}
