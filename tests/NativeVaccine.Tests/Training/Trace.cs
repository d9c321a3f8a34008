using System.Text.Json;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>A run of the authors' own trainer: what it was told, and what it computed at every step.</summary>
internal sealed class Trace : IDisposable
{
    private readonly JsonDocument configuration;
    private readonly List<JsonDocument> steps;

    public Trace(string name)
    {
        Name = name;
        configuration = JsonDocument.Parse(File.ReadAllBytes(Path("config.json")));
        steps = [.. File.ReadLines(Path("steps.jsonl")).Select(static line => JsonDocument.Parse(line))];
    }

    public string Name { get; }

    public IReadOnlyList<JsonElement> Steps => [.. steps.Select(static step => step.RootElement)];

    public int BatchSize => Integer("bs");

    /// <summary>Our names of the options that a trace's config.json may have; its own are the reference's.</summary>
    private static readonly Dictionary<string, string> SettingNames = new()
    {
        ["rho"] = "rho",
        ["S"] = "layers",
        ["J"] = "resample_every",
        ["K"] = "probe_every",
        ["alpha_inner"] = "inner_step",
        ["lamb"] = "lambda",
        ["lam"] = "lambda",
        ["inner_lr"] = "inner_learning_rate",
        ["tr_weight"] = "tamper_weight",
        ["rep_alpha"] = "alpha",
        ["rep_beta"] = "beta",
        ["alignment_step"] = "guide_steps",
        ["finetune_step"] = "user_steps",
    };

    /// <summary>The pools of its samples.jsonl that are files of ours.</summary>
    private static readonly Dictionary<string, string> PoolNames = new()
    {
        ["harmful_data"] = "harmful",
        ["guide_data"] = "guide",
        ["fisher_data"] = "align",
    };

    /// <summary>
    /// What the trace calls its method. "tvaccine-layer" is the reference's trainer with the paper's freezing, as is "tvaccine-accumulate";
    /// "tvaccine" is untouched.
    /// </summary>
    private string MethodName => configuration.RootElement.GetProperty("method").GetString()!;

    private MethodInfo Method => MethodCatalog.Find(MethodName) ?? MethodCatalog.Require(MethodName.Split('-')[0]);

    /// <summary>The options under which our trainer must do the same.</summary>
    public TrainingOptions Options
    {
        get
        {
            Preset preset = MethodName == "tvaccine" ? Preset.Reference : Preset.Paper;
            TrainingStage stage = Method.Stages[0];
            return TrainingDefaults.For(stage, Method.Name, preset) with
            {
                Settings = Settings(preset),
                Model = Fixtures.Path(configuration.RootElement.GetProperty("model").GetString()!),
                Data = Method.Pairs is null ? Path("samples.jsonl") + (stage == TrainingStage.Align ? "#align" : "#user") : null,
                Replay = Path("replay.jsonl"),
                InitAdapter = Path("initial"),
                LearningRate = Number("lr"),
                WeightDecay = Number("wd"),
                Epochs = Integer("epochs"),
                Batch = BatchSize,
                Accumulate = Integer("accum"),
                LoraAlpha = Number("alpha"),
                LoraRank = Integer("r"),
                MaxLength = Integer("max_length"),
                WarmupRatio = Number("warmup"),
                Clip = Number("clip"),
                Dropout = Number("dropout"),
                Device = TestDevice.Name,
                Precision = TestDevice.Precision,
            };
        }
    }

    private MethodSettings Settings(Preset preset)
    {
        var settings = MethodSettings.Of(preset);
        foreach (MethodOption option in Method.Options)
        {
            if (option is PoolOption { OfPairs: true })
            {
                settings = settings.With(option.Name, Path("samples.jsonl"));
                continue;
            }
            if (option is PoolOption)
            {
                if (PoolNames.TryGetValue(option.Name, out string? pool)) settings = settings.With(option.Name, $"{Path("samples.jsonl")}#{pool}");
                continue;
            }
            foreach ((string theirs, string ours) in SettingNames)
            {
                if (ours == option.Name && configuration.RootElement.TryGetProperty(theirs, out JsonElement value))
                    settings = settings.With(ours, option.Read(value) ?? throw new InvalidDataException($"{theirs} is {value}"));
            }
        }
        return settings;
    }

    public string Path(string file) => Fixtures.Path("traces", Name, file);

    /// <summary>The relative tolerance of a quantity: the wanted one, or four times how far the same run in float64 is away.</summary>
    public double Tolerance(string quantity, double wanted) =>
        configuration.RootElement.GetProperty("float64_distance").TryGetProperty(quantity, out JsonElement distance)
            ? Math.Max(wanted, 4 * distance.GetDouble())
            : wanted;

    public void Dispose()
    {
        configuration.Dispose();
        foreach (JsonDocument step in steps) step.Dispose();
    }

    private double Number(string name) => configuration.RootElement.GetProperty(name).GetDouble();

    private int Integer(string name) => (int)Number(name);
}
