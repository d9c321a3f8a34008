using System.Text.Json;

namespace NativeVaccine.TorchReference;

/// <summary>A LoRA adapter: W x + (alpha / r) B A dropout(x) on the projections that it has matrices for.</summary>
/// <param name="Rank">r, the rows of every A and the columns of every B.</param>
/// <param name="Alpha">The numerator of the branch's scale.</param>
/// <param name="Matrices">
/// A (r, in) and B (out, r) by keys as <c>layers.0.self_attn.q_proj.lora_A</c>: PEFT's, without what all of them share.
/// </param>
public sealed record ReferenceLora(int Rank, double Alpha, IReadOnlyDictionary<string, ReferenceTensor> Matrices)
{
    private const string PeftPrefix = "base_model.model.model.";
    private const string PeftSuffix = ".weight";

    /// <summary>The factor alpha / r of the branch.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>Reads a PEFT adapter folder.</summary>
    public static ReferenceLora Load(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "adapter_config.json")));
        return new ReferenceLora(
            document.RootElement.GetProperty("r").GetInt32(),
            document.RootElement.GetProperty("lora_alpha").GetDouble(),
            ReferenceWeights.LoadFile(Path.Combine(folder, "adapter_model.safetensors"))
                .ToDictionary(entry => Key(entry.Key), entry => entry.Value, StringComparer.Ordinal));
    }

    /// <summary>An adapter on the named projections of every layer; both matrices are random, so that no gradient vanishes.</summary>
    public static ReferenceLora Random(
        ReferenceConfiguration configuration, int rank, double alpha, IEnumerable<string> projections, int seed, double deviation = 0.05)
    {
        var random = new Random(seed);
        string[] targets = [.. projections];
        var matrices = new Dictionary<string, ReferenceTensor>(StringComparer.Ordinal);
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            foreach (string projection in targets)
            {
                (int output, int input) = configuration.ProjectionShape(projection);
                string module = $"layers.{layer}.{ReferenceConfiguration.ModulePath(projection)}";
                matrices.Add(module + ".lora_A", ReferenceWeights.Normal([rank, input], random, 0, deviation));
                matrices.Add(module + ".lora_B", ReferenceWeights.Normal([output, rank], random, 0, deviation));
            }
        }
        return new ReferenceLora(rank, alpha, matrices);
    }

    /// <summary>PEFT's name of a matrix in an adapter file, as the key used here.</summary>
    public static string Key(string peftName) =>
        peftName.StartsWith(PeftPrefix, StringComparison.Ordinal) && peftName.EndsWith(PeftSuffix, StringComparison.Ordinal)
            ? peftName[PeftPrefix.Length..^PeftSuffix.Length]
            : throw new InvalidDataException($"{peftName}: expected {PeftPrefix}...{PeftSuffix}");
}
