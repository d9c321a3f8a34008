using System.Diagnostics;
using System.Text.Json;
using NativeVaccine.Cli;
using NativeVaccine.Data;
using NativeVaccine.Interop;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;
using Xunit.Abstractions;

namespace NativeVaccine.Tests.Training;

/// <summary>
/// A run of each method on the GPU engine beside the same run on the CPU engine, which a process of its own makes: every metric of every
/// step, and the adapter. Order, noise and dropout are the same on both. The CPU computes in fp32 with weights as the GPU keeps them, so in
/// bf16 what differs is the rounding of activations and of their gradients.
/// </summary>
public sealed class MethodRunTests(ITestOutputHelper output)
{
    /// <summary>Not compared: of the device and not of the run.</summary>
    private static readonly string[] NotOfTheRun = ["seconds", "peak_bytes"];

    /// <summary>Weights of the parts of some objectives, with which each part turns the run far enough for its faults to be seen.</summary>
    private static readonly Dictionary<string, (string Option, double Value)> Weights = new()
    {
        ["kl"] = ("lambda", 1),
        ["ewc"] = ("lambda", 100),
        ["repnoise"] = ("beta", 1),
    };

    /// <summary>
    /// In fp32: about ten times the largest distance that was measured on short runs of all methods: the adapter 3e-6 (Booster's, which trains
    /// on the difference of two gradients, 4.8e-6), all else 1e-6.
    /// </summary>
    private static readonly Dictionary<string, double> Fp32Bounds = new() { ["adapter"] = 3e-5, ["booster adapter"] = 5e-5 };

    /// <summary>
    /// In bf16: about twice the largest distance that was measured likewise: the adapter 0.039 (Booster's 0.085), the norm of Booster's
    /// difference 0.019, losses 1.2e-3, all else 1.3e-2.
    /// </summary>
    private static readonly Dictionary<string, double> BFloat16Bounds = new()
    {
        ["perturbation_norm"] = 1e-5, // rho in both
        ["harmful_difference_norm"] = 0.04,
        ["adapter"] = 0.08,
        ["booster adapter"] = 0.17,
    };

    public static TheoryData<string> Methods() => [.. MethodCatalog.Names];

    /// <summary>Three steps on pieces of samples, 6 to 11 tokens each.</summary>
    [CudaTheory]
    [MemberData(nameof(Methods))]
    public void AShortRunIsTheCpus(string method) => Compare(method, Shortened, static options => options with { Epochs = 1 });

    /// <summary>Four steps on whole samples, with accumulation.</summary>
    [CudaTheory]
    [MemberData(nameof(Methods))]
    public void AWholeRunIsTheCpus(string method) =>
        Compare(method, static samples => samples, static options => options with { Epochs = 2, Accumulate = 2 });

    private void Compare(
        string method, Func<IReadOnlyList<Sample>, IReadOnlyList<Sample>> cut, Func<TrainingOptions, TrainingOptions> length)
    {
        using var folder = new TemporaryFolder();
        TrainingOptions options = length(Options(method, folder, cut));
        string onDevice = folder.File("device"), onCpu = folder.File("cpu");
        using (TrainingRun run = TrainingRun.Create(options, onDevice)) run.Execute();
        RunOnCpu(options, folder.File("cpu.json"), onCpu);

        SortedDictionary<string, double> farthest = Distances(Steps(onCpu), Steps(onDevice));
        ModelConfiguration model = ModelConfiguration.Load(options.Model!);
        Adapter expected = Adapter.Load(Path.Combine(onCpu, "adapter"), model), actual = Adapter.Load(Path.Combine(onDevice, "adapter"), model);
        farthest["adapter"] = AdapterDistance.OfTensors(expected, actual).Max(static tensor => tensor.Distance);
        foreach ((string quantity, double distance) in farthest)
            output.WriteLine(FormattableString.Invariant($"{method} {TestDevice.Name} {TestDevice.Precision}: {quantity} off by {distance:G3}"));
        string tooFar = string.Join(", ", farthest.Where(each => !(each.Value <= Bound(method, each.Key)))
            .Select(each => FormattableString.Invariant($"{each.Key} {each.Value:G3} (bound {Bound(method, each.Key):G3})")));
        Assert.True(tooFar.Length == 0, $"relative distance from the CPU: {tooFar}");
    }

    private static double Bound(string method, string quantity)
    {
        Dictionary<string, double> bounds = TestDevice.IsBFloat16 ? BFloat16Bounds : Fp32Bounds;
        if (bounds.TryGetValue($"{method} {quantity}", out double own) || bounds.TryGetValue(quantity, out own)) return own;
        return !TestDevice.IsBFloat16 ? 1e-5 : quantity.Contains("loss", StringComparison.Ordinal) ? 2e-3 : 0.02;
    }

