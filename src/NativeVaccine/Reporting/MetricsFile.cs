using System.Text.Json;
using NativeVaccine.IO;
using NativeVaccine.Methods;

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

    public double Flops { get; init; } = double.NaN;

    /// <summary>The method's own numbers, by the names of their fields.</summary>
    public IReadOnlyDictionary<string, double> Numbers { get; init; } = new Dictionary<string, double>();

    /// <summary>A number for each layer, likewise; where layers are chosen, 1 for those.</summary>
    public IReadOnlyDictionary<string, double[]> Layers { get; init; } = new Dictionary<string, double[]>();
}

/// <summary>Reads metrics.jsonl.</summary>
internal static class MetricsFile
{
    /// <param name="path">The file.</param>
    /// <param name="layerCount">Layers of the model; a damaged line may name any number of them.</param>
    /// <param name="metrics">What the method says beside the numbers of every run.</param>
    /// <exception cref="InputException">Missing, or with a broken line.</exception>
    public static IReadOnlyList<ReportedStep> Read(string path, int layerCount, IReadOnlyList<MethodMetric> metrics)
    {
        var steps = new List<ReportedStep>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(InputFile.ReadText(path, mayBeEmpty: true)))
        {
            using JsonDocument document = JsonFile.Parse(text, path, number);
            string where = FormattableString.Invariant($"{path}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            steps.Add(Read(document.RootElement, where, layerCount, metrics));
        }
        return steps;
    }

    private static ReportedStep Read(JsonElement record, string where, int layerCount, IReadOnlyList<MethodMetric> metrics)
    {
        var layers = new Dictionary<string, double[]>();
        foreach (MethodMetric metric in metrics.Where(static metric => metric.Kind != MetricKind.Number))
        {
            if (JsonRecord.Optional(record, metric.Name) is not { } value) continue;
            if (metric.Kind == MetricKind.Layers) layers[metric.Name] = Mask(value, metric.Name, where, layerCount);
            else if (value.ValueKind == JsonValueKind.Array) layers[metric.Name] = Shares(value, metric.Name, where, layerCount);
        }
        return new ReportedStep
        {
            Step = JsonRecord.Integer(JsonRecord.Required(record, "step", where), "step", where),
            Loss = Number(record, "loss"),
            LearningRate = Number(record, "learning_rate"),
            GradientNorm = Number(record, "gradient_norm"),
            Seconds = Number(record, "seconds"),
            Tokens = Number(record, "tokens"),
            PeakBytes = Number(record, "peak_bytes"),
            Flops = Number(record, "flops"),
            Numbers = metrics.Where(static metric => metric.Kind == MetricKind.Number)
                .ToDictionary(static metric => metric.Name, metric => Number(record, metric.Name)),
            Layers = layers,
        };
    }

    /// <summary>As long as the highest layer that is named.</summary>
    private static double[] Mask(JsonElement value, string field, string where, int layerCount)
    {
        int[] layers = JsonRecord.Integers(value, field, where);
        foreach (int layer in layers)
        {
            if ((uint)layer >= (uint)layerCount)
            {
                throw new InputException(
                    FormattableString.Invariant($"{where}: field '{field}' names layer {layer}: expected 0 to {layerCount - 1}"));
            }
        }
        double[] mask = new double[layers.DefaultIfEmpty(-1).Max() + 1];
        foreach (int layer in layers) mask[layer] = 1;
        return mask;
    }

    private static double[] Shares(JsonElement value, string field, string where, int layerCount) => value.GetArrayLength() <= layerCount
        ? [.. value.EnumerateArray().Select(Number)]
        : throw new InputException(FormattableString.Invariant(
            $"{where}: field '{field}' has {value.GetArrayLength()} numbers: expected one for each of {layerCount} layers"));

    private static double Number(JsonElement record, string field) =>
        JsonRecord.Optional(record, field) is { } value ? Number(value) : double.NaN;

    /// <summary>null stands for NaN and infinity.</summary>
    private static double Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : double.NaN;
}
