using System.Collections.Immutable;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>The tensors of adapter_model.safetensors or .bin under the names that peft gives them.</summary>
internal sealed class AdapterTensors : IDisposable
{
    private const int ChunkElements = 1 << 18;
    private readonly TensorFile reader;
    private readonly Dictionary<string, string> storedNames = new(StringComparer.Ordinal);
    private readonly HashSet<string> matrices = new(StringComparer.Ordinal);

    public AdapterTensors(string path)
    {
        reader = TensorFile.Open(path);
        foreach (string stored in reader.Names)
        {
            // Some versions put the adapter's name into that of the tensor.
            string plain = stored.Replace(".default.weight", ".weight", StringComparison.Ordinal);
            if (storedNames.TryAdd(plain, stored)) continue;
            reader.Dispose();
            throw new InputException($"{path}: tensor {InputText.Quote(plain)} is there twice, with and without .default");
        }
    }

    /// <summary>Requires A and B of a module, of the right shape. peft would take a missing B for zeros.</summary>
    public void RequireMatrices(AdapterTarget target, ModelConfiguration model)
    {
        (int outputs, int inputs) = model.ModuleShape(target.Module);
        RequireShape(WeightNames.LoraA(target.Path), [target.Rank, inputs]);
        RequireShape(WeightNames.LoraB(target.Path), [outputs, target.Rank]);
    }

    /// <summary>
    /// Looks at the tensors that no module asked for. Weights of the model itself, which peft puts in the place of the model's, must be
    /// equal to those; what belongs to some other form of LoRA is refused.
    /// </summary>
    /// <returns>The names of those that change nothing, in peft neither, and that are not known.</returns>
    public IReadOnlyList<string> RequireNothingElse(ModelConfiguration model, IWeightSource? weights)
    {
        var own = StoredWeight.Of(model).ToDictionary(static weight => weight.Name, StringComparer.Ordinal);
        if (model.TieWordEmbeddings) own.Add(WeightNames.Head, own[WeightNames.Embedding]);
        var ignored = new List<string>();
        foreach ((string plain, string stored) in storedNames)
        {
            if (matrices.Contains(plain) || IsOfTrainingOnly(plain)) continue;
            int start = plain.StartsWith(WeightNames.PeftPrefix, StringComparison.Ordinal) ? WeightNames.PeftPrefix.Length : 0;
            string name = plain[start..].Replace(".base_layer.", ".", StringComparison.Ordinal);
            if (own.TryGetValue(name, out StoredWeight? weight)) RequireEqual(stored, weight, weights);
            else if (plain.Contains(".lora_", StringComparison.Ordinal) || plain.Contains(".token_adapter.", StringComparison.Ordinal))
                throw NotPlain(plain, stored, model);
            else ignored.Add(stored);
        }
        return ignored;
    }

    public void Read(string name, Span<float> destination)
    {
        string stored = storedNames[name];
        reader.ReadFloat32(stored, destination);
        FiniteCheck.Require(destination, reader.Path, stored);
    }

    public void Dispose() => reader.Dispose();

    /// <summary>What velora and monteclora keep for their next step (peft 0.21.2).</summary>
    private static bool IsOfTrainingOnly(string name) =>
        name.EndsWith(".lora_velora_embed", StringComparison.Ordinal)
        || name.Contains(".lora_monteclora_sampler.", StringComparison.Ordinal);

    private InputException NotPlain(string plain, string stored, ModelConfiguration model)
    {
        bool isMatrix =
            plain.EndsWith(".lora_A.weight", StringComparison.Ordinal) || plain.EndsWith(".lora_B.weight", StringComparison.Ordinal);
        string what = isMatrix
            ? FormattableString.Invariant($"is no LoRA matrix of target_modules in {model.LayerCount} layers")
            : "is no matrix of LoRA on a linear module, and leaving it out would change the numbers";
        return new InputException($"{reader.Path}: tensor {InputText.Quote(stored)} {what}");
    }

    private void RequireShape(string name, ImmutableArray<long> shape)
    {
        string expected = TensorInfo.Describe(shape);
        if (!storedNames.TryGetValue(name, out string? stored))
            throw new InputException($"{reader.Path}: tensor '{name}' is missing; expected shape {expected}");
        TensorInfo info = reader.Info(stored);
        if (!info.HasShape(shape))
        {
            string found = TensorInfo.Describe(info.Shape);
            throw new InputException($"{reader.Path}: tensor '{name}' has shape {found}; expected {expected} by the rank and the model");
        }
        matrices.Add(name);
    }

    private void RequireEqual(string stored, StoredWeight weight, IWeightSource? weights)
    {
        TensorInfo info = reader.Info(stored);
        string where = $"{reader.Path}: tensor {InputText.Quote(stored)}";
        if (weights is null) throw new InputException($"{where} is a whole weight; expected a model with whose own it can be compared");
        if (!info.HasShape(weight.Shape) || !HoldsEqual(stored, weight, weights))
        {
            throw new InputException(
                $"{where} is a whole weight and differs from the model's own; expected an equal one (or {AdapterFields.Merge})");
        }
    }

    private bool HoldsEqual(string stored, StoredWeight weight, IWeightSource weights)
    {
        float[] ours = new float[ChunkElements];
        float[] theirs = new float[ChunkElements];
        for (long first = 0; first < weight.ElementCount; first += ChunkElements)
        {
            int count = (int)Math.Min(ChunkElements, weight.ElementCount - first);
            weight.Read(weights, ours.AsSpan(0, count), first);
            reader.ReadFloat32(stored, theirs.AsSpan(0, count), first);
            if (!ours.AsSpan(0, count).SequenceEqual(theirs.AsSpan(0, count))) return false;
        }
        return true;
    }
}
