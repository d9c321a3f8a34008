using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Bench;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Times a training step without a model and without data: random weights of a shape, random tokens.</summary>
internal sealed class BenchStepCommand : Verb
{
    private const int DefaultSteps = 5;
    private const int DefaultWarmUp = 2;
    private readonly TrainingOptionSet options = new();
    private readonly Option<string?> shape =
        OptionKinds.Text("--shape", "NAME|DIR", "shape of the model: a published one, or that of a model's folder");
    private readonly Option<int?> steps = OptionKinds.WholeNumber("--steps", "timed steps; 5 unless given", 1);
    private readonly Option<int?> warmUp = OptionKinds.WholeNumber("--warm-up", "steps before them; 2 unless given", 1);
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public BenchStepCommand(CommandContext context) : base(
        "step",
        "Time a training step on random weights and tokens, and compare its memory with the plan",
        "nvaccine bench step --shape llama-2-7b --method tvaccine --precision bf16 --device cuda:0 --device-memory 24GiB",
        context)
    {
        shape.Required = true;
        AddAll([shape, steps, warmUp, .. options.OfAStep, json, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Defaults => TrainingDefaultTexts.Of(TrainingStage.Align);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string name = parsed.GetRequiredValue(shape)!;
        TrainingOptions training = options.Read(parsed, stage: null);
        training.Validate("options");
        if (training.Precision == WeightPrecision.Stored) training = training with { Precision = WeightPrecision.Bf16 };
        var benchmark = new StepBenchmark(
            ShapeOf(name), training, parsed.GetValue(warmUp) ?? DefaultWarmUp, parsed.GetValue(steps) ?? DefaultSteps);
        StepTimes times = ProgressDisplay.Run(Terminal, display => benchmark.Run(display, Cancellation));
        WriteJsonOr(parsed.GetValue(json), ToJson(name, training, times), () => Write(times));
        return ExitCode.Success;
    }

    private static ModelConfiguration ShapeOf(string name) =>
        Directory.Exists(name) ? ModelConfiguration.Load(name) : ModelConfiguration.Shape(name);

    private static JsonObject ToJson(string shape, TrainingOptions training, StepTimes times) => new()
    {
        ["shape"] = shape,
        ["method"] = training.Method,
        ["preset"] = JsonName(training.Preset),
        ["device"] = training.Device,
        ["precision"] = JsonName(training.Precision),
        ["samples"] = training.Batch * training.Accumulate,
        ["tokens"] = times.Tokens,
        ["seconds"] = new JsonArray([.. times.Seconds.Select(static seconds => (JsonNode)seconds)]),
        ["median_seconds"] = times.MedianSeconds,
        ["tokens_per_second"] = times.Tokens / times.MedianSeconds,
        ["loss"] = JsonValues.Number(times.LastLoss),
        ["planned_bytes"] = times.PlannedBytes,
        ["taken_bytes"] = times.TakenBytes,
        ["used_bytes"] = times.UsedBytes,
        ["recomputed_layers"] = times.RecomputedLayers,
        ["trainable_parameters"] = times.TrainableParameters,
    };

    private static string JsonName<T>(T value)
        where T : struct, Enum => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());

    private void Write(StepTimes times)
    {
        Terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{times.MedianSeconds:F4} s a step (median of {times.Seconds.Count}), {times.Tokens} tokens, {times.Tokens / times.MedianSeconds:N0} tokens/s"));
        Terminal.Out.WriteLine(
            $"memory taken {ByteSize.Format(times.TakenBytes)}, of it used {ByteSize.Format(times.UsedBytes)}, planned "
            + $"{ByteSize.Format(times.PlannedBytes)}; {times.RecomputedLayers} layers recompute");
    }
}
