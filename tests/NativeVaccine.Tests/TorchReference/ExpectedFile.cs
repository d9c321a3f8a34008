using System.Text.Json;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>What the ecosystem computed for a fixture folder: <c>expected.json</c> and <c>expected.safetensors</c>.</summary>
internal sealed class ExpectedFile : IDisposable
{
    private readonly JsonDocument document;

    public ExpectedFile(string folder)
    {
        document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path(folder, "expected.json")));
        Tensors = ReferenceWeights.LoadFile(Fixtures.Path(folder, "expected.safetensors"));
    }

    public JsonElement Root => document.RootElement;

    public Dictionary<string, ReferenceTensor> Tensors { get; }

    /// <summary>The batch of four samples of 1, 7, 33 and up to 64 tokens.</summary>
    public ReferenceSample[] Batch =>
        [.. Integers("input_ids").Zip(Integers("labels"), (ids, labels) => new ReferenceSample(ids, labels))];

    public void Dispose() => document.Dispose();

    private IEnumerable<int[]> Integers(string name) =>
        Root.GetProperty("batch").GetProperty(name).EnumerateArray()
            .Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray());
}
