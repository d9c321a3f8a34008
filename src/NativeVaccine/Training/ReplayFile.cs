using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.IO;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>
/// Reads and writes replay.jsonl: a JSON object a line with <c>step</c>, <c>samples</c> (or <c>micro_samples</c>, an array of arrays, where
/// gradients are accumulated) and what the method declares besides (<see cref="MethodInfo.Replay"/>).
/// </summary>
public sealed class ReplayFile
{
    private readonly string source;
    private readonly MethodInfo method;
    private readonly Func<SampleKind, int> count;
    private readonly int layerCount;
    private readonly Func<SampleKind, int> batch;

    private ReplayFile(string source, MethodInfo method, Func<SampleKind, int> count, int layerCount, Func<SampleKind, int> batch)
    {
        (this.source, this.method, this.count, this.layerCount, this.batch) = (source, method, count, layerCount, batch);
    }

    /// <summary>Reads and checks a replay file. Fields that the method does not declare are not looked at.</summary>
    /// <param name="path">The file.</param>
    /// <param name="method">The method that follows it.</param>
    /// <param name="count">How many records each stream has.</param>
    /// <param name="layerCount">How many layers the model has.</param>
    /// <param name="batch">Samples of a stream's micro-batch, where a field does not say.</param>
    /// <exception cref="InputException">The file cannot be read, a step is missing, or an index does not exist.</exception>
    public static IReadOnlyList<ReplayStep> Read(
        string path, MethodInfo method, Func<SampleKind, int> count, int layerCount, Func<SampleKind, int> batch) =>
        Parse(InputFile.ReadText(path), path, method, count, layerCount, batch);

    /// <summary>Appends one step, as a line that ends with a line feed.</summary>
    public static void Write(Stream stream, ReplayStep step, MethodInfo method)
    {
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", step.Step);
            SampleKind main = method.MainStream(step);
            if (step.Of(main) is { } batches) WriteMain(writer, batches);
            foreach (ReplayField field in method.Replay)
            {
                switch (field)
                {
                    case ReplaySamples samples when samples.Kind != main && step.Of(samples.Kind) is { } taken:
                        WriteSamples(writer, samples, taken);
                        break;
                    case not ReplaySamples when step.Values[field.Name] is { } value:
                        writer.WritePropertyName(field.Name);
                        value.WriteTo(writer);
                        break;
                }
            }
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    internal static List<ReplayStep> Parse(
        ReadOnlyMemory<byte> utf8, string source, MethodInfo method, Func<SampleKind, int> count, int layerCount, Func<SampleKind, int> batch)
    {
        var file = new ReplayFile(source, method, count, layerCount, batch);
        var steps = new List<ReplayStep>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(utf8))
        {
            using JsonDocument document = JsonFile.Parse(text, source, number);
            string where = string.Create(CultureInfo.InvariantCulture, $"{source}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            steps.Add(file.ReadStep(document.RootElement, where, steps.Count));
        }
        return steps.Count > 0 ? steps : throw new InputException($"{source}: no steps: expected at least one");
    }

    private ReplayStep ReadStep(JsonElement record, string where, int expectedStep)
    {
        JsonElement step = JsonRecord.Required(record, "step", where);
        if (step.ValueKind != JsonValueKind.Number || !step.TryGetInt32(out int number) || number != expectedStep)
            throw new InputException(
                $"{where}: field 'step' is {JsonRecord.Describe(step)}: expected {expectedStep} (steps follow one another from 0)");
        var values = new JsonObject();
        foreach (ReplayField field in method.Replay)
        {
            if (field is not ReplaySamples && Value(record, field, where) is { } value) values[field.Name] = value;
        }
        SampleKind main = method.States is { } states ? states.MainStream(values[states.Field]?.GetValue<string>()) : SampleKind.Training;
        var samples = new Dictionary<SampleKind, IReadOnlyList<int[]>> { [main] = MainBatches(record, where, main) };
        foreach (ReplaySamples field in method.Replay.OfType<ReplaySamples>())
        {
            if (field.Kind != main && JsonRecord.Optional(record, field.Name) is { } value) samples[field.Kind] = Batches(value, field, where);
        }
        return new ReplayStep(number, samples) { Values = values };
    }

    private JsonNode? Value(JsonElement record, ReplayField field, string where)
    {
        if (JsonRecord.Optional(record, field.Name) is not { } value) return null;
        switch (field)
        {
            case ReplayLayers:
                int[] layers = Checked(value, field.Name, where, layerCount, "layer");
                if (layers.Zip(layers.Skip(1)).Any(static pair => pair.First >= pair.Second))
                {
                    throw new InputException(
                        $"{where}: field '{field.Name}' is not in ascending order: expected each layer once, the lowest first");
                }
                return new JsonArray([.. layers.Select(static layer => (JsonNode)layer)]);
            case ReplayWord word:
                string? text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
                if (text is not null && word.Words.Contains(text)) return text;
                throw new InputException(
                    $"{where}: field '{field.Name}' is {JsonRecord.Describe(value)}: expected one of {string.Join(", ", word.Words)}");
            default:
                throw new InvalidOperationException($"{field} has no reader");
        }
    }

    private int[][] MainBatches(JsonElement record, string where, SampleKind kind)
    {
        if (JsonRecord.Optional(record, "micro_samples") is { } batches)
            return BatchesOf(batches, "micro_samples", where, kind);
        JsonElement samples = JsonRecord.Optional(record, "samples")
            ?? throw new InputException($"{where}: field 'samples' is missing: expected it, or 'micro_samples'");
        return [Checked(samples, "samples", where, count(kind), NameOf(kind))];
    }

    private int[][] Batches(JsonElement value, ReplaySamples field, string where) => field.InBatches
        ? BatchesOf(value, field.Name, where, field.Kind)
        : [.. Checked(value, field.Name, where, count(field.Kind), NameOf(field.Kind)).Chunk(batch(field.Kind))];

    private int[][] BatchesOf(JsonElement value, string field, string where, SampleKind kind)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
            throw new InputException($"{where}: field '{field}' is {JsonRecord.Describe(value)}: expected an array of arrays of samples");
        return [.. value.EnumerateArray().Select(each => Checked(each, field, where, count(kind), NameOf(kind)))];
    }

