using System.Text.Json;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;
using NativeVaccine.Training;
using Xunit.Abstractions;

namespace NativeVaccine.Tests.Training;

/// <summary>
/// Our trainer beside the authors' own, step by step, from files to files: the same samples and layers, and every number of every step.
/// </summary>
public sealed class TraceTests(ITestOutputHelper output)
{
    private const double StepTolerance = 1e-4;
    private const double AdapterTolerance = 1e-3;

    /// <summary>What a trace calls otherwise than the distance that belongs to it.</summary>
    private static readonly Dictionary<string, string> DistanceNames = new()
    {
        ["site_gradient_norms"] = "site_gradient_norm",
        ["probabilities"] = "probe_norms",
    };

    /// <summary>
    /// In bf16, for which the authors' run has no number: about twice the largest distance from their fp32 that was measured on
    /// tvaccine-micro (losses 4.2e-4, gradient_norm 1.2e-2, site_gradient_norm 4.1e-3, probe_norms 2.5e-3, final_adapter 0.21). The adapter is
    /// far off in a few B alone, which begin at zero: AdamW makes a step of the full rate out of a gradient near zero, whichever side of it
    /// rounding leaves it on.
    /// </summary>
    private static readonly Dictionary<string, double> BFloat16Tolerances = new()
    {
        ["loss"] = 1e-3,
        ["pass1_loss"] = 1e-3,
        ["probe_loss"] = 1e-3,
        ["gradient_norm"] = 0.03,
        ["site_gradient_norm"] = 0.01,
        ["probe_norms"] = 0.01,
        ["micro"] = 0.01,
        ["final_adapter"] = 0.4,
    };

    /// <summary>The largest relative distance of each quantity so far, which the test writes down.</summary>
    private readonly SortedDictionary<string, double> farthest = new(StringComparer.Ordinal);

    [Theory]
    [InlineData("sft")]
    [InlineData("vaccine")]
    [InlineData("tvaccine-reference")]
    [InlineData("tvaccine-paper")]
    [InlineData("tvaccine-micro")]
    [InlineData("tvaccine-accumulate")]
    [InlineData("lisa")]
    [InlineData("ewc")]
    [InlineData("kl")]
    [InlineData("repnoise-beta0")]
    [InlineData("booster")]
    [InlineData("tar-lite")]
    public void IsFollowed(string name)
    {
        using var trace = new Trace(name);
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Create(trace.Options, folder.File("run"));

        string result = run.Execute();

        try
        {
            Compare(trace, folder.File("run"), result);
        }
        finally
        {
            foreach ((string quantity, double distance) in farthest)
                output.WriteLine(FormattableString.Invariant($"{name} {TestDevice.Name} {TestDevice.Precision}: {quantity} off by {distance:G3}"));
        }
    }

    private void Compare(Trace trace, string folder, string result)
    {
        string[] lines = File.ReadAllLines(Path.Combine(folder, "metrics.jsonl"));
        Assert.Equal(trace.Steps.Count, lines.Length);
        foreach ((JsonElement expected, string line) in trace.Steps.Zip(lines))
        {
            using JsonDocument actual = JsonDocument.Parse(line);
            CompareStep(trace, expected, actual.RootElement);
        }
        CompareAdapters(trace, Adapter.Load(result, ModelConfiguration.Load(trace.Options.Model!)));
    }

    [Theory]
    [InlineData("tvaccine-micro")]
    [InlineData("repnoise-beta0")]
    public void WritesAReplayLikeTheOneItFollowed(string name)
    {
        using var trace = new Trace(name);
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Create(trace.Options, folder.File("run"));

        run.Execute();

        string[] followed = File.ReadAllLines(trace.Path("replay.jsonl"));
        string[] written = File.ReadAllLines(folder.File("run", "replay.jsonl"));
        Assert.Equal(followed.Select(static line => line.Replace(" ", "", StringComparison.Ordinal)), written);
    }

