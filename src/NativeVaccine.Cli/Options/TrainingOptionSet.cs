using System.CommandLine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Options;

/// <summary>
/// The options by which a training run is described, one for each field of <see cref="TrainingOptions"/>; align, finetune and plan share
/// them. The names are a contract.
/// </summary>
internal sealed class TrainingOptionSet
{
    public Option<string?> Model { get; } = OptionKinds.Text("--model", "DIR", "Hugging Face folder of the model");
    public Option<string[]> Adapter { get; } =
        OptionKinds.Repeated("--adapter", "DIR", "PEFT adapter to merge before training; may be repeated, merged in the order given");
    public Option<string?> Run { get; } = ModelSelection.CreateRunOption();
    public Option<string?> Data { get; } =
        OptionKinds.Text(
            "--data", "FILE", "training data: Alpaca records or records of tokens, as a JSON array or JSON lines; without a suffix the content tells");
    public Option<string?> Out { get; } = OptionKinds.Text("--out", "RUN", "folder of the run, new or empty");
    public Option<string?> Resume { get; } =
        OptionKinds.Text(
            "--resume",
            "RUN",
            "continue an interrupted run; takes all from its config.json but, if given, --threads, --device, --device-memory, --checkpoint-every");
    private readonly Option<string?> preset =
        OptionKinds.Words<Preset>("--preset", "defaults from the papers (unless given), or from what the authors' code computes");
    private readonly Option<string?> template =
        OptionKinds.Template("how a record becomes a prompt; alpaca unless given");
    private readonly Option<string?> labels = OptionKinds.Labels();
    private readonly Option<int?> maxLength = OptionKinds.WholeNumber("--max-length", "longer samples are cut to this many tokens", 2);

    private readonly Option<string?> method;
    private readonly MethodOptionSet ofMethods;

    private readonly Option<int?> epochs = OptionKinds.WholeNumber("--epochs", "passes over the data", 1);
    private readonly Option<int?> batch = OptionKinds.WholeNumber("--batch", "samples of a batch", 1);
    private readonly Option<int?> accumulate = OptionKinds.WholeNumber(
        "--accumulate",
        "batches of an optimizer step; each batch's mean loss counts alike, however many labels it has (see --loss-mean)",
        1);
    private readonly Option<string?> lossMean = OptionKinds.Words<LossMean>(
        "--loss-mean",
        "with --accumulate: mean of the batches' means (unless given), or over the labels of all of them, as transformers 4.46");
    private readonly Option<double?> learningRate = OptionKinds.NonNegative("--learning-rate", "highest learning rate");
    private readonly Option<string?> schedule = OptionKinds.Words<ScheduleKind>("--schedule", "how the learning rate goes over the run");
    private readonly Option<double?> warmupRatio =
        OptionKinds.Share("--warmup-ratio", "share of the steps in which the learning rate rises");
    private readonly Option<double?> weightDecay = OptionKinds.NonNegative("--weight-decay", "decoupled weight decay");
    private readonly Option<double?> beta1 = OptionKinds.ShareBelowOne("--beta1", "decay of AdamW's first moment");
    private readonly Option<double?> beta2 = OptionKinds.ShareBelowOne("--beta2", "decay of AdamW's second moment");
    private readonly Option<double?> adamEpsilon = OptionKinds.Positive("--adam-epsilon", "AdamW's epsilon");
    private readonly Option<double?> clip = OptionKinds.NonNegative("--clip", "largest norm of a step's gradient; 0 for no limit");

