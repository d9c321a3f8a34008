using System.Runtime.InteropServices;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// A Hugging Face folder with config.json and weights, in one file or in shards, of safetensors or of PyTorch's own kind. When it is
/// open, every tensor that the configuration asks for is known to be there with the right shape. Weights are read by their own names also
/// where the files fuse several into one tensor.
/// </summary>
public sealed class ModelFolder : IWeightSource, IDisposable
{
    internal const string SingleFileName = "model.safetensors";

    /// <summary>In the order in which transformers looks for them.</summary>
    private static readonly string[] WeightFiles = [SingleFileName, ShardIndex.FileName, "pytorch_model.bin", "pytorch_model.bin.index.json"];

    private readonly List<TensorFile> files = [];
    private readonly Dictionary<string, TensorFile> fileOfTensor = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Place> places = new(StringComparer.Ordinal);

    /// <summary>Why tensors are missing that the index names.</summary>
    private readonly Dictionary<string, string> missing = new(StringComparer.Ordinal);
    private readonly List<string> notices = [];

    private ModelFolder(string path, ModelConfiguration? configuration)
    {
        Path = path;
        Configuration = configuration ?? ModelConfiguration.Load(path, notices.Add);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Its config.json, or the one that was given instead; untied where the folder has a head of its own.</summary>
    public ModelConfiguration Configuration { get; private set; }

    /// <summary>What a user should know about the folder's files, a line each.</summary>
    public IReadOnlyList<string> Notices => notices;

    /// <summary>The tensors that the model uses, under the names that they have in the files.</summary>
    public IReadOnlyList<StoredWeight> StoredWeights { get; private set; } = [];

    /// <summary>What most of the model's tensors are stored as.</summary>
    public ElementType StoredType => ExpectedWeight.Of(Configuration)
        .CountBy(weight => Info(weight.Name).Type)
        .MaxBy(static type => type.Value).Key;

    /// <summary>Tensors that are there but that such a model does not use. Old files' rotary tables are not worth a mention.</summary>
    public IReadOnlyList<string> IgnoredTensors { get; private set; } = [];

    /// <summary>Opens a folder and checks that all weights are there.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="configuration">Used in place of the folder's config.json, if given.</param>
    /// <exception cref="InputException">A file is missing or broken, or a tensor is missing or has another shape or type.</exception>
    public static ModelFolder Open(string path, ModelConfiguration? configuration = null)
    {
        var folder = new ModelFolder(path, configuration);
        try
        {
            folder.OpenFiles();
            folder.UntieOwnHead();
            folder.RequireExpectedWeights();
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Describes the tensor of the files that a weight is, or is a part of.</summary>
    /// <exception cref="InputException">The model has no such weight.</exception>
    public TensorInfo Info(string name)
    {
        Place place = PlaceOf(name);
        return place.File.Info(place.Name);
    }

    /// <inheritdoc/>
    /// <exception cref="InputException">There is no such weight, it cannot be read, or it holds NaN or infinity.</exception>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        Place place = PlaceOf(name);
        place.File.ReadFloat32(place.Name, destination, place.FirstElement + firstElement);
        FiniteCheck.Require(destination, place.File.Path, place.Name, place.FirstElement + firstElement);
    }

    /// <inheritdoc/>
    /// <exception cref="InputException">There is no such weight, it cannot be read, or it holds NaN or infinity.</exception>
    public bool TryReadBFloat16(string name, Span<ushort> destination, long firstElement = 0)
    {
        Place place = PlaceOf(name);
        if (place.File.Info(place.Name).Type != ElementType.BFloat16) return false;
        long first = place.FirstElement + firstElement;
        place.File.ReadBytes(place.Name, MemoryMarshal.AsBytes(destination), first * sizeof(ushort));
        FiniteCheck.Require(destination, place.File.Path, place.Name, first);
        return true;
    }

    /// <summary>Reads a weight's bytes as they are stored, unchecked: see <see cref="FiniteCheck"/>.</summary>
    /// <exception cref="InputException">There is no such weight, or it cannot be read.</exception>
    public void ReadBytes(string name, Span<byte> destination, long firstByte = 0)
    {
        Place place = PlaceOf(name);
        long start = place.FirstElement * place.File.Info(place.Name).Type.BitSize() / 8;
        place.File.ReadBytes(place.Name, destination, start + firstByte);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TensorFile file in files) file.Dispose();
    }

    /// <summary>Where a weight is; what the model does not use has the name that it has in the files.</summary>
    private Place PlaceOf(string name)
    {
        if (places.TryGetValue(name, out Place place)) return place;
        return IgnoredTensors.Contains(name)
            ? new Place(fileOfTensor[name], name, 0)
            : throw new InputException($"{Path}: has no tensor {InputText.Quote(name)}");
    }

    private void OpenFiles()
    {
        string? found = WeightFiles.Select(name => System.IO.Path.Combine(Path, name)).FirstOrDefault(File.Exists);
        if (found is null) throw new InputException($"{Path}: has no weights; expected {string.Join(" or ", WeightFiles)}");
        if (found.EndsWith(".json", StringComparison.Ordinal))
        {
            OpenShards(found);
            return;
        }
        TensorFile file = OpenFile(found);
        foreach (string name in file.Names) fileOfTensor.Add(name, file);
    }

    private void OpenShards(string index)
    {
        var opened = new Dictionary<string, TensorFile>(StringComparer.Ordinal);
        foreach ((string tensor, string fileName) in ShardIndex.Read(index))
        {
            if (!opened.TryGetValue(fileName, out TensorFile? reader))
            {
                string path = System.IO.Path.Combine(Path, fileName);
                if (!File.Exists(path))
                    throw new InputException($"{path}: no such file; {index} expects tensor {InputText.Quote(tensor)} in it");
                reader = OpenFile(path);
                opened.Add(fileName, reader);
            }
            // As in transformers, that matters only for a tensor that is needed.
            if (reader.Contains(tensor)) fileOfTensor.Add(tensor, reader);
            else missing.Add(tensor, $"{index} says that it is in {reader.Path}, but it is not");
        }
        // transformers loads whatever the files hold, so what the index does not name is worth a word, too.
        foreach (TensorFile reader in files)
        {
            foreach (string tensor in reader.Names) fileOfTensor.TryAdd(tensor, reader);
        }
    }

    private TensorFile OpenFile(string path)
    {
        var reader = TensorFile.Open(path);
        files.Add(reader);
        return reader;
    }

    /// <summary>
    /// A head in the files counts where it differs from the embedding, whatever the configuration says, as in transformers 5 (4.44 would
    /// take the embedding).
    /// </summary>
    private void UntieOwnHead()
    {
        if (!Configuration.TieWordEmbeddings || !fileOfTensor.ContainsKey(WeightNames.Head)) return;
        ModelConfiguration untied = Configuration with { TieWordEmbeddings = false };
        foreach (StoredWeight weight in StoredWeight.Of(untied))
        {
            if (weight.Name is WeightNames.Embedding or WeightNames.Head) RequireWeight(weight);
        }
        if (HeadIsEmbedding()) return;
        Configuration = untied;
        notices.Add(
            $"{Path}: tie_word_embeddings is true, but {WeightNames.Head} differs from the embedding; it is used, as in transformers 5");
    }

    private bool HeadIsEmbedding()
    {
        const int chunk = 1 << 18;
        (Place embeddingPlace, Place headPlace) = (PlaceOf(WeightNames.Embedding), PlaceOf(WeightNames.Head));
        TensorInfo info = Info(WeightNames.Embedding);
        float[] embedding = new float[chunk];
        float[] head = new float[chunk];
        for (long first = 0; first < info.ElementCount; first += chunk)
        {
            int count = (int)Math.Min(chunk, info.ElementCount - first);
            embeddingPlace.File.ReadFloat32(embeddingPlace.Name, embedding.AsSpan(0, count), first);
            headPlace.File.ReadFloat32(headPlace.Name, head.AsSpan(0, count), first);
            if (!embedding.AsSpan(0, count).SequenceEqual(head.AsSpan(0, count))) return false;
        }
        return true;
    }

    private void RequireExpectedWeights()
    {
        StoredWeights = [.. StoredWeight.Of(Configuration).Select(RequireWeight)];
        HashSet<string> known = [WeightNames.Head, .. StoredWeights.Select(static weight => weight.Name)];
        IgnoredTensors = [.. fileOfTensor.Keys.Where(name => !known.Contains(name) && !IsRotaryTable(name)).Order(StringComparer.Ordinal)];
        if (IgnoredTensors.Count == 0) return;
        string line = FormattableString.Invariant(
            $"{Path}: tensors that {Configuration.Family} does not use: {IgnoredTensors.Count} ({InputText.Some(IgnoredTensors)})");
        bool hasBias = IgnoredTensors.Any(static name => name.EndsWith(".bias", StringComparison.Ordinal));
        notices.Add(hasBias ? $"{line}; biases among them, as of another kind of model, or of one whose config.json lacks a field" : line);
    }

    /// <summary>Finds a tensor, also where the files are those of a model without a head, and notes where its weights lie.</summary>
    /// <returns>The same under the name that it has in the files.</returns>
    private StoredWeight RequireWeight(StoredWeight expected)
    {
        string name = expected.Name;
        if (!fileOfTensor.ContainsKey(name) && name.StartsWith(WeightNames.BasePrefix, StringComparison.Ordinal)
            && fileOfTensor.ContainsKey(name[WeightNames.BasePrefix.Length..]))
            name = name[WeightNames.BasePrefix.Length..];
        string shape = TensorInfo.Describe(expected.Shape);
        if (!fileOfTensor.TryGetValue(name, out TensorFile? file))
        {
            string why = missing.TryGetValue(name, out string? reason) ? $" ({reason})" : "";
            throw new InputException($"{Path}: tensor '{name}' is missing{why}; expected shape {shape} by the configuration");
        }
        TensorInfo info = file.Info(name);
        string where = $"{file.Path}: tensor '{name}'";
        if (!info.HasShape(expected.Shape))
            throw new InputException($"{where} has shape {TensorInfo.Describe(info.Shape)}; expected {shape} by the configuration");
        if (!info.Type.IsWeight())
            throw new InputException($"{where} is {info.Type.SafetensorsName()}; expected F32, F16 or BF16");
        long first = 0;
        foreach (ExpectedWeight part in expected.Parts)
        {
            places[part.Name] = new Place(file, name, first);
            first += part.ElementCount;
        }
        return expected with { Name = name };
    }

    /// <summary>Buffers that old versions of transformers stored; they follow from the configuration.</summary>
    private static bool IsRotaryTable(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);

    /// <summary>Where a weight lies.</summary>
    /// <param name="File">Its file.</param>
    /// <param name="Name">The tensor that it is, or is a part of.</param>
    /// <param name="FirstElement">Index of its first element there.</param>
    private readonly record struct Place(TensorFile File, string Name, long FirstElement);
}
