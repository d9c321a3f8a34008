using System.CommandLine;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tokenization;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>A model that answers: its files are open, its adapters beside it, and it can be put on a device.</summary>
internal sealed class LoadedModel : IDisposable
{
    private readonly ModelFolder folder;
    private readonly Adapter? adapter;
    private readonly DeviceSession place;
    private readonly bool isNamed;
    private readonly Action<string> notice;
    private HashedWeights? stored;

    private LoadedModel(
        SelectedModel selection,
        ModelFolder folder,
        List<Adapter> adapters,
        Tokenizer tokenizer,
        DeviceSession place,
        bool isNamed,
        Action<string> notice)
    {
        (this.folder, this.place, this.isNamed, this.notice) = (folder, place, isNamed, notice);
        adapter = adapters is [] or [{ IsUniform: true }] ? adapters.FirstOrDefault() : AdapterSum.Of(adapters, folder.Configuration);
        (Selection, Tokenizer) = (selection, tokenizer);
    }

    /// <summary>Which model and adapters it was made of.</summary>
    public SelectedModel Selection { get; }

    /// <summary>Its shape.</summary>
    public ModelConfiguration Configuration => folder.Configuration;

    /// <summary>The tokenizer of the model's folder.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Opens what the options name.</summary>
    /// <param name="options">The model's options.</param>
    /// <param name="parsed">What they were given.</param>
    /// <param name="isNamed">Whether a result is kept, which names the weights by their hash; else they are hashed only where an adapter
    /// says on which it was trained.</param>
    /// <param name="notice">Told what a user should know, in a line.</param>
    /// <exception cref="InputException">Something is missing, broken, or does not fit.</exception>
    public static LoadedModel Open(ModelOptionSet options, ParseResult parsed, bool isNamed, Action<string> notice)
    {
        SelectedModel selection = options.Selection.Read(parsed, notice);
        ModelFolder folder = ModelFolder.Open(selection.Model);
        try
        {
            List<Adapter> adapters = selection.LoadAdapters(folder, notice);
            Tokenizer tokenizer = Tokenizer.LoadFor(folder.Path, folder.Configuration.VocabularySize, notice);
            return new LoadedModel(selection, folder, adapters, tokenizer, new DeviceSession(options.Device, parsed), isNamed, notice);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>The template that was asked for; the one that the model was trained with where none was.</summary>
    /// <param name="asked">What --template was given; null for nothing.</param>
    /// <param name="tell">Told in a line which chat template the model has.</param>
    /// <exception cref="InputException">It cannot be used.</exception>
    public PromptTemplate Template(string? asked, Action<string>? tell = null) =>
        PromptTemplate.Open(asked ?? Selection.Template, folder.Path, Tokenizer, tell);

    /// <summary>Puts the model on its device.</summary>
    /// <param name="options">What there must be room for; the form of the weights and the memory limit are set here.</param>
    /// <param name="progress">Shows how far loading is.</param>
    /// <param name="cancellation">Stops loading.</param>
    public Session Start(SessionOptions options, ProgressDisplay progress, CancellationToken cancellation)
    {
        NumberTypes types = place.Types(folder);
        return Load(place.Take(folder.Configuration, WithAdapters(options), types), progress, cancellation);
    }

    /// <summary>As <see cref="Start"/>, with as much at a time as fits: what is asked for is halved until it does.</summary>
    /// <param name="most">How much at a time is worth it.</param>
    /// <param name="room">What there must be room for so much at a time.</param>
    /// <param name="progress">Shows how far loading is.</param>
    /// <param name="cancellation">Stops loading.</param>
    /// <exception cref="EngineException"><see cref="EngineError.OutOfMemory"/>: not even one at a time fits.</exception>
    public Session StartLargest(int most, Func<int, SessionOptions> room, ProgressDisplay progress, CancellationToken cancellation)
    {
        NumberTypes types = place.Types(folder);
        return Load(
            place.TakeLargest(folder.Configuration, most, atATime => WithAdapters(room(atATime)), types), progress, cancellation);
    }

    /// <summary>Gives the device's memory back, for another model.</summary>
    public void Free() => place.Free();

    private SessionOptions WithAdapters(SessionOptions options) => adapter is null ? options : options with { Lora = LoraOptions.Of(adapter) };

    private Session Load(Session session, ProgressDisplay progress, CancellationToken cancellation)
    {
        // A hash costs a tenth of loading.
        stored = isNamed || AdapterChain.KnowsItsModel(Selection.Adapters) ? new HashedWeights(folder) : null;
        session.Load(stored ?? (IWeightSource)folder, progress.Stage("loading the model"), cancellation);
        if (adapter is not null) session.LoadAdapter(adapter);
        if (stored is not null) AdapterChain.NoteOtherModel(Selection.Adapters, Selection.Model, stored.Hash(), notice);
        return session;
    }

    /// <summary>
    /// What a result says of it: its folder, a hash of its weights as they were loaded (null where it was opened without a name), the whole
    /// chain of adapters, and where and in what it was computed.
    /// </summary>
    public IEnumerable<KeyValuePair<string, JsonNode?>> Describe() =>
    [
        new("model", Path.GetFullPath(Selection.Model)),
        new("model_hash", stored?.Hash()),
        .. TrainedOn(Selection.Model),
        new("adapters", new JsonArray([.. Selection.Adapters.Select(static adapter => (JsonNode)new JsonObject
        {
            ["path"] = Path.GetFullPath(adapter),
            ["hash"] = AdapterHash.Of(adapter),
        })])),
        new("device", place.Device?.Name),
        new("engine", place.Device?.EngineDescription),
        new("weights", place.Plan?.Options.WeightType.ToString()),
        new("activations", place.Plan?.Options.ActivationType.ToString()),
    ];

    /// <summary>What a model was trained on top of, if it says so, and what that was trained on, as far as it is still there.</summary>
    private static IEnumerable<KeyValuePair<string, JsonNode?>> TrainedOn(string folder, int depth = 0)
    {
        const int deepest = 16;  // records may have been made to go round
        if (depth == deepest || AdapterRecord.Find(folder) is not { } record) return [];
        return
        [
            new("model_trained_on", new JsonObject(
            [
                new("model", record.Model),
                new("model_hash", record.ModelHash),
                .. record.Model is { } model ? TrainedOn(model, depth + 1) : [],
                new("adapters", new JsonArray([.. record.StandsOn.Select(static adapter => (JsonNode)new JsonObject
                {
                    ["path"] = adapter.Path,
                    ["hash"] = adapter.Hash,
                })])),
            ])),
        ];
    }

    /// <summary>By what a later command knows that it has the same model: its files' sizes and times, and what the adapters hold.</summary>
    public IEnumerable<KeyValuePair<string, JsonNode?>> DescribeFiles() =>
    [
        new("model", Path.GetFullPath(Selection.Model)),
        new("model_files", new JsonArray([.. new DirectoryInfo(Selection.Model).EnumerateFiles()
            .OrderBy(static file => file.Name, StringComparer.Ordinal)
            .Select(static file => (JsonNode)FormattableString.Invariant($"{file.Name} {file.Length} {file.LastWriteTimeUtc.Ticks}"))])),
        new("adapters", new JsonArray([.. Selection.Adapters.Select(static adapter => (JsonNode)AdapterHash.Of(adapter))])),
    ];

    /// <inheritdoc/>
    public void Dispose()
    {
        place.Dispose();
        folder.Dispose();
    }
}
