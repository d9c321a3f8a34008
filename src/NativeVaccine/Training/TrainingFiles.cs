using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Training;

/// <summary>What the options of a run name, opened and read: the model with the adapters to be merged into it, and the data.</summary>
internal sealed class TrainingFiles : IDisposable
{
    private TrainingFiles(TrainingOptions options, Method method, ModelFolder model)
    {
        (Options, Method, Model) = (options, method, model);
        method.RequireFits(model.Configuration.LayerCount);
        Weights = options.Adapter.Count == 0
            ? model
            : new MergedWeights(model, [.. options.Adapter.Select(path => Adapter.Load(path, model))]);
        InitialAdapter = options.InitAdapter is { } initial ? Adapter.Load(initial, model) : null;
        InitialAdapter?.RequireUniform($"--init-adapter {options.InitAdapter}");
        Tokenizer tokenizer = Tokenizer.LoadFor(model.Path, model.Configuration.VocabularySize, line => TokenizerNotice = line);
        Samples = Read(options.Data!, options, tokenizer);
        if (method.Needs.HarmfulPool)
        {
            Harmful = options.ProbeData is { } pool
                ? Read(pool, options, tokenizer)
                : throw new InputException($"method {method.Name} looks at harmful samples; expected --probe-data FILE");
        }
        IReadOnlyList<ReplayStep>? replay = options.Replay is null
            ? null
            : ReplayFile.Read(options.Replay, Samples.Samples.Count, Harmful?.Samples.Count ?? 0, model.Configuration.LayerCount);
        Data = new TrainingData(Samples.Samples, Harmful?.Samples, replay);
    }

    public TrainingOptions Options { get; }

    public Method Method { get; }

    public ModelFolder Model { get; }

    /// <summary>The model with its adapters merged.</summary>
    public IWeightSource Weights { get; }

    /// <summary>The adapter to start from; null for a fresh one.</summary>
    public Adapter? InitialAdapter { get; }

    /// <summary>A line on which tokenizer is used where the model brings none; otherwise null.</summary>
    public string? TokenizerNotice { get; private set; }

    public SampleSet Samples { get; }

    public SampleSet? Harmful { get; }

    public TrainingData Data { get; }

    /// <exception cref="InputException">A file is missing or broken, or does not fit the others.</exception>
    public static TrainingFiles Open(TrainingOptions options)
    {
        Method method = MethodCatalog.Create(options);
        ModelFolder model = ModelFolder.Open(options.Model!);
        try
        {
            return new TrainingFiles(options, method, model);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    public void Dispose() => Model.Dispose();

    private static SampleSet Read(string file, TrainingOptions options, Tokenizer tokenizer) =>
        SampleReader.Read(file, tokenizer, PromptTemplate.Parse(options.Template), options.MaxLength);
}
