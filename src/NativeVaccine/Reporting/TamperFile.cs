using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Reporting;

/// <summary>How a model answered a fixed set of harmful prompts.</summary>
/// <param name="Answered">Answers: the harm that is counted.</param>
/// <param name="Refused">Refusals.</param>
/// <param name="Degenerate">Answers that say nothing.</param>
public sealed record TamperVerdicts(int Answered, int Refused, int Degenerate)
{
    /// <summary>All prompts.</summary>
    public int Count => Answered + Refused + Degenerate;

    /// <summary>100 * answered / count, in percent.</summary>
    public double HarmfulScore => 100.0 * Answered / Count;
}

/// <summary>A look at a model while it is fine-tuned: a line of tamper.jsonl.</summary>
public sealed record TamperLook
{
    /// <summary>Optimizer steps taken so far; 0 for the look before the first.</summary>
    public required int Step { get; init; }

    /// <summary>How it answered; null where it was not asked.</summary>
    public TamperVerdicts? Verdicts { get; init; }

    /// <summary>
    /// The embedding drift of each layer, the lowest first; empty where it was not measured, NaN where a number is not finite.
    /// </summary>
    public IReadOnlyList<double> Drift { get; init; } = [];

    /// <summary>How long the look took; NaN where the line does not say.</summary>
    public double Seconds { get; init; } = double.NaN;
}

/// <summary>
/// Reads and writes tamper.jsonl of a run: <c>{"step", "harmful_score" (percent), "answered", "refused", "degenerate", "count",
/// "seconds", "drift": [a number a layer]}</c> in each line, where the score's fields or the drift may be missing.
/// </summary>
public static class TamperFile
{
    /// <summary>Its name in the folder of a run.</summary>
    public const string FileName = "tamper.jsonl";

    /// <summary>The looks of a file, in ascending order of their steps.</summary>
    /// <exception cref="InputException">
    /// The file is missing, or a line is no such look: the steps do not ascend, counts do not add up, or layers are more or fewer than before.
    /// </exception>
    public static IReadOnlyList<TamperLook> Read(string path)
    {
        var looks = new List<TamperLook>();
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(InputFile.ReadText(path, mayBeEmpty: true)))
        {
            using JsonDocument document = JsonFile.Parse(text, path, number);
            string where = FormattableString.Invariant($"{path}:{number}");
            JsonRecord.RequireObject(document.RootElement, where);
            TamperLook look = Read(document.RootElement, where);
            RequireFollows(look, looks, where);
            looks.Add(look);
        }
        return looks;
    }

    /// <summary>Writes a line with its line feed.</summary>
    internal static void Write(Stream stream, TamperLook look)
    {
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("step", look.Step);
            if (look.Verdicts is { } verdicts)
            {
                writer.WriteNumber("harmful_score", verdicts.HarmfulScore);
                writer.WriteNumber("answered", verdicts.Answered);
                writer.WriteNumber("refused", verdicts.Refused);
                writer.WriteNumber("degenerate", verdicts.Degenerate);
                writer.WriteNumber("count", verdicts.Count);
            }
            writer.WriteNumber("seconds", look.Seconds);
            if (look.Drift.Count > 0)
            {
                writer.WriteStartArray("drift");
                foreach (double layer in look.Drift)
                {
                    if (double.IsFinite(layer)) writer.WriteNumberValue(layer);
                    else writer.WriteNullValue();
                }
                writer.WriteEndArray();
            }
            writer.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    }

    private static TamperLook Read(JsonElement line, string where)
    {
        int step = Natural(JsonRecord.Required(line, "step", where), "step", where);
        TamperVerdicts? verdicts = JsonRecord.Optional(line, "harmful_score") is null ? null : Verdicts(line, where);
        double[] drift = JsonRecord.Optional(line, "drift") is { } value ? Drift(value, where) : [];
        if (verdicts is null && drift.Length == 0)
            throw new InputException($"{where}: neither field 'harmful_score' nor 'drift': expected one of them or both");
        double seconds = JsonRecord.Optional(line, "seconds") is { } time ? Number(time, "seconds", where) : double.NaN;
        return new TamperLook { Step = step, Verdicts = verdicts, Drift = drift, Seconds = seconds };
    }

    private static TamperVerdicts Verdicts(JsonElement line, string where)
    {
        int Count(string field) => Natural(JsonRecord.Required(line, field, where), field, where);
        var verdicts = new TamperVerdicts(Count("answered"), Count("refused"), Count("degenerate"));
        int count = Count("count");
        double score = Number(JsonRecord.Required(line, "harmful_score", where), "harmful_score", where);
        if (count != verdicts.Count || count == 0)
        {
            throw new InputException(FormattableString.Invariant(
                $"{where}: {verdicts.Answered} answered, {verdicts.Refused} refused, {verdicts.Degenerate} degenerate, and a count of {count}: expected their sum, above 0"));
        }
        return Math.Abs(score - verdicts.HarmfulScore) <= 1e-6
            ? verdicts
            : throw new InputException(FormattableString.Invariant(
                $"{where}: harmful_score is {score}: expected {verdicts.HarmfulScore} for {verdicts.Answered} of {count}"));
    }

    private static double[] Drift(JsonElement value, string where) => value.ValueKind == JsonValueKind.Array
        ? [.. value.EnumerateArray().Select(layer => layer.ValueKind == JsonValueKind.Null ? double.NaN : Number(layer, "drift", where))]
        : throw new InputException($"{where}: field 'drift' is {JsonRecord.Describe(value)}: expected an array of numbers");

    private static void RequireFollows(TamperLook look, List<TamperLook> before, string where)
    {
        if (before.Count == 0) return;
        if (look.Step <= before[^1].Step)
            throw new InputException(FormattableString.Invariant($"{where}: step {look.Step} follows step {before[^1].Step}: expected a later one"));
        int? layers = before.FirstOrDefault(static earlier => earlier.Drift.Count > 0)?.Drift.Count;
        if (look.Drift.Count > 0 && layers is { } expected && look.Drift.Count != expected)
            throw new InputException(FormattableString.Invariant($"{where}: drift of {look.Drift.Count} layers: expected {expected} as in earlier lines"));
    }

    private static int Natural(JsonElement value, string field, string where) => JsonRecord.Integer(value, field, where) is >= 0 and int number
        ? number
        : throw new InputException($"{where}: field '{field}' is {JsonRecord.Describe(value)}: expected at least 0");

    private static double Number(JsonElement value, string field, string where) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number >= 0
            ? number
            : throw new InputException($"{where}: field '{field}' is {JsonRecord.Describe(value)}: expected a number, at least 0");
}
