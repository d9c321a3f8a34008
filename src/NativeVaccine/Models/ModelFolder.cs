using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// A Hugging Face folder with config.json and safetensors weights, in one file or in shards. When it is open, every tensor that the
/// configuration asks for is known to be there with the right shape.
/// </summary>
public sealed class ModelFolder : IWeightSource, IDisposable
{
    internal const string SingleFileName = "model.safetensors";
    private readonly List<SafetensorsReader> files = [];
    private readonly Dictionary<string, SafetensorsReader> fileOfTensor = new(StringComparer.Ordinal);

    private ModelFolder(string path, ModelConfiguration configuration)
    {
        Path = path;
        Configuration = configuration;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Its config.json, or the one that was given instead.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Tensors that are there but that such a model does not use. Old files' rotary tables are not worth a mention.</summary>
    public IReadOnlyList<string> IgnoredTensors { get; private set; } = [];

    /// <summary>Opens a folder and checks that all weights are there.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="configuration">Used in place of the folder's config.json, if given.</param>
    /// <exception cref="InputException">A file is missing or broken, or a tensor is missing or has another shape or type.</exception>
    public static ModelFolder Open(string path, ModelConfiguration? configuration = null)
    {
        var folder = new ModelFolder(path, configuration ?? ModelConfiguration.Load(path));
        try
        {
            folder.OpenFiles();
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
        SafetensorsReader file = FileWith(name);
        file.ReadFloat32(name, destination, firstElement);
        FiniteCheck.Require(destination, file.Path, name, firstElement);
    }

    /// <summary>Reads a tensor's bytes as they are stored, unchecked: see <see cref="FiniteCheck"/>.</summary>
    /// <exception cref="InputException">There is no such tensor, or it cannot be read.</exception>
    public void ReadBytes(string name, Span<byte> destination, long firstByte = 0) =>
        FileWith(name).ReadBytes(name, destination, firstByte);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsReader file in files) file.Dispose();
    }

    private SafetensorsReader FileWith(string name) => fileOfTensor.TryGetValue(name, out SafetensorsReader? file)
        ? file
        : throw new InputException($"{Path}: has no tensor {InputText.Quote(name)}");

    private void OpenFiles()
    {
        string single = System.IO.Path.Combine(Path, SingleFileName);
        string index = System.IO.Path.Combine(Path, ShardIndex.FileName);
        if (File.Exists(single))
        {
            SafetensorsReader reader = OpenFile(single);
            foreach (string name in reader.Names) fileOfTensor.Add(name, reader);
        }
        else if (File.Exists(index))
        {
            OpenShards(index);
        }
        else
        {
            bool hasPickle = File.Exists(System.IO.Path.Combine(Path, "pytorch_model.bin"))
                || File.Exists(System.IO.Path.Combine(Path, "pytorch_model.bin.index.json"));
            string found = hasPickle ? "has its weights as pytorch_model.bin" : "has no weights";
            throw new InputException($"{Path}: {found}; expected {SingleFileName} or {ShardIndex.FileName}");
        }
    }

    private void OpenShards(string index)
    {
        var opened = new Dictionary<string, SafetensorsReader>(StringComparer.Ordinal);
        foreach ((string tensor, string fileName) in ShardIndex.Read(index))
        {
            if (!opened.TryGetValue(fileName, out SafetensorsReader? reader))
            {
                string path = System.IO.Path.Combine(Path, fileName);
                if (!File.Exists(path))
                    throw new InputException($"{path}: no such file; {index} expects tensor {InputText.Quote(tensor)} in it");
                reader = OpenFile(path);
                opened.Add(fileName, reader);
            }
            if (!reader.Contains(tensor))
                throw new InputException($"{index}: says that {reader.Path} has tensor {InputText.Quote(tensor)}, but it has not");
            fileOfTensor.Add(tensor, reader);
        }
    }

    private SafetensorsReader OpenFile(string path)
    {
        var reader = new SafetensorsReader(path);
        files.Add(reader);
        return reader;
    }

    private void RequireExpectedWeights()
    {
        var known = new HashSet<string>(StringComparer.Ordinal) { WeightNames.Head };
        foreach (ExpectedWeight expected in ExpectedWeight.Of(Configuration))
        {
            string shape = TensorInfo.Describe(expected.Shape);
            if (!fileOfTensor.TryGetValue(expected.Name, out SafetensorsReader? file))
                throw new InputException($"{Path}: tensor '{expected.Name}' is missing; expected shape {shape} by the configuration");
            TensorInfo info = file.Info(expected.Name);
            string where = $"{file.Path}: tensor '{expected.Name}'";
            if (!info.HasShape(expected.Shape))
                throw new InputException($"{where} has shape {TensorInfo.Describe(info.Shape)}; expected {shape} by the configuration");
            if (!info.Type.IsWeight())
                throw new InputException($"{where} is {info.Type.SafetensorsName()}; expected F32, F16 or BF16");
            known.Add(expected.Name);
        }
        IgnoredTensors = [.. fileOfTensor.Keys.Where(name => !known.Contains(name) && !IsRotaryTable(name)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Buffers that old versions of transformers stored; they follow from the configuration.</summary>
    private static bool IsRotaryTable(string name) => name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal);
}
