using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Training;
using Spectre.Console;

namespace NativeVaccine.Cli.Commands;

/// <summary>Says what memory a training run would take, without loading anything.</summary>
internal sealed class PlanCommand : Verb
{
    private const string ShapePrefix = "shape:";
    private const int BarWidth = 30;
    private readonly TrainingOptionSet options = new();
    private readonly Option<string?> json = OptionKinds.JsonOutput();

    public PlanCommand(CommandContext context) : base(
        "plan",
        "Show what memory a training run would take, by what, and whether it fits",
        "nvaccine plan --model shape:llama-2-7b --method tvaccine --precision bf16 --device-memory 24GiB",
        context) => AddAll([.. options.All, json, ConfigurationFile.CreateOption()]);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        TrainingOptions training = options.Read(parsed, TrainingStage.Align);
        string model = training.Model
            ?? throw new InputException($"nvaccine plan: expected --model, a folder or {ShapePrefix}llama-2-7b");
        training.Validate("options");
        training = training with { Adapter = AdapterChain.Complete(training.Adapter, Terminal.Error.WriteLine, training.InitAdapter) };
        using Device device = Device.Open(training.Device, training.Threads, training.Gemm);
        training = RunDevice.Effective(training, device);
        (ModelConfiguration configuration, NumberTypes types) = Resolve(model, training, device);
        SessionOptions session = TrainingPlan.For(training, MethodCatalog.Create(training), types);
        MemoryPlan? fitting = TryCreate(device, configuration, session);
        SessionOptions smallest = session with { MemoryLimit = 0, RecomputedLayers = configuration.LayerCount };
        using MemoryPlan plan = fitting ?? MemoryPlan.Create(device, configuration, smallest);
        bool fits = fitting is not null;
        WriteJsonAnd(parsed.GetValue(json), ToJson(plan, training, fits), () => Write(plan, training, fits));
        return fits ? ExitCode.Success : ExitCode.Failed;
    }

    /// <summary>
    /// A folder's own weights say what they are kept as; for a published shape it is bf16 where it is not asked for otherwise.
    /// </summary>
    private (ModelConfiguration Configuration, NumberTypes Types) Resolve(string model, TrainingOptions training, Device device)
    {
        if (!model.StartsWith(ShapePrefix, StringComparison.Ordinal))
        {
            using ModelFolder folder = ModelFolder.Open(model);
            foreach (string line in folder.Notices) Terminal.Error.WriteLine(line);
            return (folder.Configuration, RunDevice.Types(device, training.Precision, folder, training.Adapter.Count));
        }
        NumberTypes types = RunDevice.Types(device, training.Precision, isStoredAsBFloat16: true);
        return (ModelConfiguration.Shape(model[ShapePrefix.Length..]), types);
    }

    private static MemoryPlan? TryCreate(Device device, ModelConfiguration configuration, SessionOptions session)
    {
        try
        {
            return MemoryPlan.Create(device, configuration, session);
        }
        catch (EngineException exception) when (exception.Error == EngineError.OutOfMemory && session.MemoryLimit > 0)
        {
            return null;
        }
    }

    private void Write(MemoryPlan plan, TrainingOptions training, bool fits)
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
        Terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{plan.ParameterCount:N0} parameters, {plan.TrainableParameterCount:N0} that train; {batch}"));
        Terminal.Out.WriteLine(plan.RecomputedLayers == 0
            ? "all layers keep their activations"
            : $"{plan.RecomputedLayers} of {plan.Configuration.LayerCount} layers recompute their activations");
        if (training.DeviceMemory == 0) return;
        Terminal.Out.WriteLine(fits
            ? $"fits into {ByteSize.Format(training.DeviceMemory)}"
            : $"does not fit into {ByteSize.Format(training.DeviceMemory)}, even where every layer recomputes: "
                + $"{ByteSize.Format(plan.TotalBytes - training.DeviceMemory)} too much; a smaller --batch or --max-length helps");
    }

    private string Bar(double share)
    {
        int filled = (int)Math.Round(share * BarWidth);
        return Terminal.IsOutputScreen ? new string('█', filled) : new string('#', filled);
    }

    private static JsonObject ToJson(MemoryPlan plan, TrainingOptions training, bool fits) => new()
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
        ["max_tokens"] = plan.Options.MaxTokens,
        ["device_memory"] = training.DeviceMemory == 0 ? null : training.DeviceMemory,
        ["fits"] = fits,
    };
}
