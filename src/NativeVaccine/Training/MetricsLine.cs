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
            writer.WriteNumber("flops", metrics.Flops);
            foreach ((string name, object value) in metrics.Values) WriteValue(writer, name, value);
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    private static void WriteValue(Utf8JsonWriter writer, string name, object value)
    {
        switch (value)
        {
            case double number:
                WriteNumber(writer, name, number);
                break;
            case string text:
                writer.WriteString(name, text);
                break;
            case int[] numbers:
                WriteArray(writer, name, numbers);
                break;
            case double[] numbers:
                WriteArray(writer, name, numbers);
                break;
            case SortedDictionary<int, double> byLayer:
                writer.WriteStartObject(name);
                foreach ((int layer, double number) in byLayer) WriteNumber(writer, layer.ToString(CultureInfo.InvariantCulture), number);
                writer.WriteEndObject();
                break;
            default:
                throw new InvalidOperationException($"a metric cannot be {value.GetType()}");
        }
    }

    private static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<int> values)
    {
        writer.WriteStartArray(name);
        foreach (int value in values) writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    private static void WriteArray(Utf8JsonWriter writer, string name, IEnumerable<double> values)
    {
        writer.WriteStartArray(name);
        foreach (double value in values)
        {
            if (double.IsFinite(value)) writer.WriteNumberValue(value);
            else writer.WriteNullValue();
        }
        writer.WriteEndArray();
    }

    /// <summary>JSON has no NaN and no infinity; null stands for both.</summary>
    private static void WriteNumber(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value)) writer.WriteNumber(name, value);
        else writer.WriteNull(name);
    }
}
