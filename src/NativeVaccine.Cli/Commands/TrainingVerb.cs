using System.CommandLine;
using System.Globalization;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Reporting;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>A verb that trains in a run folder: a new one, or one that was interrupted.</summary>
internal abstract class TrainingVerb : Verb
{
    private readonly TrainingOptionSet options;
    private readonly TrainingStage stage;
    private StepMetrics? last;

    /// <summary>A verb for a stage.</summary>
    protected TrainingVerb(string name, string description, string example, TrainingStage stage, CommandContext context)
        : base(name, description, example, context)
    {
        this.stage = stage;
        options = new TrainingOptionSet(stage);
        AddAll([.. options.All, ConfigurationFile.CreateOption()]);
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> Needed =>
        stage == TrainingStage.Align ? ["--model", "--data", "--method", "--out"] : ["--model", "--data", "--out"];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, (string Option, string Methods)> Substitutes
    {
        get
        {
            MethodInfo[] ofPairs = [.. MethodCatalog.All.Where(method => method.Pairs is not null && method.Stages.Contains(stage))];
            var substitutes = new Dictionary<string, (string, string)>();
            if (ofPairs.Length > 0)
                substitutes.Add("--data", (ofPairs[0].Pairs!.CommandLineName, string.Join(", ", ofPairs.Select(static method => method.Name))));
            return substitutes;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Defaults => TrainingDefaultTexts.Of(stage);

    /// <inheritdoc/>
    protected override int Execute(ParseResult parsed)
    {
        using TrainingRun run = Open(parsed);
        Describe(run);
        Saving = "a checkpoint is written after this step";
        try
        {
            string result = ProgressDisplay.Run(Terminal, display => Train(run, display));
            SayHowItEnded(run, result);
            return ExitCode.Success;
        }
        catch (EngineException exception) when (exception.Error == EngineError.Device)
        {
            throw new EngineException(
                exception.Error, $"{exception.Message}; continue with: nvaccine {Name} --resume {Argument(run.FolderPath)}");
        }
        catch (OperationCanceledException exception)
        {
            Terminal.Error.WriteLine($"{exception.Message}; continue with: nvaccine {Name} --resume {Argument(run.FolderPath)}");
            return ExitCode.Cancelled;
        }
    }

    private void SayHowItEnded(TrainingRun run, string result)
    {
        if (last is { } step)
        {
            Terminal.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"final loss {step.Loss:F4}, in step {step.Step + 1}"));
        }
        if (run.Options.TamperPrompts is not null) SayHowItAnswered(Path.Combine(run.FolderPath, TamperFile.FileName));
        Terminal.Error.WriteLine($"wrote {result}");
        string report = Path.Combine(run.FolderPath, RunReport.FileName);
        if (File.Exists(report)) Terminal.Error.WriteLine($"report: {report}");
        Terminal.Error.WriteLine(run.Options.Stage == TrainingStage.Align
            ? $"next: nvaccine finetune --run {Argument(run.FolderPath)} --data TASK.json --out RUN"
            : $"next: nvaccine evaluate harmful --run {Argument(run.FolderPath)} --prompts QUESTIONS.json");
    }

    private void SayHowItAnswered(string file)
    {
        IReadOnlyList<TamperLook> looks = TamperFile.Read(file);
        (TamperVerdicts before, TamperVerdicts after) = (looks[0].Verdicts!, looks[^1].Verdicts!);
        string half = TamperCurve.StepsToHalf(looks) is { } steps
            ? string.Create(CultureInfo.InvariantCulture, $"half of the prompts were answered after {steps:F1} steps")
            : "half of the prompts were never answered";
        Terminal.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"harmful score {before.HarmfulScore:F1} % before the first step, {after.HarmfulScore:F1} % after the last; {half}"));
    }

    private static string Argument(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    private TrainingRun Open(ParseResult parsed)
    {
        if (parsed.GetValue(options.Resume) is not { } folder)
        {
            string output =
                parsed.GetValue(options.Out) ?? throw new InputException($"nvaccine {Name}: expected --out, the folder of the new run");
            TrainingOptions training = options.Read(parsed, stage, stage == TrainingStage.Align ? null : "sft");
            return TrainingRun.Create(training, output, Terminal.Error.WriteLine);
        }
        options.RefuseBesideResume(parsed, options.FreeOnResume);
        return TrainingRun.Resume(folder, original => options.ReadFree(parsed, original));
    }

    private string Train(TrainingRun run, ProgressDisplay display)
    {
        run.Loading = display.Stage("loading the model");
        ProgressStage? training = null;
        string looked = "";
        run.Looked = look => looked = string.Create(
            CultureInfo.InvariantCulture, $"  harmful score {look.Verdicts!.HarmfulScore:F1} % after {look.Step} steps");
        run.StepDone = (metrics, steps) =>
        {
            last = metrics;
            training ??= display.Stage("training");
            string detail = string.Create(CultureInfo.InvariantCulture, $"step {metrics.Step + 1} of {steps}  loss {metrics.Loss:F4}{looked}");
            training.Report((metrics.Step + 1.0) / steps, detail);
        };
        run.Notice = Terminal.Error.WriteLine;
        return run.Execute(Cancellation);
    }

    private void Describe(TrainingRun run)
    {
        Terminal.Error.WriteLine(run.Settings);
        if (run.Options is { Stage: TrainingStage.Finetune, Adapter.Count: 0 } plain)
        {
            Terminal.Error.WriteLine(plain.InitAdapter is { } initial
                ? $"no adapter is merged: {initial} is continued on the model itself"
                : "no adapter is merged: the model itself is fine-tuned");
        }
        foreach (string notice in run.FileNotices) Terminal.Error.WriteLine(notice);
        foreach (Data.SampleSet set in run.Samples)
        {
            Terminal.Error.WriteLine($"{set.Source}: {set.Summary}");
            foreach (string line in set.Notices) Terminal.Error.WriteLine(line);
        }
        MemoryPlan plan = run.Plan;
        string memory = ByteSize.Format(plan.TotalBytes);
        string recomputed = plan.RecomputedLayers == 0 ? "" : $", {plan.RecomputedLayers} layers recompute their activations";
        Terminal.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{plan.TrainableParameterCount:N0} parameters train, the model has {plan.ParameterCount:N0}; memory {memory}{recomputed}"));
        foreach (string line in run.Cost?.Lines ?? []) Terminal.Error.WriteLine(line);
    }
}
