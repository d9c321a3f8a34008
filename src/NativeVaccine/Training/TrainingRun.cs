using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Training;

/// <summary>
/// A run from files to files: the model, adapters and data that the options name are open, the memory is planned, and <see cref="Execute"/>
/// trains and leaves the result in the folder of the run.
/// </summary>
public sealed class TrainingRun : IDisposable
{
    private readonly TrainingOptions options;
    private readonly ModelFolder model;
    private readonly Method method;
    private readonly Engine.Device device;
    private readonly RunFolder folder;
    private readonly IWeightSource weights;
    private readonly TrainingData data;

    private TrainingRun(TrainingOptions options, ModelFolder model, Func<RunFolder> openFolder)
    {
        (this.options, this.model) = (options, model);
        method = MethodCatalog.Create(options);
        weights = MergedModel(options, model);
        Tokenizer tokenizer = Tokenizer.Load(model.Path);
        tokenizer.EnsureFits(model.Configuration.VocabularySize);
        Samples = Read(options.Data!, options, tokenizer);
        Harmful = method.Needs.HarmfulPool && options.ProbeData is { } pool ? Read(pool, options, tokenizer) : null;
        if (method.Needs.HarmfulPool && Harmful is null)
            throw new InputException($"method {method.Name} looks at harmful samples; expected --probe-data FILE");
        IReadOnlyList<ReplayStep>? replay = options.Replay is null
            ? null
            : ReplayFile.Read(options.Replay, Samples.Samples.Count, Harmful?.Samples.Count ?? 0, model.Configuration.LayerCount);
        data = new TrainingData(Samples.Samples, Harmful?.Samples, replay);
        device = Engine.Device.Open(options.Device, options.Threads);
        try
        {
            Plan = MemoryPlan.Create(device, model.Configuration, TrainingPlan.For(options, method, data, WeightTypeOf(options, model)));
            folder = openFolder();
        }
        catch
        {
            Plan?.Dispose();
            device.Dispose();
            throw;
        }
    }

    /// <summary>The memory that the run will take.</summary>
    public MemoryPlan Plan { get; }

    /// <summary>The training samples, with the count of those that were left out.</summary>
    public SampleSet Samples { get; }

    /// <summary>The harmful samples; null if the method looks at none.</summary>
    public SampleSet? Harmful { get; }

    /// <summary>The folder of the run.</summary>
    public string FolderPath => folder.Path;

    /// <summary>Told the part of the model that is loaded, from 0 to 1.</summary>
    public IProgress<double>? Loading { get; set; }

    /// <summary>Told the numbers of each step, and how many steps there are.</summary>
    public Action<StepMetrics, int>? StepDone { get; set; }

    /// <summary>Told what a user should know and no metric says, in a line.</summary>
    public Action<string>? Notice { get; set; }

    /// <summary>Opens everything for a new run, and makes its folder.</summary>
    /// <param name="options">With the model and the data; paths are made absolute in config.json, so that the run can be resumed from anywhere.</param>
    /// <param name="folder">A new or empty folder.</param>
    /// <exception cref="InputException">A file is missing or broken, an option cannot be used, or the folder is in use or not empty.</exception>
    public static TrainingRun Create(TrainingOptions options, string folder)
    {
        options.Validate("options");
        RunFolder.RequireFree(folder);
        TrainingOptions effective = options with
        {
            Model = Absolute(options.Model ?? throw new InputException("--model is missing; expected the folder of a model")),
            Data = Absolute(options.Data ?? throw new InputException("--data is missing; expected a file of training data")),
            ProbeData = Absolute(options.ProbeData),
            Replay = Absolute(options.Replay),
            InitAdapter = Absolute(options.InitAdapter),
            Adapter = [.. options.Adapter.Select(static path => Absolute(path)!)],
            Versions = CurrentVersions(),
        };
        return Open(effective, () => RunFolder.Create(folder, effective));
    }

    /// <summary>Opens everything for going on with a run that was interrupted.</summary>
    /// <exception cref="InputException">The folder is in use, no run's, or of a complete run; or a file is missing or has changed.</exception>
    public static TrainingRun Resume(string folder)
    {
        RunFolder opened = RunFolder.Resume(folder);
        try
        {
            if (opened.Options is not { Model: not null, Data: not null })
                throw new InputException($"{folder}: {RunFolder.ConfigurationFileName} has no model or no data; expected both");
            return Open(opened.Options, () => opened);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Trains, and saves the result. After an interruption the folder holds a checkpoint from which the run can be resumed.</summary>
    /// <returns>The folder of the result: a PEFT adapter, or the whole model if all of it was trained.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The loss became NaN or infinite.</exception>
    /// <exception cref="InputException">The disk is full, the device has too little memory, or a checkpoint does not fit.</exception>
    public string Execute(CancellationToken cancellation = default)
    {
        using Session session = Session.Create(device, Plan);
        session.Load(weights, Loading);
        if (options.InitAdapter is { } adapter) session.LoadAdapter(Adapter.Load(adapter, model.Configuration));
        else if (!options.Full) session.InitializeAdapter(options.Seed);

        Trainer? trainer = null;
        trainer = new Trainer(session, method, options, data)
        {
            Folder = folder,
            StepDone = metrics => StepDone?.Invoke(metrics, trainer!.TotalSteps),
            Notice = Notice,
        };
        trainer.Run(cancellation);
        if (options.Full) SaveModel(session);
        else session.SaveAdapter(options.Model).Save(folder.ResultPath);
        return folder.ResultPath;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        folder.Dispose();
        Plan.Dispose();
        device.Dispose();
        model.Dispose();
    }

    /// <summary>What frozen weights are kept as on the device.</summary>
    public static ElementType WeightTypeOf(TrainingOptions options, ModelFolder model) => options.Precision switch
    {
        WeightPrecision.Fp32 => ElementType.Float32,
        WeightPrecision.Bf16 => ElementType.BFloat16,
        // Merged weights would lose what the adapters added.
        _ => options.Adapter.Count == 0 && ExpectedWeight.Of(model.Configuration).All(weight => model.Info(weight.Name).Type == ElementType.BFloat16)
            ? ElementType.BFloat16
            : ElementType.Float32,
    };

    private static TrainingRun Open(TrainingOptions options, Func<RunFolder> openFolder)
    {
        ModelFolder model = ModelFolder.Open(options.Model!);
        try
        {
            return new TrainingRun(options, model, openFolder);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static IWeightSource MergedModel(TrainingOptions options, ModelFolder model) => options.Adapter.Count == 0
        ? model
        : new MergedWeights(model, [.. options.Adapter.Select(path => Adapter.Load(path, model.Configuration))]);

    private static SampleSet Read(string file, TrainingOptions options, Tokenizer tokenizer) =>
        SampleReader.Read(file, tokenizer, PromptTemplate.Parse(options.Template), options.MaxLength);

    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(path))]
    private static string? Absolute(string? path) => path is null ? null : Path.GetFullPath(path);

    private static SortedDictionary<string, string> CurrentVersions() => new(StringComparer.Ordinal)
    {
        ["nativevaccine"] = typeof(TrainingRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["system"] = RuntimeInformation.RuntimeIdentifier,
        ["started"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
    };

    /// <summary>In fp32, whatever the model was stored as: rounding would undo small steps.</summary>
    private void SaveModel(Session session) => ModelWriter.Write(
        folder.ResultPath,
        model.Configuration with { StoredType = ElementType.Float32 },
        session.SnapshotWeights(),
        to => ModelWriter.CopyCompanionFiles(model.Path, to));
}
