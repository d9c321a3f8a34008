using System.Runtime.InteropServices;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// A Hugging Face folder with config.json and weights, in one file or in shards, of safetensors or of PyTorch's own kind. When it is
/// open, every tensor that the configuration asks for is known to be there with the right shape.
/// </summary>
public sealed class ModelFolder : IWeightSource, IDisposable
{
    internal const string SingleFileName = "model.safetensors";

    /// <summary>In the order in which transformers looks for them.</summary>
    private static readonly string[] WeightFiles = [SingleFileName, ShardIndex.FileName, "pytorch_model.bin", "pytorch_model.bin.index.json"];

    private readonly List<TensorFile> files = [];
    private readonly Dictionary<string, TensorFile> fileOfTensor = new(StringComparer.Ordinal);

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

    /// <summary>Describes a tensor as it is stored.</summary>
    /// <exception cref="InputException">There is no such tensor.</exception>
    public TensorInfo Info(string name) => FileWith(name).Info(name);

    /// <inheritdoc/>
    /// <exception cref="InputException">There is no such tensor, it cannot be read, or it holds NaN or infinity.</exception>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        TensorFile file = FileWith(name);
        file.ReadFloat32(name, destination, firstElement);
        FiniteCheck.Require(destination, file.Path, name, firstElement);
    }

    /// <inheritdoc/>
    /// <exception cref="InputException">There is no such tensor, it cannot be read, or it holds NaN or infinity.</exception>
    public bool TryReadBFloat16(string name, Span<ushort> destination, long firstElement = 0)
    {
        TensorFile file = FileWith(name);
        if (file.Info(name).Type != ElementType.BFloat16) return false;
        file.ReadBytes(name, MemoryMarshal.AsBytes(destination), firstElement * sizeof(ushort));
        FiniteCheck.Require(destination, file.Path, name, firstElement);
        return true;
    }

    /// <summary>Reads a tensor's bytes as they are stored, unchecked: see <see cref="FiniteCheck"/>.</summary>
    /// <exception cref="InputException">There is no such tensor, or it cannot be read.</exception>
    public void ReadBytes(string name, Span<byte> destination, long firstByte = 0) =>
        FileWith(name).ReadBytes(name, destination, firstByte);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TensorFile file in files) file.Dispose();
    }

    private TensorFile FileWith(string name) => fileOfTensor.TryGetValue(name, out TensorFile? file)
        ? file
        : throw new InputException($"{Path}: has no tensor {InputText.Quote(name)}");

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
        foreach (ExpectedWeight weight in ExpectedWeight.Of(untied))
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
        TensorInfo info = Info(WeightNames.Embedding);
        float[] embedding = new float[chunk];
        float[] head = new float[chunk];
        for (long first = 0; first < info.ElementCount; first += chunk)
        {
            int count = (int)Math.Min(chunk, info.ElementCount - first);
            FileWith(WeightNames.Embedding).ReadFloat32(WeightNames.Embedding, embedding.AsSpan(0, count), first);
            FileWith(WeightNames.Head).ReadFloat32(WeightNames.Head, head.AsSpan(0, count), first);
            if (!embedding.AsSpan(0, count).SequenceEqual(head.AsSpan(0, count))) return false;
        }
        return true;
    }

    private void RequireExpectedWeights()
    {
        var known = new HashSet<string>(StringComparer.Ordinal) { WeightNames.Head };
        foreach (ExpectedWeight expected in ExpectedWeight.Of(Configuration))
        {
            RequireWeight(expected);
            known.Add(expected.Name);
        }
        IgnoredTensors = [.. fileOfTensor.Keys.Where(name => !known.Contains(name) && !IsRotaryTable(name)).Order(StringComparer.Ordinal)];
        if (IgnoredTensors.Count == 0) return;
        string line = FormattableString.Invariant(
            $"{Path}: tensors that {Configuration.Architecture} does not use: {IgnoredTensors.Count} ({InputText.Some(IgnoredTensors)})");
        bool hasBias = IgnoredTensors.Any(static name => name.EndsWith(".bias", StringComparison.Ordinal));
        notices.Add(hasBias ? $"{line}; biases among them, as of another kind of model, or of one whose config.json lacks a field" : line);
    }

    private void RequireWeight(ExpectedWeight expected)
    {
        string shape = TensorInfo.Describe(expected.Shape);
        if (!fileOfTensor.TryGetValue(expected.Name, out TensorFile? file))
        {
            string why = missing.TryGetValue(expected.Name, out string? reason) ? $" ({reason})" : "";
            throw new InputException($"{Path}: tensor '{expected.Name}' is missing{why}; expected shape {shape} by the configuration");
        }
        TensorInfo info = file.Info(expected.Name);
        string where = $"{file.Path}: tensor '{expected.Name}'";
        if (!info.HasShape(expected.Shape))
            throw new InputException($"{where} has shape {TensorInfo.Describe(info.Shape)}; expected {shape} by the configuration");
        if (!info.Type.IsWeight())
            throw new InputException($"{where} is {info.Type.SafetensorsName()}; expected F32, F16 or BF16");
    }

    /// <summary>Buffers that old versions of transformers stored; they follow from the configuration.</summary>
    private static bool IsRotaryTable(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);
}
