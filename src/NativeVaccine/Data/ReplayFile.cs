using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>What one optimizer step of a run used, so that another program can follow it.</summary>
/// <param name="Step">The step, from 0.</param>
/// <param name="MicroBatches">The samples of each micro-batch; one micro-batch unless gradients are accumulated.</param>
/// <param name="ProbeSamples">The harmful samples of the probe; null when the step has none.</param>
/// <param name="ActiveLayers">The layers chosen, ascending; null for methods that choose none.</param>
/// <param name="HarmfulSamples">The harmful samples of the step itself; null for methods that use none.</param>
public sealed record ReplayStep(
    int Step,
    IReadOnlyList<int[]> MicroBatches,
    int[]? ProbeSamples = null,
    int[]? ActiveLayers = null,
    int[]? HarmfulSamples = null);

/// <summary>
/// Reads and writes replay.jsonl: a JSON object a line with <c>step</c>, <c>samples</c> (or <c>micro_samples</c>, an array of arrays, where
/// gradients are accumulated) and, where they apply, <c>probe_samples</c>, <c>active_layers</c>, <c>harmful_samples</c>.
/// </summary>
public static class ReplayFile
{
    /// <summary>Reads and checks a replay file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="sampleCount">How many samples there are.</param>
    /// <param name="harmfulCount">How many samples the harmful pool has.</param>
    /// <param name="layerCount">How many layers the model has.</param>
    /// <exception cref="InputException">The file cannot be read, a step is missing, or an index does not exist.</exception>
    public static IReadOnlyList<ReplayStep> Read(string path, int sampleCount, int harmfulCount, int layerCount) =>
        Parse(InputFile.ReadText(path), path, sampleCount, harmfulCount, layerCount);

    /// <summary>Appends one step, as a line that ends with a line feed.</summary>
    public static void Write(Stream stream, ReplayStep step)
    {
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", step.Step);
            if (step.MicroBatches.Count == 1)
            {
                WriteIndices(writer, "samples", step.MicroBatches[0]);
            }
            else
            {
                writer.WriteStartArray("micro_samples");
                foreach (int[] batch in step.MicroBatches)
                    WriteIndices(writer, null, batch);
                writer.WriteEndArray();
            }

            WriteIndices(writer, "probe_samples", step.ProbeSamples);
            WriteIndices(writer, "active_layers", step.ActiveLayers);
            WriteIndices(writer, "harmful_samples", step.HarmfulSamples);
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    internal static List<ReplayStep> Parse(
        ReadOnlyMemory<byte> utf8, string source, int sampleCount, int harmfulCount, int layerCount)
    {
        var steps = new List<ReplayStep>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(utf8))
        {
            using JsonDocument document = JsonFile.Parse(text, source, number);
            string where = string.Create(CultureInfo.InvariantCulture, $"{source}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            steps.Add(ReadStep(document.RootElement, where, steps.Count, sampleCount, harmfulCount, layerCount));
        }

        return steps.Count > 0 ? steps : throw new InputException($"{source}: no steps: expected at least one");
    }

    private static ReplayStep ReadStep(
        JsonElement record, string where, int expectedStep, int sampleCount, int harmfulCount, int layerCount)
    {
        JsonElement step = JsonRecord.Required(record, "step", where);
        if (step.ValueKind != JsonValueKind.Number || !step.TryGetInt32(out int number) || number != expectedStep)
            throw new InputException(
                $"{where}: field 'step' is {JsonRecord.Describe(step)}: expected {expectedStep} (steps follow one another from 0)");

        int[]? layers = Indices(record, "active_layers", where, layerCount, "layer");
        if (layers is not null && !IsAscending(layers))
            throw new InputException(
                $"{where}: field 'active_layers' is not in ascending order: expected each layer once, the lowest first");
        return new ReplayStep(
            number,
            MicroBatches(record, where, sampleCount),
            Indices(record, "probe_samples", where, harmfulCount, "harmful sample"),
            layers,
            Indices(record, "harmful_samples", where, harmfulCount, "harmful sample"));
    }

    private static int[][] MicroBatches(JsonElement record, string where, int sampleCount)
    {
        if (JsonRecord.Optional(record, "micro_samples") is not { } batches)
        {
            return [Indices(record, "samples", where, sampleCount, "sample")
                ?? throw new InputException($"{where}: field 'samples' is missing: expected it, or 'micro_samples'")];
        }

        if (batches.ValueKind != JsonValueKind.Array || batches.GetArrayLength() == 0)
            throw new InputException(
                $"{where}: field 'micro_samples' is {JsonRecord.Describe(batches)}: expected an array of arrays of samples");
        return [.. batches.EnumerateArray().Select(batch => Checked(batch, "micro_samples", where, sampleCount, "sample"))];
    }

    private static int[]? Indices(JsonElement record, string field, string where, int count, string what) =>
        JsonRecord.Optional(record, field) is { } value ? Checked(value, field, where, count, what) : null;

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

    private static bool IsAscending(int[] numbers) => !numbers.Zip(numbers.Skip(1)).Any(pair => pair.First >= pair.Second);

    private static void WriteIndices(Utf8JsonWriter writer, string? field, int[]? indices)
    {
        if (indices is null)
            return;
        if (field is null)
            writer.WriteStartArray();
        else
            writer.WriteStartArray(field);
        foreach (int index in indices)
            writer.WriteNumberValue(index);
        writer.WriteEndArray();
    }
}
