using NativeVaccine.Cli.Options;
using NativeVaccine.IO;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Demo;

/// <summary>One way in which the demo aligns its model: a method, and its settings in the made world.</summary>
/// <param name="Name">As tables and sentences call it.</param>
/// <param name="Method">Name of the method.</param>
/// <param name="Settings">Values of the method's options, by name; the others have their defaults.</param>
internal sealed record DemoArm(string Name, string Method, params IReadOnlyList<(string Name, object Value)> Settings)
{
    /// <summary>What stands for the methods' names: all of them.</summary>
    public const string Every = "all";

    /// <summary>Plain alignment, which the others are compared with.</summary>
    public static DemoArm Plain { get; } = new("SFT", "sft");

    /// <summary>
    /// The arms of the plain demo, and those that <c>--methods</c> adds. bench/results/demo.md says on which seeds the settings were found, and how.
    /// </summary>
    public static IReadOnlyList<DemoArm> All { get; } =
    [
        Plain,
        new("Vaccine", "vaccine", ("rho", 2.0)),
        new("T-Vaccine", "tvaccine", ("rho", 2.0), ("layers", 6), ("resample_every", 5), ("probe_every", 20)),
        // The control differs from Vaccine in the direction of the perturbation only: the norm over all layers is the same.
        new("random noise", "random-vaccine", ("rho", 2.0), ("noise_size", NoiseSize.Norm)),
        new("RepNoise", "repnoise") { ContinuesPlain = true },
        new("TAR", "tar", ("inner_steps", 4), ("tamper_gradient_every", 1), ("inner_learning_rate", 1e-3), ("tamper_weight", 0.1)),
        new("TAR-lite", "tar-lite", ("inner_learning_rate", 0.5), ("tamper_weight", 1.0)),
        new("Booster", "booster", ("lambda", 0.1)),
    ];

    /// <summary>The arms of the plain demo.</summary>
    public static IReadOnlyList<DemoArm> Usual { get; } = [.. All.Take(4)];

    /// <summary>True if it continues the adapter of plain alignment: for a method whose authors begin with a model that refuses.</summary>
    public bool ContinuesPlain { get; init; }

    /// <summary>The method.</summary>
    public MethodInfo Info => MethodCatalog.Require(Method);

    private TrainingOptions Defaults => TrainingDefaults.For(TrainingStage.Align, Method, Preset.Paper);

    /// <summary>The arms of some methods, in the order of <see cref="All"/>; plain alignment is always one.</summary>
    /// <param name="names">Names of methods with commas between them, or <see cref="Every"/>.</param>
    /// <exception cref="InputException">A name is unknown, or stands there twice.</exception>
    public static IReadOnlyList<DemoArm> Choose(string names)
    {
        if (names == Every) return All;
        string[] asked = names.Split(',', StringSplitOptions.TrimEntries);
        string[] known = [.. All.Select(static arm => arm.Method)];
        foreach ((int place, string name) in asked.Index())
        {
            if (!known.Contains(name))
            {
                string meant = NearestName.Find(name, known.Append(Every)) is { } nearest ? $" (did you mean {nearest}?)" : "";
                throw new InputException(
                    $"--methods: {InputText.Quote(name)} is no method of the demo{meant}; expected {Every}, or some of {string.Join(',', known)}");
            }
            if (asked.Take(place).Contains(name)) throw new InputException($"--methods: {name} stands there twice; expected each method once");
        }
        return [.. All.Where(arm => arm == Plain || asked.Contains(arm.Method))];
    }

    /// <summary>The arm with other values of some options.</summary>
    public DemoArm With(IEnumerable<(string Name, object Value)> settings)
    {
        (string Name, object Value)[] given = [.. settings];
        return this with { Settings = [.. Settings.Where(own => given.All(other => other.Name != own.Name)), .. given] };
    }

    /// <summary>The options of a run with the arm's method and settings.</summary>
    /// <param name="common">What all arms have.</param>
    public TrainingOptions Apply(TrainingOptions common) => Settings.Aggregate(
        common with { Method = Method },
        static (options, setting) => options.With(setting.Name, setting.Value));

    /// <summary>Checks that the made world's model is large enough for its settings.</summary>
    /// <exception cref="InputException">It is not.</exception>
    public void RequireFits() => MethodCatalog.Create(Apply(Defaults)).RequireFits(ToyModel.Configuration.LayerCount);

    /// <summary>Its method with all of the method's options, as a command line has them.</summary>
    public string Describe()
    {
        MethodSettings settings = Apply(Defaults).Settings;
        IEnumerable<string> options = Info.Options.Where(option => option is not PoolOption && settings.Find(option) is not (null or false))
            .Select(option => $" {option.CommandLineName} {option.Write(settings.Find(option)!).ToJsonString().Trim('"')}");
        return $"--method {Method}{string.Concat(options)}{(ContinuesPlain ? $", continues the adapter of {Plain.Name}" : "")}";
    }
}
