using System.Text.Json;
using System.Text.Json.Serialization;
using NativeVaccine.Engine;
using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>What a run was planned to be: plan.json in its folder, from which its report is made again without the model and the data.</summary>
internal sealed record PlanRecord
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "plan.json";

    /// <summary>More than any model has.</summary>
    public const int MostLayers = 1024;

    /// <summary>Bytes of the memory plan, by what they are for.</summary>
    public required IReadOnlyDictionary<string, long> Memory { get; init; }

    /// <summary>Layers of the model.</summary>
    public required int Layers { get; init; }

    /// <summary>Optimizer steps of the whole run.</summary>
    public required int Steps { get; init; }

    /// <summary>All of the planned bytes.</summary>
    [JsonIgnore]
    public long MemoryBytes => Memory.Values.Sum();

    /// <summary>What a run with this plan will be.</summary>
    public static PlanRecord Of(MemoryPlan plan, int steps) => new()
    {
        Memory = new OrderedDictionary<string, long>(plan.Items.Select(static item => KeyValuePair.Create(item.Name, item.Bytes))),
        Layers = plan.Configuration.LayerCount,
        Steps = steps,
    };

    /// <summary>Writes it.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public void Write(string folder) => AtomicFile.WriteAllText(
        Path.Combine(folder, FileName), JsonSerializer.Serialize(this, TrainingJsonContext.Default.PlanRecord) + "\n");

    /// <summary>Reads that of a run; null if it has none.</summary>
    /// <exception cref="InputException">It is broken.</exception>
    public static PlanRecord? Find(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) return null;
        using JsonDocument document = JsonFile.ReadObject(file);
        var fields = new JsonFields(file, document.RootElement);
        JsonFields memory = fields.Fields("memory") ?? throw fields.Missing("memory", "bytes by what they are for");
        return new PlanRecord
        {
            Memory = new OrderedDictionary<string, long>(memory.Element.EnumerateObject().Select(item => KeyValuePair.Create(
                item.Name, (long)memory.Number(item.Name, static bytes => bytes is >= 0 and < 1e15, "a number of bytes")))),
            Layers = fields.WholeNumber("layers", 1, MostLayers),
            Steps = fields.WholeNumber("steps", 0, int.MaxValue),
        };
    }
}
