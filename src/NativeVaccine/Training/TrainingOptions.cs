using System.Globalization;
using System.Text.Json.Serialization;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>What a run is for.</summary>
public enum TrainingStage
{
    /// <summary>Making a model safe, and hard to make unsafe.</summary>
    Align,

    /// <summary>Fine-tuning an aligned model as its users, and attackers among them, do.</summary>
    Finetune,
}

/// <summary>Where the settings come from that were not given.</summary>
public enum Preset
{
    /// <summary>What the papers say.</summary>
    Paper,

    /// <summary>What the authors' code computes.</summary>
    Reference,
}

/// <summary>How frozen weights are kept, and on a GPU what is computed in.</summary>
public enum WeightPrecision
{
    /// <summary>On a CPU as they are stored: bf16 where all of them are, else fp32. On a GPU bf16.</summary>
    Stored,

    /// <summary>32 bits; on a GPU for checking, slowly and without tensor cores.</summary>
    Fp32,

    /// <summary>bfloat16. A CPU computes in fp32 with it; a GPU in bf16, summing in fp32.</summary>
    Bf16,
}

/// <summary>
/// Everything that a training run depends on: the config.json of a run folder. Fields have the names of the command line's options with
/// underscores.
/// </summary>
public sealed record TrainingOptions
{
    /// <summary>All seven projections.</summary>
    public static IReadOnlyList<string> AllTargets { get; } = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>What the run is for.</summary>
    public TrainingStage Stage { get; init; }

    /// <summary>Where its other settings came from.</summary>
    public Preset Preset { get; init; }

    /// <summary>Hugging Face folder of the model.</summary>
    public string? Model { get; init; }

    /// <summary>PEFT adapters that are merged into the model before it trains, in this order.</summary>
    public IReadOnlyList<string> Adapter { get; init; } = [];

    /// <summary>Training data.</summary>
    public string? Data { get; init; }

    /// <summary>Name of the prompt template; of a JSON file of prefixes and suffixes its content.</summary>
    public string Template { get; init; } = "alpaca";

    /// <summary>Which tokens of records of text are learnt.</summary>
    public LabelScope Labels { get; init; }

    /// <summary>Longer samples are cut to this many tokens.</summary>
    public int MaxLength { get; init; } = 200;

    /// <summary>Name of the method.</summary>
    public string Method { get; init; } = "sft";

    /// <summary>The method's own options; in config.json they stand among the others.</summary>
    [JsonIgnore]
    public MethodSettings Settings { get; init; } = MethodSettings.Of(Preset.Paper);

    /// <summary>Passes over the data.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>Samples of a micro-batch.</summary>
    public int Batch { get; init; } = 10;

    /// <summary>Micro-batches of an optimizer step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>What a step's loss is the mean over, where it has several micro-batches.</summary>
    public LossMean LossMean { get; init; }

    /// <summary>Highest learning rate.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>How it goes over the run.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Share of the steps in which it rises.</summary>
    public double WarmupRatio { get; init; } = 0.1;

    /// <summary>Decoupled weight decay.</summary>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Decay of AdamW's first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of AdamW's second moment.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>AdamW's epsilon.</summary>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Largest norm of a step's gradient; 0 for no limit.</summary>
    public double Clip { get; init; } = 1;

    /// <summary>True if all parameters train, without an adapter.</summary>
    public bool Full { get; init; }

    /// <summary>r.</summary>
    public int LoraRank { get; init; } = 8;

    /// <summary>The adapter's scale is alpha / r.</summary>
    public double LoraAlpha { get; init; } = 1;

    /// <summary>Adapted projections.</summary>
    public IReadOnlyList<string> LoraTargets { get; init; } = AllTargets;

    /// <summary>Dropout on the adapter's input.</summary>
    public double Dropout { get; init; } = 0.1;

    /// <summary>Adapter to start from; null for a fresh one.</summary>
    public string? InitAdapter { get; init; }

    /// <summary>Of sample order, dropout, layers, and the fresh adapter.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Another run's replay.jsonl, whose samples and layers are followed; its steps are the steps of this run.</summary>
    public string? Replay { get; init; }

    /// <summary>Harmful prompts that the model is asked while it is fine-tuned; null for none.</summary>
    public string? TamperPrompts { get; init; }

    /// <summary>Steps from one asking to the next; 0 for as often as a twentieth of the run's time allows.</summary>
    public int TamperEvery { get; init; }

    /// <summary>Rules that judge its answers; null for the built-in ones.</summary>
    public string? TamperRules { get; init; }

    /// <summary>Tokens after which an answer ends.</summary>
    public int TamperNewTokens { get; init; } = 64;

    /// <summary>True if the drift of its hidden states on these prompts is measured, too.</summary>
    public bool TrackDrift { get; init; }

    /// <summary>Steps between checkpoints; 0 for none but when interrupted.</summary>
    public int CheckpointEvery { get; init; } = 100;

    /// <summary>Where to run.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Threads of a CPU; 0 for as many as there are processors. Results do not depend on it.</summary>
    public int Threads { get; init; }

    /// <summary>How frozen weights are kept, and on a GPU what is computed in.</summary>
    public WeightPrecision Precision { get; init; }

    /// <summary>The GEMM backend of a GPU.</summary>
    public GemmChoice Gemm { get; init; } = GemmChoice.Auto;