    private readonly Option<bool> full = OptionKinds.Switch("--full", "train all parameters, without an adapter");
    private readonly Option<int?> loraRank = OptionKinds.WholeNumber("--lora-rank", "rank of the adapter", 1);
    private readonly Option<double?> loraAlpha = OptionKinds.Number(
        "--lora-alpha",
        "the adapter's scale is alpha / rank; 4 in align (1 with --preset reference), 1 in finetune unless given or continued; "
        + "the authors fine-tune on GSM8K with 0.5",
        Models.Adapter.IsAlpha,
        Models.Adapter.AlphaRange);
    private readonly Option<string?> loraTargets =
        OptionKinds.Text("--lora-targets", "q_proj,v_proj,...", "adapted projections, or modules of the model that hold them; all seven unless given or continued");
    private readonly Option<double?> dropout = OptionKinds.ShareBelowOne("--dropout", "dropout on the adapter's input");
    private readonly Option<string?> initAdapter = OptionKinds.Text("--init-adapter", "DIR", "adapter to continue in place of a fresh one; its rank, alpha and targets are the run's");
    private readonly Option<ulong?> seed = OptionKinds.Seed("--seed", "of the run: order, dropout, layers, fresh adapter");
    private readonly Option<string?> replay =
        OptionKinds.Text("--replay", "FILE", "follow another run's samples and layers (its replay.jsonl)");
    private readonly Option<int?> checkpointEvery =
        OptionKinds.WholeNumber("--checkpoint-every", "steps between checkpoints; 0: only when interrupted", 0);

    private readonly Option<string?> tamperPrompts = OptionKinds.Text(
        "--tamper-prompts",
        "FILE",
        "ask the model these harmful prompts before the first step, between steps and after the last, and write how it answers to tamper.jsonl; "
        + "files as evaluate harmful takes them, put to the model as the training data are");
    private readonly Option<int?> tamperEvery = OptionKinds.WholeNumber(
        "--tamper-every", "steps between two askings; unless given, or 0: as often as takes no more than 5 % of the run's time", 0);
    private readonly Option<string?> tamperRules = OptionKinds.Text(
        "--tamper-rules", "FILE", "rules that judge the answers, as evaluate harmful --rules takes them; built-in English ones unless given");
    private readonly Option<int?> tamperNewTokens = OptionKinds.WholeNumber(
        "--tamper-new-tokens", "tokens after which an answer to these prompts ends, if it has not ended before; 64 unless given", 1);
    private readonly Option<bool> trackDrift = OptionKinds.Switch(
        "--track-drift",
        "at each asking also measure, layer by layer, how far the residual stream on these prompts is from what it was before the first step: "
        + "the L2 norm of the difference, mean over their tokens");

    public DeviceOptionSet Device { get; } = new();

    /// <summary>The options of a verb.</summary>
    /// <param name="stage">The stage whose methods it offers; null for all methods.</param>
    public TrainingOptionSet(TrainingStage? stage = null)
    {
        MethodInfo[] methods = [.. MethodCatalog.All.Where(info => stage is null || info.Stages.Contains(stage.Value))];
        string unlessGiven = stage == TrainingStage.Align ? "" : "; sft unless given";
        method = OptionKinds.Text(
            "--method", string.Join('|', methods.Select(static info => info.Name)), $"how to train{unlessGiven}");
        ofMethods = new MethodOptionSet(methods);
        // As with other methods' options: there to be refused in words.
        foreach (Option option in OfLooks) option.Hidden = stage == TrainingStage.Align;
    }

    /// <summary>Those about looking at the model on the way.</summary>
    private Option[] OfLooks => [tamperPrompts, tamperEvery, tamperRules, tamperNewTokens, trackDrift];

    /// <summary>Every option, in the order of the help.</summary>
    public IEnumerable<Option> All =>
    [
        Model, Adapter, Run, Data, Out, Resume, preset, template, labels, maxLength,
        method, .. ofMethods.All,
        epochs, batch, accumulate, lossMean, learningRate, schedule, warmupRatio, weightDecay, beta1, beta2, adamEpsilon, clip,
        full, loraRank, loraAlpha, loraTargets, dropout, initAdapter, seed, replay, checkpointEvery, .. OfLooks, .. Device.All,
    ];

