using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>An adapter that another one stands on, as it was when that one was trained.</summary>
public sealed record BaseAdapter
{
    /// <summary>Where it lay, absolute.</summary>
    public required string Path { get; init; }

    /// <summary>Where it lay, seen from the folder of the adapter that stands on it.</summary>
    public required string RelativePath { get; init; }

    /// <summary>A hash of what it does, in hexadecimal digits.</summary>
    public required string Hash { get; init; }
}

/// <summary>
/// What an adapter was trained on top of, or a model all of whose weights were trained: nativevaccine.json in its folder, which peft and
/// transformers pass over. An adapter without one is not ours, and is taken to stand on the model itself.
/// </summary>
public sealed record AdapterRecord
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "nativevaccine.json";

    /// <summary>The model, absolute; null where none was named.</summary>
    public string? Model { get; init; }

    /// <summary>A hash of the model's weights, as <see cref="HashedWeights"/> gives it; null where they were not seen whole.</summary>
    public string? ModelHash { get; init; }

    /// <summary>The prompt template of the training, as <see cref="TrainingOptions.Template"/> has it; null where none is known.</summary>
    public string? Template { get; init; }

    /// <summary>The adapters that were merged into the model before the training, in that order.</summary>
    public required IReadOnlyList<BaseAdapter> StandsOn { get; init; }

    /// <summary>What made the adapter.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The record of an adapter or a model; null if it has none.</summary>
    /// <exception cref="InputException">It is broken.</exception>
    public static AdapterRecord? Find(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return null;
        using JsonDocument document = JsonFile.ReadObject(file);
        try
        {
            AdapterRecord record = document.RootElement.Deserialize(TrainingJsonContext.Default.AdapterRecord)!;
            // Serializers look at the fields of an object for null, not at the items of a list.
            return record.StandsOn.Contains(null!) ? throw new JsonException() : record;
        }
        catch (JsonException exception)
        {
            throw new InputException($"{file}: {TrainingOptionsJson.Reason(exception)}; expected what an adapter stands on", exception);
        }
    }

    /// <summary>The record of the adapter or the model that a run is going to train.</summary>
    /// <param name="options">Of the run.</param>
    /// <param name="folder">Where it will lie.</param>
    public static AdapterRecord Of(TrainingOptions options, string folder) => new()
    {
        Model = options.Model is null ? null : Path.GetFullPath(options.Model),
        Template = options.Template,
        StandsOn = [.. options.Adapter.Select(adapter => new BaseAdapter
        {
            Path = Path.GetFullPath(adapter),
            RelativePath = Path.GetRelativePath(Path.GetFullPath(folder), Path.GetFullPath(adapter)).Replace('\\', '/'),
            Hash = AdapterHash.Of(adapter),
        })],
        Versions = options.Versions,
    };

    /// <summary>Writes the file into a folder.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public void Write(string folder) =>
        AtomicFile.WriteAllText(Path.Combine(folder, FileName), TrainingOptionsJson.Write(this));
}
