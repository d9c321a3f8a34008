using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Reporting;

namespace NativeVaccine.Training;

/// <summary>
/// A run from files to files: the model, adapters and data that the options name are open, the memory is planned, and
/// <see cref="Execute"/> trains and leaves the result in the folder of the run.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    private readonly TrainingFiles files;
    private readonly Device device;
    private readonly RunFolder folder;

    private readonly bool isResumed;

    private TrainingRun(
        TrainingFiles files, TrainingOptions options, Device device, MemoryPlan plan, RunFolder folder, bool isResumed)
    {
        (this.files, this.device, this.folder, this.isResumed) = (files, device, folder, isResumed);
        Options = options;
        Plan = plan;
    }

    /// <summary>The memory that the run will take.</summary>
    public MemoryPlan Plan { get; }

    /// <summary>What the method says of the cost of its steps; null if nothing.</summary>
    public StepCost? Cost => files.Method.Cost(files.Model.Configuration.LayerCount, Options.UsesDropout);

    /// <summary>The samples of each file, the training samples first, with the count of those that were left out.</summary>
    public IReadOnlyList<SampleSet> Samples => files.Sets;

    /// <summary>What a user should know about the files, in lines.</summary>
    public IReadOnlyList<string> FileNotices => files.Notices;

    /// <summary>The options as they take effect.</summary>
    public TrainingOptions Options { get; }

    /// <summary>The settings of the method and of the adapter, in a line.</summary>
    public string Settings => TrainingOptionsJson.Describe(Options);

    /// <summary>The folder of the run.</summary>
    public string FolderPath => folder.Path;

    /// <summary>Told the part of the model that is loaded, from 0 to 1.</summary>
    public IProgress<double>? Loading { get; set; }

    /// <summary>Told the numbers of each step, and how many steps there are.</summary>
    public Action<StepMetrics, int>? StepDone { get; set; }

    /// <summary>Told of each look at the model.</summary>
    public Action<TamperLook>? Looked { get; set; }

    /// <summary>Told what a user should know and no metric says, in a line.</summary>
    public Action<string>? Notice { get; set; }

    /// <summary>Opens everything for a new run, and makes its folder.</summary>
    /// <param name="options">With model and data. config.json has absolute paths, so that the run can be resumed from anywhere.</param>
    /// <param name="folder">A new or empty folder.</param>
    /// <param name="notice">Receives a line for every adapter whose base is added.</param>
    /// <exception cref="InputException">
    /// A file is missing or broken, an option cannot be used, or the folder is in use or not empty. Nothing was made.
    /// </exception>
    public static TrainingRun Create(TrainingOptions options, string folder, Action<string>? notice = null)
    {
        options.Validate("options");
        using var reservation = RunReservation.Of(folder);
        TrainingOptions effective = options with
        {
            Model = Absolute(options.Model ?? throw new InputException("--model is missing; expected the folder of a model")),
            Data = options.TrainingFile is null ? throw WithoutTrainingFile(options) : Absolute(options.Data),
            Settings = options.MapPools(static path => Absolute(path)!),
            Replay = Absolute(options.Replay),
            TamperPrompts = Absolute(options.TamperPrompts),
            TamperRules = Absolute(options.TamperRules),
            InitAdapter = Absolute(options.InitAdapter),
            Adapter = [.. AdapterChain.Complete(options.Adapter, notice, options.InitAdapter).Select(static path => Absolute(path)!)],
            Versions = CurrentVersions(),
        };
        return Open(effective, RunDevice.Effective, reservation.Begin);
    }

    /// <summary>Opens everything for going on with a run that was interrupted.</summary>
    /// <exception cref="InputException">The folder is in use, no run's, or of a complete run; or a file is missing or broken.</exception>
    /// <param name="folder">The folder of the run.</param>
    /// <param name="change">Changes options that change no number, such as threads; others are refused before a step is done.</param>
    public static TrainingRun Resume(string folder, Func<TrainingOptions, TrainingOptions>? change = null)
    {
        RunFolder opened = RunFolder.Resume(folder);
        try
        {
            if (opened.Options is not { Model: not null, TrainingFile: not null })
                throw new InputException($"{folder}: {RunFolder.ConfigurationFileName} has no model or no data; expected both");
            TrainingOptions options = change?.Invoke(opened.Options) ?? opened.Options;
            return Open(options, RunDevice.EffectiveAgain, _ => opened, isResumed: true);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Trains, and saves the result. After an interruption the folder holds a checkpoint to resume from.</summary>
    /// <returns>The folder of the result: a PEFT adapter, or the whole model if all of it was trained.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The loss became NaN or infinite.</exception>
    /// <exception cref="InputException">The disk is full, the device has too little memory, or a checkpoint does not fit.</exception>
    public string Execute(CancellationToken cancellation = default)
    {
        var record = AdapterRecord.Of(Options, folder.ResultPath); // now: what it stands on may change while it trains
        using Session session = Session.Create(device, Plan);
        LoadWeights(session, cancellation);
        if (files.Continued is { } adapter) session.LoadAdapter(adapter);
        else if (!Options.Full) session.InitializeAdapter(Options.Seed);

        int totalSteps = 0;
        var trainer = new Trainer(session, files.Method, Options, files.Data)
        {
            Folder = folder,
            FileHashes = files.Hashes(record),
            Beginning = step => SayWhereItGoesOn(step, totalSteps),
            StepDone = metrics => StepDone?.Invoke(metrics, totalSteps),
            Looked = Looked,
            Notice = Notice,
        };
        totalSteps = trainer.TotalSteps;
        try
        {
            trainer.Run(cancellation);
        }
        catch (Exception exception) when (exception is OperationCanceledException or NotFiniteNumberException)
        {
            WriteReport();
            throw;
        }
        record = record with { ModelHash = files.WeightsHash };
        if (Options.Full) SaveModel(session, record);
        else folder.SaveAdapter(session.SaveAdapter(Options.Model), record);
        WriteReport();
        return folder.ResultPath;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        folder.Dispose();
        Plan.Dispose();
        device.Dispose();
        files.Dispose();
    }

    /// <param name="options">As they were given.</param>
    /// <param name="effective">What they mean on the device.</param>
    /// <param name="openFolder">Makes or opens the folder, with the options as they take effect.</param>
    /// <param name="isResumed">True if the run had begun before.</param>
    private static TrainingRun Open(
        TrainingOptions options,
        Func<TrainingOptions, Device, TrainingOptions> effective,
        Func<TrainingOptions, RunFolder> openFolder,
        bool isResumed = false)
    {
        TrainingFiles? files = null;
        Device? device = null;
        MemoryPlan? plan = null;
        try
        {
            files = TrainingFiles.Open(options);
            device = Device.Open(options.Device, options.Threads, options.Gemm);
            TrainingOptions final = effective(options, device);
            NumberTypes types = RunDevice.Types(device, final.Precision, files.Model, options.Adapter.Count);
            plan = MemoryPlan.Create(device, files.Model.Configuration, TrainingPlan.For(final, files.Method, files.Data, types));
            return new TrainingRun(files, final, device, plan, openFolder(final), isResumed);
        }
        catch
        {
            plan?.Dispose();
            device?.Dispose();
            files?.Dispose();
            throw;
        }
    }

    [return: NotNullIfNotNull(nameof(path))]
    private static string? Absolute(string? path) => path is null ? null : Path.GetFullPath(path);

    private static SortedDictionary<string, string> CurrentVersions()
    {
        SortedDictionary<string, string> versions = NativeVaccine.Versions.Current();
        versions["started"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        return versions;
    }

    private static InputException WithoutTrainingFile(TrainingOptions options) => new(MethodCatalog.Find(options.Method)?.Pairs is { } pairs
        ? $"method {options.Method} takes pairs; expected {pairs.CommandLineName} FILE"
        : "--data is missing; expected a file of training data");

    private void SayWhereItGoesOn(int step, int totalSteps)
    {
        if (!isResumed) return;
        Notice?.Invoke(step == 0
            ? "no checkpoint had been written: the run begins again with step 1"
            : FormattableString.Invariant($"the run goes on with step {step + 1} of {totalSteps}, from the checkpoint after step {step}"));
    }

    /// <summary>The report is made last, and a run whose report cannot be written is a run all the same.</summary>
    private void WriteReport()
    {
        try
        {
            folder.WriteReport();
        }
        catch (InputException exception)
        {
            Notice?.Invoke($"no report: {exception.Message}");
        }
    }

    /// <summary>Says what rounding leaves of the adapters that are merged.</summary>
    private void LoadWeights(Session session, CancellationToken cancellation)
    {
        IReadOnlyList<KeptChange> kept = files.Weights.MeasureRounding(Plan.Options.WeightType);
        session.Load(files.Weights, Loading, cancellation);
        IEnumerable<string> adapters = Options.Adapter.Concat(Options.InitAdapter is { } initial ? [initial] : []);
        AdapterChain.NoteOtherModel(adapters, Options.Model!, files.WeightsHash, Notice);
        foreach (KeptChange change in kept)
        {
            if (change.Describe("--precision fp32 keeps it") is { } line) Notice?.Invoke(line);
        }
    }

    /// <summary>In fp32, whatever the model was stored as: rounding would undo small steps.</summary>
    private void SaveModel(Session session, AdapterRecord record) => ModelWriter.Write(
        folder.ResultPath,
        files.Model.Configuration with { StoredType = ElementType.Float32 },
        session.SnapshotWeights(),
        to =>
        {
            CompanionFiles.Copy(files.Model.Path, to, Notice);
            record.Write(to);
        },
        tensors: files.Model.StoredWeights);
}
