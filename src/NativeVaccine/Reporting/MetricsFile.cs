using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Reporting;

/// <summary>What a report shows of a step; what its line does not have is NaN or null.</summary>
internal sealed record ReportedStep
{
    public required int Step { get; init; }

    public double Loss { get; init; } = double.NaN;

    public double LearningRate { get; init; } = double.NaN;

    public double GradientNorm { get; init; } = double.NaN;

    public double Seconds { get; init; } = double.NaN;

    public double Tokens { get; init; } = double.NaN;

    public double PeakBytes { get; init; } = double.NaN;

    public int[]? ActiveLayers { get; init; }

    public double[]? Probabilities { get; init; }
}

/// <summary>Reads metrics.jsonl.</summary>
internal static class MetricsFile
{
    /// <param name="path">The file.</param>
    /// <param name="layerCount">Layers of the model; a damaged line may name any number of them.</param>
    /// <exception cref="InputException">Missing, or with a broken line.</exception>
    public static IReadOnlyList<ReportedStep> Read(string path, int layerCount)
    {
        var steps = new List<ReportedStep>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(InputFile.ReadText(path, mayBeEmpty: true)))
        {
            using JsonDocument document = JsonFile.Parse(text, path, number);
            string where = FormattableString.Invariant($"{path}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            steps.Add(Read(document.RootElement, where, layerCount));
        }
        return steps;
    }

    private static ReportedStep Read(JsonElement record, string where, int layerCount) => new()
    {
        Step = JsonRecord.Integer(JsonRecord.Required(record, "step", where), "step", where),
        Loss = Number(record, "loss"),
        LearningRate = Number(record, "learning_rate"),
        GradientNorm = Number(record, "gradient_norm"),
        Seconds = Number(record, "seconds"),
        Tokens = Number(record, "tokens"),
        PeakBytes = Number(record, "peak_bytes"),
        ActiveLayers = JsonRecord.Optional(record, "active_layers") is { } layers ? Layers(layers, where, layerCount) : null,
        Probabilities = JsonRecord.Optional(record, "probabilities") is { ValueKind: JsonValueKind.Array } shares
            ? Probabilities(shares, where, layerCount)
            : null,
    };

    private static int[] Layers(JsonElement value, string where, int layerCount)
    {
        int[] layers = JsonRecord.Integers(value, "active_layers", where);
        foreach (int layer in layers)
        {
            if ((uint)layer >= (uint)layerCount)
            {
                throw new InputException(
                    FormattableString.Invariant($"{where}: field 'active_layers' names layer {layer}: expected 0 to {layerCount - 1}"));
            }
        }
        return layers;
    }

    private static double[] Probabilities(JsonElement value, string where, int layerCount) => value.GetArrayLength() <= layerCount
        ? [.. value.EnumerateArray().Select(Number)]
        : throw new InputException(FormattableString.Invariant(
            $"{where}: field 'probabilities' has {value.GetArrayLength()} numbers: expected one for each of {layerCount} layers"));

    private static double Number(JsonElement record, string field) =>
        JsonRecord.Optional(record, field) is { } value ? Number(value) : double.NaN;

    /// <summary>null stands for NaN and infinity.</summary>
    private static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : double.NaN;
}