    /// <summary>Those that a training step depends on; the others are about files and about runs of many steps.</summary>
    public IEnumerable<Option> OfAStep =>
    [
        preset, maxLength, method, .. ofMethods.OfAStep, batch, accumulate, lossMean, learningRate, weightDecay, beta1, beta2, adamEpsilon, clip, full, loraRank, loraAlpha, loraTargets, dropout, seed, .. Device.All,
    ];

    /// <summary>Those that change no number, and so may be given to a run that goes on.</summary>
    public IEnumerable<Option> FreeOnResume => [checkpointEvery, Device.Device, Device.Threads, Device.DeviceMemory];

    /// <summary>The options of a run that goes on, with what was given of <see cref="FreeOnResume"/>.</summary>
    public TrainingOptions ReadFree(ParseResult parsed, TrainingOptions original) => original with
    {
        CheckpointEvery = parsed.GetValue(checkpointEvery) ?? original.CheckpointEvery,
        Device = parsed.GetValue(Device.Device) ?? original.Device,
        Threads = parsed.GetValue(Device.Threads) ?? original.Threads,
        DeviceMemory = parsed.GetValue(Device.DeviceMemory) ?? original.DeviceMemory,
    };

    /// <summary>What was given, on the defaults of stage, method and preset.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="stage">
    /// What the run is for; null for whatever its method is for, and where it is for several, for the one that what was given is for.
    /// </param>
    /// <param name="defaultMethod">The method if none was given; null if one must be.</param>
    /// <exception cref="InputException">A value cannot be used, or changes nothing in such a run.</exception>
    public TrainingOptions Read(ParseResult parsed, TrainingStage? stage, string? defaultMethod = "sft")
    {
        string methodName = parsed.GetValue(method) ?? defaultMethod ?? throw new InputException(
            $"{ParseErrors.NameOf(parsed)}: expected --method, one of {string.Join(", ", MethodCatalog.NamesFor(stage ?? TrainingStage.Align))}");
        MethodInfo info = MethodCatalog.Require(methodName);
        bool isLookedAt = parsed.IsGiven(tamperPrompts) && info.Stages.Contains(TrainingStage.Finetune);
        TrainingStage runStage = stage ?? (isLookedAt ? TrainingStage.Finetune : info.Stages[0]);
        if (!info.Stages.Contains(runStage))
        {
            throw new InputException(
                $"{ParseErrors.NameOf(parsed)}: method {methodName} is for nvaccine {info.Stages[0].ToString().ToLowerInvariant()}; "
                + $"expected one of {string.Join(", ", MethodCatalog.NamesFor(runStage))}");
        }
        TrainingOptions defaults = TrainingDefaults.For(runStage, methodName, OptionKinds.Word(parsed, preset, Preset.Paper));
        TrainingOptions options = ReadData(ReadOptimization(defaults, parsed), parsed) with
        {
            Settings = ofMethods.Read(parsed, info, defaults.Settings),
        };
        options = ReadAdapter(options, parsed) with
        {
            Device = parsed.GetValue(Device.Device) ?? defaults.Device,
            Threads = parsed.GetValue(Device.Threads) ?? defaults.Threads,
            Precision = OptionKinds.Word(parsed, Device.Precision, defaults.Precision),
            Gemm = OptionKinds.Word(parsed, Device.Gemm, defaults.Gemm),
            DeviceMemory = parsed.GetValue(Device.DeviceMemory) ?? defaults.DeviceMemory,
            Seed = parsed.GetValue(seed) ?? defaults.Seed,
            Replay = parsed.GetValue(replay),
            CheckpointEvery = parsed.GetValue(checkpointEvery) ?? defaults.CheckpointEvery,
            TamperPrompts = parsed.GetValue(tamperPrompts),
            TamperEvery = parsed.GetValue(tamperEvery) ?? defaults.TamperEvery,
            TamperRules = parsed.GetValue(tamperRules),
            TamperNewTokens = parsed.GetValue(tamperNewTokens) ?? defaults.TamperNewTokens,
            TrackDrift = parsed.GetValue(trackDrift),
        };
        RefuseUnused(parsed, options);
        return options;
    }

