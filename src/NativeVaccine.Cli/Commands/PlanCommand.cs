using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Training;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Says what memory a training run would take, without loading anything; on a GPU too where none is here.</summary>
internal sealed class PlanCommand : Verb
{
    private const int BarWidth = 30;
    private readonly TrainingOptionSet options = new();
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public PlanCommand(CommandContext context) : base(
        "plan",
        "Show what memory a training run would take, by what, and whether it fits; for a GPU, none need be here",
        "nvaccine plan --model shape:llama-2-7b --method tvaccine --device cuda:0 --device-memory 24GiB",
        context) => AddAll([.. options.All, json, ConfigurationFile.CreateOption()]);

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed => ["--model"];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Defaults => TrainingDefaultTexts.Of(TrainingStage.Align);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        string? run = parsed.GetValue(options.Resume);
        TrainingOptions training = run is null ? options.Read(parsed, stage: null) : OfRun(parsed, run);
        training.Validate("options");
        training = training with { Adapter = AdapterChain.Complete(training.Adapter, Terminal.Error.WriteLine, training.InitAdapter) };
        string? noGpu = Device.WhyNoGpu(training.Device);
        using Device? device = noGpu is null ? Device.Open(training.Device, training.Threads, training.Gemm) : null;
        var planner = new RunPlanner(device is null ? RunDevice.OnAnyGpu(training) : RunDevice.Effective(training, device), device);
        foreach (string line in planner.Notices) Terminal.Error.WriteLine(line);
        if (noGpu is not null) Terminal.Error.WriteLine($"planned for a GPU as the cuda engine does, and none was asked: {noGpu}");
        // A run on a CPU takes what it needs unless told otherwise, but the machine has only so much.
        long limit = planner.Options.DeviceMemory;
        long? room = limit > 0 ? limit : device?.Info.TotalBytes;
        MemoryPlan? fitting = planner.Within(limit);
        using MemoryPlan plan = fitting ?? planner.Smallest();
        bool? fits = room is null ? null : fitting is not null && plan.TotalBytes <= room;
        var verdict = new PlanVerdict(planner, plan, room, limit > 0, fits);
        string? time = run is null ? null : RemainingTime(planner, run);
        WriteJsonAnd(parsed.GetValue(json), ToJson(plan, limit, verdict, isAsked: device is not null), () => Write(plan, verdict, time));
        return fits ?? true ? ExitCode.Success : ExitCode.Failed;
    }

    /// <summary>The options of a run that is there, perhaps with another limit.</summary>
    private TrainingOptions OfRun(ParseResult parsed, string run)
    {
        options.RefuseBesideResume(parsed, [options.Device.DeviceMemory, json]);
        TrainingOptions training = RunFolder.ReadOptions(run);
        return training with { DeviceMemory = parsed.GetValue(options.Device.DeviceMemory) ?? training.DeviceMemory };
    }

    /// <summary>From what the run itself took so far; nothing else tells how fast a machine is.</summary>
    private static string? RemainingTime(RunPlanner planner, string run)
    {
        if (planner.TotalSteps is not { } total || RunPlanner.Measured(run) is not var (seconds, done)) return null;
        int left = Math.Max(0, total - done);
        string all = left * seconds < 120 ? Invariant($"{left * seconds:F0} s") : Invariant($"{left * seconds / 60:F0} min");
        return Invariant($"{done} of {total} steps are done, {seconds:G3} s each (median); the other {left} take about {all} here, if they ran here");
    }

    private void Write(MemoryPlan plan, PlanVerdict verdict, string? time)
    {
        Table table = new Table()
            .AddColumn("memory for")
            .AddColumn(new TableColumn("bytes").RightAligned())
            .AddColumn(new TableColumn("").NoWrap());
        foreach (MemoryPlanItem item in plan.Items.Where(static item => item.Bytes > 0).OrderByDescending(static item => item.Bytes))
            table.AddRow(Markup.Escape(item.Name), ByteSize.Format(item.Bytes), Bar((double)item.Bytes / plan.TotalBytes));
        table.AddRow("all together", ByteSize.Format(plan.TotalBytes), "");
        Terminal.Write(table);
        string batch = $"batches of up to {plan.Options.MaxSamples} samples and {plan.Options.MaxTokens} tokens";
        string source = verdict.Planner.KnowsData ? ", as the data has them" : "";
        Terminal.Out.WriteLine(Invariant($"{plan.ParameterCount:N0} parameters, {plan.TrainableParameterCount:N0} that train; {batch}{source}"));
        Terminal.Out.WriteLine(plan.RecomputedLayers == 0
            ? "all layers keep their activations"
            : $"{plan.RecomputedLayers} of {plan.Configuration.LayerCount} layers recompute their activations");
        foreach (string line in verdict.Planner.Cost?.Lines ?? []) Terminal.Out.WriteLine(line);
        foreach (string line in verdict.Lines()) Terminal.Out.WriteLine(line);
        if (time is not null) Terminal.Out.WriteLine(time);
    }

    private string Bar(double share)
    {
        int filled = (int)Math.Round(share * BarWidth);
        return Terminal.IsOutputScreen ? new string('█', filled) : new string('#', filled);
    }

    private static JsonObject ToJson(MemoryPlan plan, long limit, PlanVerdict verdict, bool isAsked) => new()
    {
        ["total_bytes"] = plan.TotalBytes,
        ["items"] = new JsonArray([.. plan.Items.Select(static item => (JsonNode)new JsonObject
        {
            ["name"] = item.Name,
            ["bytes"] = item.Bytes,
        })]),
        ["parameters"] = plan.ParameterCount,
        ["trainable_parameters"] = plan.TrainableParameterCount,
        ["recomputed_layers"] = plan.RecomputedLayers,
        ["layers"] = plan.Configuration.LayerCount,
        ["steps"] = verdict.Planner.TotalSteps,
        ["max_tokens"] = plan.Options.MaxTokens,
        ["max_samples"] = plan.Options.MaxSamples,
        ["device"] = verdict.Planner.Options.Device,
        ["device_asked"] = isAsked,
        ["device_memory"] = limit == 0 ? null : limit,
        ["room"] = verdict.Room,
        ["fits"] = verdict.Fits,
        ["largest_batch"] = verdict.LargestBatch,
        ["step_cost"] = verdict.Planner.Cost is { } cost
            ? new JsonObject(cost.Numbers.Select(static number => KeyValuePair.Create(number.Key, (JsonNode?)number.Value)))
            : null,
    };

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