    private static string NameOf(SampleKind kind) =>
        kind == SampleKind.Training ? "sample" : $"{kind.Word()} sample";

    private static int[] Checked(JsonElement value, string field, string where, int count, string what)
    {
        int[] indices = JsonRecord.Integers(value, field, where);
        if (indices.Length == 0)
            throw new InputException($"{where}: field '{field}' is empty: expected at least one {what}");
        foreach (int index in indices)
        {
            if ((uint)index >= (uint)count)
                throw new InputException(
                    $"{where}: field '{field}' names {what} {index}, but there are {count}: expected 0 to {count - 1}");
        }
        return indices;
    }

    private static void WriteMain(Utf8JsonWriter writer, IReadOnlyList<int[]> batches)
    {
        if (batches.Count == 1) WriteIndices(writer, "samples", batches[0]);
        else WriteBatches(writer, "micro_samples", batches);
    }

    private static void WriteSamples(Utf8JsonWriter writer, ReplaySamples field, IReadOnlyList<int[]> batches)
    {
        if (field.InBatches) WriteBatches(writer, field.Name, batches);
        else WriteIndices(writer, field.Name, [.. batches.SelectMany(static batch => batch)]);
    }

    private static void WriteBatches(Utf8JsonWriter writer, string field, IReadOnlyList<int[]> batches)
    {
        writer.WriteStartArray(field);
        foreach (int[] batch in batches) WriteIndices(writer, null, batch);
        writer.WriteEndArray();
    }

    private static void WriteIndices(Utf8JsonWriter writer, string? field, int[] indices)
    {
        if (field is null) writer.WriteStartArray();
        else writer.WriteStartArray(field);
        foreach (int index in indices) writer.WriteNumberValue(index);
        writer.WriteEndArray();
    }
}