    /// <summary>
    /// Learning from the first step on, with an adapter that counts. AdamW's epsilon is large, so that a step follows the gradient: with a
    /// small one it is of the full length wherever a gradient is not zero, and rounding chooses its sign where it is nearly so.
    /// </summary>
    private static TrainingOptions Options(
        string method, TemporaryFolder folder, Func<IReadOnlyList<Sample>, IReadOnlyList<Sample>> cut)
    {
        string samples = folder.File("samples.jsonl"), pairs = folder.File("pairs.jsonl");
        File.WriteAllLines(samples, Lines("align", cut(SmallRun.Samples("align"))).Concat(Lines("harmful", cut(SmallRun.Samples("harmful")))));
        File.WriteAllLines(
            pairs, Lines("harmless", cut(SmallRun.Samples("align"))).Concat(Lines("harmful", cut(SmallRun.OtherSides()))));
        MethodInfo info = MethodCatalog.Require(method);
        TrainingOptions options = SmallRun.OptionsFor(method)
            .With("guide_steps", 1)
            .With("user_steps", 2)
            .With("resample_every", 2)
            .With("probe_every", 2) with
        {
            Data = info.Pairs is null ? $"{samples}#align" : null,
            WarmupRatio = 0,
            LoraAlpha = 16,
            AdamEpsilon = 1e-3,
        };
        if (Weights.TryGetValue(method, out (string Option, double Value) weight)) options = options.With(weight.Option, weight.Value);
        return info.Pools.Aggregate(options, (all, pool) => all.With(pool.Name, pool.OfPairs ? pairs : $"{samples}#harmful"));
    }

    /// <summary>Three tokens of the prompt and some of the answer, another number for each sample, of as many samples as three steps take.</summary>
    private static IReadOnlyList<Sample> Shortened(IReadOnlyList<Sample> samples) =>
    [
        .. samples.Take(6).Index().Select(static pair =>
        {
            int answer = Array.FindIndex(pair.Item.Labels, static label => label != Sample.IgnoredLabel);
            Range piece = (answer - 3)..(answer + 3 + pair.Index);
            return new Sample(pair.Item.InputIds[piece], pair.Item.Labels[piece]);
        }),
    ];

    private static IEnumerable<string> Lines(string pool, IReadOnlyList<Sample> samples) => samples.Index().Select(
        pair => JsonSerializer.Serialize(new { pool, index = pair.Index, input_ids = pair.Item.InputIds, labels = pair.Item.Labels }));

    /// <summary>A process uses one engine, and this one's is the GPU's.</summary>
    private static void RunOnCpu(TrainingOptions options, string configuration, string folder)
    {
        TrainingOptions onCpu = options with { Device = "cpu" };
        File.WriteAllText(configuration, TrainingOptionsJson.Write(onCpu));
        string verb = options.Stage.ToString().ToLowerInvariant();
        var start = new ProcessStartInfo("dotnet", [typeof(Application).Assembly.Location, verb, "--config", configuration, "--out", folder])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove(EngineLibrary.PathVariable);
        using Process process = Process.Start(start)!;
        Task<string> said = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"on the CPU: {error}{said.Result}");
    }

    private static IReadOnlyList<JsonElement> Steps(string folder) =>
        [.. File.ReadLines(Path.Combine(folder, RunFolder.MetricsFileName)).Select(static line => JsonElement.Parse(line))];

    /// <summary>
    /// The largest relative distance of each quantity. The divisor is at least a thousandth of the quantity's greatest value in the run;
    /// whole numbers and words must be the same, and a number that is none (null in the file) is as far off as can be.
    /// </summary>
    private static SortedDictionary<string, double> Distances(IReadOnlyList<JsonElement> expected, IReadOnlyList<JsonElement> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        var farthest = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (string name in expected.Concat(actual).SelectMany(Names).Distinct().Except(NotOfTheRun))
        {
            (string Place, JsonElement Value)[] all = [.. expected.Index().SelectMany(step => Leaves(step.Item, name, $"step {step.Index}"))];
            (string Place, JsonElement Value)[] found = [.. actual.Index().SelectMany(step => Leaves(step.Item, name, $"step {step.Index}"))];
            Assert.Equal(all.Select(static leaf => leaf.Place), found.Select(static leaf => leaf.Place));
            double greatest = all.Max(static leaf => Math.Abs(Number(leaf.Value) ?? 0));
            farthest[name] = all.Zip(found, (a, b) => Distance(a.Place, a.Value, b.Value, greatest / 1000)).Max();
        }
        return farthest;

        static IEnumerable<string> Names(JsonElement step) => step.EnumerateObject().Select(static field => field.Name);
    }

    private static double Distance(string place, JsonElement expected, JsonElement actual, double leastDivisor)
    {
        if (expected.GetRawText() == actual.GetRawText() && expected.ValueKind != JsonValueKind.Null) return 0;
        bool isCloseEnough = Number(expected) is not null && Number(actual) is not null
            && !(expected.TryGetInt64(out long _) && actual.TryGetInt64(out long _));
        Assert.True(isCloseEnough, $"{place}: {actual}, expected {expected}");
        (double a, double b) = (Number(expected)!.Value, Number(actual)!.Value);
        return Math.Abs(a - b) / Math.Max(Math.Abs(a), leastDivisor);
    }

    private static double? Number(JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    /// <summary>The numbers and words of a field, by their places in it.</summary>
    private static IEnumerable<(string Place, JsonElement Value)> Leaves(JsonElement step, string name, string where) =>
        step.TryGetProperty(name, out JsonElement value) ? Leaves(value, $"{where}: {name}") : [];

    private static IEnumerable<(string Place, JsonElement Value)> Leaves(JsonElement value, string place) => value.ValueKind switch
    {
        JsonValueKind.Array => value.EnumerateArray().Index().SelectMany(item => Leaves(item.Item, $"{place}[{item.Index}]")),
        JsonValueKind.Object => value.EnumerateObject().SelectMany(field => Leaves(field.Value, $"{place}.{field.Name}")),
        _ => [(place, value)],
    };
}
