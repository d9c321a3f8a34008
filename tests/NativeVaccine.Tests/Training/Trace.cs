using System.Text.Json;
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

    /// <summary>The options under which our trainer must do the same. The names in the trace are the reference's.</summary>
    public TrainingOptions Options
    {
        get
        {
            // "tvaccine-layer" is the reference's trainer with the paper's freezing, as is "tvaccine-accumulate"; "tvaccine" is untouched.
            string method = configuration.RootElement.GetProperty("method").GetString()!;
            Preset preset = method == "tvaccine" ? Preset.Reference : Preset.Paper;
            return TrainingDefaults.For(TrainingStage.Align, method.Split('-')[0], preset)
                .With("harmful_data", Path("samples.jsonl") + "#harmful")
                .With("rho", Number("rho"))
                .With("layers", Integer("S"))
                .With("resample_every", Integer("J"))
                .With("probe_every", Integer("K")) with
            {
                Model = Fixtures.Path(configuration.RootElement.GetProperty("model").GetString()!),
                Data = Path("samples.jsonl") + "#align",
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
