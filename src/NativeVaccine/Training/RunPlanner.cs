using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Reporting;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Training;

/// <summary>
/// Plans the memory of a run that has not begun, from the files that the run would read: the batches are those of its data where they are
/// named, and otherwise as long as they may be.
/// </summary>
public sealed class RunPlanner
{
    /// <summary>Begins the name of a published shape in the place of a model's folder.</summary>
    public const string ShapePrefix = "shape:";

    private readonly Device? device;
    private readonly Method method;
    private readonly TrainingData? data;
    private readonly HarmfulPrompts? tamperPrompts;
    private readonly NumberTypes types;

    /// <summary>Reads what the options name.</summary>
    /// <param name="options">As they take effect on the device.</param>
    /// <param name="device">Where the run would be; null for a GPU that is not here.</param>
    /// <exception cref="InputException">A file is missing or broken, or an option cannot be used.</exception>
    public RunPlanner(TrainingOptions options, Device? device)
    {
        string model = options.Model ?? throw new InputException($"--model is missing; expected a folder or {ShapePrefix}llama-2-7b");
        (Options, this.device) = (options, device);
        method = MethodCatalog.Create(options);
        if (model.StartsWith(ShapePrefix, StringComparison.Ordinal))
        {
            Configuration = ModelConfiguration.Shape(model[ShapePrefix.Length..]);
            string? file = options.Data is not null ? "--data" : options.Replay is not null ? "--replay"
                : options.TamperPrompts is not null ? "--tamper-prompts" : options.PoolFiles().FirstOrDefault().Pool?.CommandLineName;
            if (file is not null) throw new InputException($"{model} has no tokenizer for {file}; expected a model's folder with it");
            LoadAdapters();
            types = RunDevice.Types(device, options.Precision, isStoredAsBFloat16: options.Adapter.Count == 0);
        }
        else if (options.TrainingFile is null)
        {
            using ModelFolder folder = ModelFolder.Open(model);
            Configuration = folder.Configuration;
            LoadAdapters(folder);
            var form = new Lazy<SampleForm>(() => FormOf(folder));
            foreach ((_, string path) in options.PoolFiles()) SampleReader.Read(path, form.Value);
            List<string> notices = [.. folder.Notices];
            if (options.TamperPrompts is not null) tamperPrompts = TamperWatch.Open(options, form.Value, folder, notices.Add);
            Notices = notices;
            types = RunDevice.Types(device, options.Precision, folder, options.Adapter.Count);
        }
        else
        {
            using TrainingFiles files = TrainingFiles.Open(options);
            (Configuration, data, Notices) = (files.Model.Configuration, files.Data, [.. files.Notices, .. files.Sets.SelectMany(static set => set.Notices)]);
            types = RunDevice.Types(device, options.Precision, files.Model, options.Adapter.Count);
        }
        method.RequireFits(Configuration.LayerCount);
    }

    /// <summary>What the run would be.</summary>
    public TrainingOptions Options { get; }

    /// <summary>The model's shapes.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>What a user should know about the files, a line each.</summary>
    public IReadOnlyList<string> Notices { get; } = [];

    /// <summary>Whether the batches are those of the data.</summary>
    public bool KnowsData => data is not null;

    /// <summary>The run's optimizer steps; null without its data.</summary>
    public int? TotalSteps => data is null ? null : new SampleStreams(Options, data).TotalSteps;

    /// <summary>What the method says of the cost of its steps; null if nothing.</summary>
    public StepCost? Cost => method.Cost(Configuration.LayerCount, Options.UsesDropout);

    /// <summary>What frozen weights would be kept as.</summary>
    public ElementType WeightType => types.Weights;

    /// <summary>The plan of the run within a limit.</summary>
    /// <param name="limit">Bytes; 0 for no limit.</param>
    /// <returns>Null if the limit cannot be met.</returns>
    public MemoryPlan? Within(long limit) => TryCreate(SessionOf(Options) with { MemoryLimit = limit });