    /// <summary>
    /// Bytes of the device that the run may take; 0 on a CPU for no limit, on a GPU for what is free less <see cref="Engine.Device.ReservedBytes"/>.
    /// </summary>
    public long DeviceMemory { get; init; }

    /// <summary>What made the run; not an option.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>True if adapters' inputs are dropped out.</summary>
    [JsonIgnore]
    public bool UsesDropout => !Full && Dropout > 0;

    /// <summary>The file of the training samples: the pairs' for a method of pairs, else <see cref="Data"/>; null if it is not given.</summary>
    [JsonIgnore]
    public string? TrainingFile => MethodCatalog.Find(Method)?.Pairs is { } pairs ? (string?)Settings.Find(pairs) : Data;

    /// <summary>The same options with another value of a method's option.</summary>
    /// <param name="name">The option's name in config.json.</param>
    /// <param name="value">Of the option's type.</param>
    public TrainingOptions With(string name, object value) => this with { Settings = Settings.With(name, value) };

    /// <summary>The method's files of samples that are given.</summary>
    public IEnumerable<(PoolOption Pool, string File)> PoolFiles()
    {
        foreach (PoolOption pool in MethodCatalog.Find(Method)?.Pools ?? [])
        {
            if (Settings.Find(pool) is string file) yield return (pool, file);
        }
    }

    /// <summary>The method's file of a stream; null if it has none.</summary>
    internal PoolOption? PoolOf(SampleKind kind) => MethodCatalog.Find(Method)?.Pools.FirstOrDefault(pool => pool.Kinds.Contains(kind));

    /// <summary>How many samples of a stream go through the model at once.</summary>
    internal int BatchOf(SampleKind kind) => PoolOf(kind)?.SamplesAtATime(Settings) is { } count and > 0 ? count : Batch;

    /// <summary>The settings with each of the method's files at another path.</summary>
    public MethodSettings MapPools(Func<string, string> map) =>
        PoolFiles().Aggregate(Settings, (settings, each) => settings.With(each.Pool, map(each.File)));

    /// <summary>Checks every number by itself.</summary>
    /// <param name="source">Begins the message: the file that they came from, or "options".</param>
    /// <exception cref="InputException">One is out of its range; the message names it, its value, and the range.</exception>
    public void Validate(string source)
    {
        foreach ((string name, long value, long minimum) in new (string, long, long)[]
        {
            ("max_length", MaxLength, 2), ("epochs", Epochs, 1), ("batch", Batch, 1), ("accumulate", Accumulate, 1), ("lora_rank", LoraRank, 1),
            ("checkpoint_every", CheckpointEvery, 0), ("threads", Threads, 0), ("device_memory", DeviceMemory, 0),
            ("tamper_every", TamperEvery, 0), ("tamper_new_tokens", TamperNewTokens, 1),
        })
        {
            if (value < minimum) throw Refusal(source, name, value, FormattableString.Invariant($"at least {minimum}"));
        }
        foreach ((string name, double value, bool isAllowed, string expected) in new (string, double, bool, string)[]
        {
            ("learning_rate", LearningRate, LearningRate >= 0, "a number, at least 0"),
            ("warmup_ratio", WarmupRatio, WarmupRatio is >= 0 and <= 1, "a number from 0 to 1"),
            ("weight_decay", WeightDecay, WeightDecay >= 0, "a number, at least 0"),
            ("beta1", Beta1, Beta1 is >= 0 and < 1, "a number from 0 and below 1"),
            ("beta2", Beta2, Beta2 is >= 0 and < 1, "a number from 0 and below 1"),
            ("adam_epsilon", AdamEpsilon, AdamEpsilon > 0, "a number above 0"),
            ("clip", Clip, Clip >= 0, "a number, at least 0"),
            ("lora_alpha", LoraAlpha, Models.Adapter.IsAlpha(LoraAlpha), Models.Adapter.AlphaRange),
            ("dropout", Dropout, Dropout is >= 0 and < 1, "a number from 0 and below 1"),
        })
        {
            if (!isAllowed || !double.IsFinite(value)) throw Refusal(source, name, value, expected);
        }
        foreach (MethodOption option in MethodCatalog.Find(Method)?.Options ?? [])
        {
            if (Settings.Find(option) is { } value && !option.IsAllowed(value))
                throw new InputException($"{source}: {option.Name} is {option.Write(value).ToJsonString()}; expected {option.Expected}");
        }
        if (Adapter.Contains(null!) || LoraTargets.Contains(null!))
            throw new InputException($"{source}: a list has null in it; expected adapter and lora_targets to be lists of texts");
        if (Full && InitAdapter is not null)
            throw new InputException($"{source}: init_adapter is given and full is true; expected an adapter or all parameters");
        ValidateLooks(source);
    }

    private void ValidateLooks(string source)
    {
        if (TamperPrompts is not null && Stage != TrainingStage.Finetune)
            throw new InputException($"{source}: tamper_prompts is given and stage is align; expected stage finetune, whose steps are looked at");
        if (TamperPrompts is null && (TamperEvery != 0 || TamperRules is not null || TrackDrift))
            throw new InputException($"{source}: tamper_every, tamper_rules or track_drift is given without tamper_prompts; expected the prompts");
    }

    private static InputException Refusal(string source, string name, IFormattable value, string expected) =>
        new($"{source}: {name} is {value.ToString(null, CultureInfo.InvariantCulture)}; expected {expected}");
}