    private void CompareStep(Trace trace, JsonElement expected, JsonElement actual)
    {
        string where = $"step {expected.GetProperty("step").GetInt32()}";
        foreach (JsonProperty property in expected.EnumerateObject())
        {
            if (property.Name == "switched") continue; // follows from "state"
            if (property.Name == "micro")
            {
                CompareMicroBatches(trace, property.Value, actual, where);
                continue;
            }
            Assert.True(actual.TryGetProperty(property.Name, out JsonElement found), $"{where}: {property.Name} is missing");
            bool isExact = property.Name is "step" or "active_layers" or "tensors_with_gradient";
            string quantity = DistanceNames.GetValueOrDefault(property.Name, property.Name);
            Compare($"{where}: {property.Name}", quantity, property.Value, found, isExact ? 0 : Tolerance(trace, quantity, StepTolerance));
        }
    }

    /// <summary>Our line has the means over the micro-batches.</summary>
    private void CompareMicroBatches(Trace trace, JsonElement expected, JsonElement actual, string where)
    {
        double mean = expected.EnumerateArray().Average(static micro => micro.GetProperty("site_gradient_norm").GetDouble());
        double found = actual.GetProperty("site_gradient_norm").GetDouble();
        Measure("micro", mean, found);
        Near.Equal($"{where}: site_gradient_norm", mean, found, 0, Tolerance(trace, "micro", StepTolerance));
    }

    private void Compare(string where, string quantity, JsonElement expected, JsonElement actual, double tolerance)
    {
        switch (expected.ValueKind)
        {
            case JsonValueKind.Array:
                Assert.Equal(expected.GetArrayLength(), actual.GetArrayLength());
                for (int i = 0; i < expected.GetArrayLength(); i++) Compare($"{where}[{i}]", quantity, expected[i], actual[i], tolerance);
                break;
            case JsonValueKind.Object:
                Assert.Equal(expected.EnumerateObject().Select(NameOf), actual.EnumerateObject().Select(NameOf));
                foreach (JsonProperty field in expected.EnumerateObject())
                    Compare($"{where}.{field.Name}", quantity, field.Value, actual.GetProperty(field.Name), tolerance);
                break;
            case JsonValueKind.String:
                Assert.True(expected.GetString() == actual.GetString(), $"{where}: {actual}, expected {expected}");
                break;
            default:
                Measure(quantity, expected.GetDouble(), actual.GetDouble());
                Near.Equal(where, expected.GetDouble(), actual.GetDouble(), 0, tolerance);
                break;
        }
    }

    private static double Tolerance(Trace trace, string quantity, double wanted) =>
        TestDevice.IsBFloat16 && BFloat16Tolerances.TryGetValue(quantity, out double wide) ? wide : trace.Tolerance(quantity, wanted);

    private void Measure(string quantity, double expected, double actual)
    {
        double distance = expected == actual ? 0 : Math.Abs(expected - actual) / Math.Abs(expected);
        farthest[quantity] = Math.Max(farthest.GetValueOrDefault(quantity), distance);
    }

    private static string NameOf(JsonProperty property) => property.Name;

    private void CompareAdapters(Trace trace, Adapter actual)
    {
        Adapter expected = Adapter.Load(trace.Path("final"), ModelConfiguration.Load(trace.Options.Model!));
        double tolerance = Tolerance(trace, "final_adapter", AdapterTolerance);
        var tooFar = new List<string>();
        foreach ((string name, double distance) in AdapterDistance.OfTensors(expected, actual))
        {
            farthest["final_adapter"] = Math.Max(farthest.GetValueOrDefault("final_adapter"), distance);
            if (!(distance <= tolerance)) tooFar.Add(FormattableString.Invariant($"{name} {distance:G3}"));
        }
        Assert.True(tooFar.Count == 0, $"relative distance above {tolerance}: {string.Join(", ", tooFar)}");
    }
}