    /// <summary>The plan that takes least, with all layers recomputed.</summary>
    public MemoryPlan Smallest() => Create(SmallestSession(Options));

    /// <summary>The largest batch, below that of the options, with which the run would stay within a limit; 0 if there is none.</summary>
    public int LargestBatch(long limit) =>
        Largest(Options.Batch - 1, 1, batch => SmallestBytes(Options with { Batch = batch }) <= limit);

    /// <summary>
    /// The largest sample length, below that of the options, with which batches of one sample would stay within a limit; 0 if there is none.
    /// Only without data, which has lengths of its own.
    /// </summary>
    public int LargestLengthOfOne(long limit) => KnowsData
        ? 0
        : Largest(Options.MaxLength - 1, 2, length => SmallestBytes(Options with { Batch = 1, MaxLength = length }) <= limit);

    /// <summary>The median seconds and the count of the steps that a run has done; null where it has none.</summary>
    /// <exception cref="InputException">Its metrics.jsonl cannot be read.</exception>
    public static (double MedianSeconds, int Done)? Measured(string runFolder)
    {
        string file = Path.Combine(runFolder, RunFolder.MetricsFileName);
        if (!File.Exists(file)) return null;
        IReadOnlyList<ReportedStep> steps = MetricsFile.Read(file, PlanRecord.MostLayers, []);
        double[] seconds = [.. steps.Select(static step => step.Seconds).Where(double.IsFinite).Order()];
        return seconds.Length == 0 ? null : (seconds[seconds.Length / 2], steps.Count);
    }

    private MemoryPlan Create(SessionOptions session) => device is null
        ? MemoryPlan.CreateForGpu(Configuration, session)
        : MemoryPlan.Create(device, Configuration, session);

    private SessionOptions SessionOf(TrainingOptions options) =>
        data is null ? TrainingPlan.For(options, method, types, tamperPrompts) : TrainingPlan.For(options, method, data, types);

    private SessionOptions SmallestSession(TrainingOptions options) =>
        SessionOf(options) with { MemoryLimit = 0, RecomputedLayers = Configuration.LayerCount };

    private long SmallestBytes(TrainingOptions options)
    {
        using MemoryPlan plan = Create(SmallestSession(options));
        return plan.TotalBytes;
    }

    /// <summary>By halves; the more there is, the more memory it takes.</summary>
    private static int Largest(int most, int least, Func<int, bool> fits)
    {
        int best = 0;
        while (least <= most)
        {
            int middle = least + ((most - least) / 2);
            if (fits(middle)) (best, least) = (middle, middle + 1);
            else most = middle - 1;
        }
        return best;
    }

    private MemoryPlan? TryCreate(SessionOptions session)
    {
        try
        {
            return Create(session);
        }
        catch (EngineException exception) when (exception.Error == EngineError.OutOfMemory && session.MemoryLimit > 0)
        {
            return null;
        }
    }

    /// <summary>A run would refuse what is missing or does not fit; so does its plan.</summary>
    private void LoadAdapters(ModelFolder? folder = null)
    {
        string[] paths = [.. Options.Adapter.Append(Options.InitAdapter).OfType<string>()];
        List<Adapter> adapters =
            folder is null ? [.. paths.Select(path => Adapter.Load(path, Configuration))] : Adapter.LoadChain(paths, folder);
        if (Options.InitAdapter is not null) InitialAdapter.RequireForm(adapters[^1], Options);
    }

    private SampleForm FormOf(ModelFolder folder)
    {
        Tokenizer tokenizer = Tokenizer.LoadFor(folder.Path, folder.Configuration.VocabularySize, static _ => { });
        return new SampleForm(tokenizer, PromptTemplate.Open(Options.Template, folder.Path, tokenizer), Options.MaxLength) { Labels = Options.Labels };
    }
}
