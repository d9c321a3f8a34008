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
    /// <exception cref="InputException">Missing, or with a broken line.</exception>
    public static IReadOnlyList<ReportedStep> Read(string path)
    {
        var steps = new List<ReportedStep>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(InputFile.ReadText(path)))
        {
            using JsonDocument document = JsonFile.Parse(text, path, number);
            string where = FormattableString.Invariant($"{path}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            steps.Add(Read(document.RootElement, where));
        }
        return steps;
    }

    private static ReportedStep Read(JsonElement record, string where) => new()
    {
        Step = JsonRecord.Integer(JsonRecord.Required(record, "step", where), "step", where),
        Loss = Number(record, "loss"),
        LearningRate = Number(record, "learning_rate"),
        GradientNorm = Number(record, "gradient_norm"),
        Seconds = Number(record, "seconds"),
        Tokens = Number(record, "tokens"),
        PeakBytes = Number(record, "peak_bytes"),
        ActiveLayers = JsonRecord.Optional(record, "active_layers") is { } layers ? JsonRecord.Integers(layers, "active_layers", where) : null,
        Probabilities = JsonRecord.Optional(record, "probabilities") is { ValueKind: JsonValueKind.Array } shares
            ? [.. shares.EnumerateArray().Select(Number)]
            : null,
    };

    private static double Number(JsonElement record, string field) =>
        JsonRecord.Optional(record, field) is { } value ? Number(value) : double.NaN;

    /// <summary>null stands for NaN and infinity.</summary>
    private static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : double.NaN;
}