    /// <summary>Refuses what is given beside <c>--resume</c>, which takes everything from the run.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="allowed">Options that change nothing in the run.</param>
    /// <exception cref="InputException">Another option is given; the message names it.</exception>
    public void RefuseBesideResume(ParseResult parsed, IEnumerable<Option> allowed)
    {
        IEnumerable<Option> others = parsed.CommandResult.Command.Options.Except([Resume, .. allowed])
            .Where(static option => option.Name.StartsWith("--", StringComparison.Ordinal) && option.Name != "--help");
        if (parsed.FirstGiven(others) is { } other)
        {
            throw new InputException(
                $"{ParseErrors.NameOf(parsed)}: {other.Name} cannot be given with --resume, which takes everything from the run's config.json");
        }
    }

    private void RefuseUnused(ParseResult parsed, TrainingOptions options)
    {
        foreach ((string name, string why) in UnusedOptions.Of(options))
        {
            Option option = All.First(option => option.Name == $"--{name.Replace('_', '-')}");
            if (parsed.IsGiven(option)) throw new InputException($"{option.Name} {why}");
        }
    }

    private TrainingOptions ReadData(TrainingOptions options, ParseResult parsed)
    {
        FinishedRun? run = ModelSelection.OpenRun(parsed, Run, Model, Adapter);
        return options with
        {
            Model = run?.Model ?? parsed.GetValue(Model),
            Adapter = run?.Adapters ?? parsed.GetValue(Adapter)!,
            Data = parsed.GetValue(Data),
            Template = parsed.GetValue(template) ?? run?.Options.Template ?? ModelSelection.TemplateOf(parsed.GetValue(Adapter)!) ?? options.Template,
            Labels = OptionKinds.Word(parsed, labels, run?.Options.Labels ?? options.Labels),
            MaxLength = parsed.GetValue(maxLength) ?? run?.Options.MaxLength ?? options.MaxLength,
        };
    }

    private TrainingOptions ReadOptimization(TrainingOptions options, ParseResult parsed) => options with
    {
        Epochs = parsed.GetValue(epochs) ?? options.Epochs,
        Batch = parsed.GetValue(batch) ?? options.Batch,
        Accumulate = parsed.GetValue(accumulate) ?? options.Accumulate,
        LossMean = OptionKinds.Word(parsed, lossMean, options.LossMean),
        LearningRate = parsed.GetValue(learningRate) ?? options.LearningRate,
        Schedule = OptionKinds.Word(parsed, schedule, options.Schedule),
        WarmupRatio = parsed.GetValue(warmupRatio) ?? options.WarmupRatio,
        WeightDecay = parsed.GetValue(weightDecay) ?? options.WeightDecay,
        Beta1 = parsed.GetValue(beta1) ?? options.Beta1,
        Beta2 = parsed.GetValue(beta2) ?? options.Beta2,
        AdamEpsilon = parsed.GetValue(adamEpsilon) ?? options.AdamEpsilon,
        Clip = parsed.GetValue(clip) ?? options.Clip,
    };

    private TrainingOptions ReadAdapter(TrainingOptions options, ParseResult parsed)
    {
        options = options with { Full = parsed.GetValue(full), InitAdapter = parsed.GetValue(initAdapter) };
        if (options is { InitAdapter: not null, Full: false, Model: not null }) options = InitialAdapter.TakeForm(options);
        return options with
        {
            LoraRank = parsed.GetValue(loraRank) ?? options.LoraRank,
            LoraAlpha = parsed.GetValue(loraAlpha) ?? options.LoraAlpha,
            LoraTargets = parsed.GetValue(loraTargets) is { } names
                ? [.. Projections.ParseList(names).Select(static target => target.HuggingFaceName())]
                : options.LoraTargets,
            Dropout = parsed.GetValue(dropout) ?? options.Dropout,
        };
    }
}
