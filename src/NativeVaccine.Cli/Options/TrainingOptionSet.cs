using System.CommandLine;

namespace NativeVaccine.Cli.Options;

/// <summary>The options by which a training run is described; align, finetune and plan share them. The names are a contract.</summary>
internal sealed class TrainingOptionSet
{
    public Option<string?> Model { get; } = OptionKinds.Text("--model", "DIR", "Hugging Face folder of the model");
    public Option<string?> Data { get; } = OptionKinds.Text("--data", "FILE", "training data: Alpaca records (.json, .jsonl) or records of tokens (.jsonl)");
    public Option<string?> Out { get; } = OptionKinds.Text("--out", "RUN", "folder of the run, new or empty");
    public Option<string?> Resume { get; } = OptionKinds.Text("--resume", "RUN", "continue an interrupted run; all else is taken from its config.json");
    public Option<string?> Preset { get; } =
        OptionKinds.Choice("--preset", "paper: what the papers say (default); reference: what the authors' code computes", "paper", "reference");

    public Option<int?> Epochs { get; } = OptionKinds.WholeNumber("--epochs", "passes over the data", 1);
    public Option<int?> Batch { get; } = OptionKinds.WholeNumber("--batch", "samples of a batch", 1);
    public Option<int?> Accumulate { get; } = OptionKinds.WholeNumber("--accumulate", "batches of an optimizer step", 1);
    public Option<int?> MaxLength { get; } = OptionKinds.WholeNumber("--max-length", "longer samples are cut to this many tokens", 2);
    public Option<double?> LearningRate { get; } = OptionKinds.NonNegative("--learning-rate", "highest learning rate");
    public Option<double?> WeightDecay { get; } = OptionKinds.NonNegative("--weight-decay", "decoupled weight decay");
    public Option<double?> WarmupRatio { get; } = OptionKinds.Share("--warmup-ratio", "share of the steps in which the learning rate rises");
    public Option<double?> Clip { get; } = OptionKinds.NonNegative("--clip", "largest norm of a step's gradient; 0 for no limit");
    public Option<int?> LoraRank { get; } = OptionKinds.WholeNumber("--lora-rank", "rank of the adapter", 1);
    public Option<double?> LoraAlpha { get; } =
        OptionKinds.Number("--lora-alpha", "the adapter's scale is alpha / rank", static value => value > 0, "a number above 0");
    public Option<string?> LoraTargets { get; } =
        OptionKinds.Text("--lora-targets", "q_proj,v_proj,...", "adapted projections; all seven unless given");
    public Option<double?> Dropout { get; } =
        OptionKinds.Number("--dropout", "dropout on the adapter's input", static value => value is >= 0 and < 1, "a number from 0 and below 1");
    public Option<bool> Full { get; } = OptionKinds.Switch("--full", "train all parameters, without an adapter");
    public Option<ulong?> Seed { get; } = OptionKinds.Seed("--seed", "of the run: order, dropout, layers, first adapter");
    public Option<string?> InitAdapter { get; } = OptionKinds.Text("--init-adapter", "DIR", "adapter to start from");
    public Option<string?> Replay { get; } = OptionKinds.Text("--replay", "FILE", "follow another run's samples and layers (its replay.jsonl)");
    public Option<int?> CheckpointEvery { get; } = OptionKinds.WholeNumber("--checkpoint-every", "steps between checkpoints; 0: only when interrupted", 0);

    public Option<string?> Method { get; } = OptionKinds.Text("--method", "METHOD", "sft, vaccine, tvaccine or random-vaccine");
    public Option<double?> Rho { get; } = OptionKinds.NonNegative("--rho", "size of the perturbation");
    public Option<int?> Layers { get; } = OptionKinds.WholeNumber("--layers", "layers that T-Vaccine chooses", 1);
    public Option<int?> ResampleEvery { get; } = OptionKinds.WholeNumber("--resample-every", "steps between T-Vaccine's choices of layers", 1);
    public Option<int?> ProbeEvery { get; } = OptionKinds.WholeNumber("--probe-every", "steps between T-Vaccine's looks at a harmful sample", 1);
    public Option<string?> ProbeData { get; } = OptionKinds.Text("--probe-data", "FILE", "harmful samples that T-Vaccine looks at");
    public Option<string?> FreezeScope { get; } =
        OptionKinds.Choice("--freeze-scope", "what T-Vaccine freezes in layers not chosen: all, or only their attention", "layer", "attention");

    public DeviceOptionSet Device { get; } = new();

    /// <summary>Everything but what only alignment has.</summary>
    public IEnumerable<Option> Common =>
    [
        Model, Data, Out, Resume, Preset, Epochs, Batch, Accumulate, MaxLength, LearningRate, WeightDecay, WarmupRatio, Clip, LoraRank, LoraAlpha,
        LoraTargets, Dropout, Full, Seed, InitAdapter, Replay, CheckpointEvery, .. Device.All,
    ];

    /// <summary>What an alignment method asks for.</summary>
    public IEnumerable<Option> OfMethods => [Method, Rho, Layers, ResampleEvery, ProbeEvery, ProbeData, FreezeScope];
}
