using System.Globalization;
using System.Text.Json;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>A line of metrics.jsonl. The names of the fields are a contract; what a method does not have is left out.</summary>
internal static class MetricsLine
{
    /// <summary>Writes the line with its line feed.</summary>
    public static void Write(Stream stream, StepMetrics metrics)
    {
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", metrics.Step);
            writer.WriteNumber("epoch", metrics.Epoch);
            WriteArray(writer, "samples", metrics.Samples);
            WriteNumber(writer, "loss", metrics.Loss);
            WriteNumber(writer, "learning_rate", metrics.LearningRate);
            WriteNumber(writer, "gradient_norm", metrics.GradientNorm);
            writer.WriteNumber("tensors_with_gradient", metrics.TensorsWithGradient);
            writer.WriteNumber("tokens", metrics.Tokens);
            WriteNumber(writer, "seconds", metrics.Seconds);
            writer.WriteNumber("peak_bytes", metrics.PeakBytes);
            WritePerturbation(writer, metrics);
            WriteProbe(writer, metrics);
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    private static void WritePerturbation(Utf8JsonWriter writer, StepMetrics metrics)
    {
        WriteNumber(writer, "pass1_loss", metrics.Pass1Loss);
        WriteNumber(writer, "site_gradient_norm", metrics.SiteGradientNorm);
        if (metrics.SiteGradientNorms.Count > 0)
        {
            writer.WriteStartObject("site_gradient_norms");
            foreach ((int layer, double norm) in metrics.SiteGradientNorms)
                WriteNumber(writer, layer.ToString(CultureInfo.InvariantCulture), norm);
            writer.WriteEndObject();
        }
        WriteNumber(writer, "perturbation_norm", metrics.PerturbationNorm);
    }

    private static void WriteProbe(Utf8JsonWriter writer, StepMetrics metrics)
    {
        WriteArray(writer, "active_layers", metrics.ActiveLayers);
        WriteArray(writer, "probe_samples", metrics.ProbeSamples);
        WriteNumber(writer, "probe_loss", metrics.ProbeLoss);
        WriteArray(writer, "probe_norms", metrics.ProbeNorms);
        WriteArray(writer, "probabilities", metrics.Probabilities);
    }

    private static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<int>? values)
    {
        if (values is null) return;
        writer.WriteStartArray(name);
        foreach (int value in values) writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    private static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<double>? values)
    {
        if (values is null) return;
        writer.WriteStartArray(name);
        foreach (double value in values)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
        writer.WriteEndArray();
    }

    /// <summary>JSON has no NaN and no infinity; null stands for both.</summary>
    private static void WriteNumber(Utf8JsonWriter writer, string name, double? value)
    {
        if (value is null) return;
        if (double.IsFinite(value.Value)) writer.WriteNumber(name, value.Value);
        else writer.WriteNull(name);
    }
}
