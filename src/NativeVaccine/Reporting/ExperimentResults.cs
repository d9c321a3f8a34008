using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NativeVaccine.IO;
using NativeVaccine.Training;

namespace NativeVaccine.Reporting;

/// <summary>How far a cell of an experiment is.</summary>
public enum CellState
{
    /// <summary>Not begun.</summary>
    Waiting,

    /// <summary>A process works on it.</summary>
    Running,

    /// <summary>All of its numbers are there.</summary>
    Done,

    /// <summary>It stopped with an error.</summary>
    Failed,
}

/// <summary>The results.json of an experiment: every cell of its grid, and the table over the seeds.</summary>
public sealed record ExperimentResults
{
    /// <summary>Name of the file in the folder of an experiment.</summary>
    public const string FileName = "results.json";

    /// <summary>The axis of the methods (arms) of an experiment.</summary>
    public const string MethodAxis = "method";

    /// <summary>The axis over which the table takes the mean.</summary>
    public const string SeedAxis = "seed";

    /// <summary>Paths and names appear as they are, not in escapes.</summary>
    private static readonly ExperimentJsonContext Readable =
        new(new JsonSerializerOptions(ExperimentJsonContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>What the plan calls the experiment.</summary>
    public required string Name { get; init; }

    /// <summary>Path of the plan.</summary>
    public string? Plan { get; init; }

    /// <summary>What varies in the grid, by the names of the cells' settings: "method", "poison_ratio", "seed".</summary>
    public required IReadOnlyList<string> Axes { get; init; }

    /// <summary>The cells, in the order of the grid.</summary>
    public required IReadOnlyList<ExperimentCell> Cells { get; init; }

    /// <summary>A row for each combination of settings but the seed, in the order of the grid.</summary>
    public IReadOnlyList<ExperimentRow> Table { get; init; } = [];

    /// <summary>Writes a results.json, the old one or the whole new one being there at any time.</summary>
    /// <param name="file">Its path.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A number is NaN or infinite.</exception>
    public void Write(string file) => AtomicFile.WriteAllText(file, JsonSerializer.Serialize(this, Readable.ExperimentResults) + "\n");

    /// <summary>Reads a results.json.</summary>
    /// <param name="file">Its path.</param>
    /// <exception cref="InputException">Missing, broken, or not the results of an experiment.</exception>
    public static ExperimentResults Read(string file)
    {
        using JsonDocument document = JsonFile.ReadObject(file);
        try
        {
            ExperimentResults results = document.Deserialize(ExperimentJsonContext.Default.ExperimentResults)!;
            results.RequireWhole(file);
            return results;
        }
        catch (JsonException exception)
        {
            string where = exception.Path is { Length: > 2 } path ? InputText.Shorten(path[2..]) : "the top";
            throw new InputException($"{file}: {where}: {Reason(exception)}; expected the results of an experiment", exception);
        }
    }

    /// <summary>Lists and tables may hold null where the serializer does not look.</summary>
    private void RequireWhole(string file)
    {
        string? hole = Axes.Contains(null!) ? "axes"
            : Cells.Contains(null!) ? "cells"
            : Table.Contains(null!) ? "table"
            : Table.SelectMany(static row => row.Numbers.Values.Concat(row.Against?.Numbers.Values ?? [])).Contains(null!) ? "table.numbers"
            : null;
        if (hole is not null) throw new InputException($"{file}: {hole}: has null in it; expected the results of an experiment");
    }

    private static string Reason(JsonException exception)
    {
        const string Missing = "missing required properties including: ";
        int at = exception.Message.IndexOf(Missing, StringComparison.Ordinal);
        if (at < 0) return "the value cannot be used there";
        string names = exception.Message[(at + Missing.Length)..];
        return $"has no {InputText.OneLine(names[..(names.LastIndexOf('\'') + 1)])}";
    }
}

/// <summary>A cell: one alignment, attacked and evaluated once.</summary>
public sealed record ExperimentCell
{
    /// <summary>Hash of what it depends on.</summary>
    public required string Id { get; init; }

    /// <summary>Its place in the grid: a value (text or number) for each axis. "method" is the arm's name as the plan has it.</summary>
    public required JsonObject Settings { get; init; }

    /// <summary>How far it is.</summary>
    public required CellState State { get; init; }

    /// <summary>Why it failed, in one line.</summary>
    public string? Error { get; init; }

    /// <summary>Folder of the alignment, relative to the experiment's.</summary>
    public string? AlignRun { get; init; }

    /// <summary>Folder of the attack, relative to the experiment's; its tamper.jsonl has the looks.</summary>
    public string? AttackRun { get; init; }

    /// <summary>Its numbers by name; one that is null was looked for and not reached (steps_to_half). See <see cref="ExperimentNumbers"/>.</summary>
    public IReadOnlyDictionary<string, double?> Numbers { get; init; } = new Dictionary<string, double?>();
}

/// <summary>A row of the table: the cells that differ in the seed alone.</summary>
public sealed record ExperimentRow
{
    /// <summary>Its place in the grid, without the seed.</summary>
    public required JsonObject Settings { get; init; }

    /// <summary>Cells of the grid.</summary>
    public required int Seeds { get; init; }

    /// <summary>Those that failed.</summary>
    public int Failed { get; init; }

    /// <summary>Means over the seeds that are done, by the names of the cells' numbers.</summary>
    public IReadOnlyDictionary<string, ExperimentMean> Numbers { get; init; } = new Dictionary<string, ExperimentMean>();

    /// <summary>Differences to the plan's baseline, seed by seed; null for the baseline itself.</summary>
    public ExperimentDifference? Against { get; init; }
}

/// <summary>Paired differences: a row's number less the baseline's of the same seed.</summary>
public sealed record ExperimentDifference
{
    /// <summary>The baseline's method.</summary>
    public required string Method { get; init; }

    /// <summary>Means of the differences, by the names of the numbers.</summary>
    public IReadOnlyDictionary<string, ExperimentMean> Numbers { get; init; } = new Dictionary<string, ExperimentMean>();
}

/// <summary>The mean of a number over seeds.</summary>
public sealed record ExperimentMean
{
    /// <summary>The fewest seeds over which <see cref="IsClear"/> can hold.</summary>
    public const int SeedsToTell = 6;

    /// <summary>The mean.</summary>
    public required double Mean { get; init; }

    /// <summary>Standard deviation; null for less than two seeds.</summary>
    public double? Deviation { get; init; }

    /// <summary>Lower bound of the 95 % interval of the mean (bootstrap over the seeds); null for less than two seeds.</summary>
    public double? Low { get; init; }

    /// <summary>Upper bound, likewise.</summary>
    public double? High { get; init; }

    /// <summary>How many seeds it is of.</summary>
    public required int Count { get; init; }

    /// <summary>
    /// Whether the interval of a difference leaves out zero, and over enough seeds that it says something: of fewer than six, all have the same
    /// sign by chance more often than one time in twenty.
    /// </summary>
    [JsonIgnore]
    public bool IsClear => Count >= SeedsToTell && (Low > 0 || High < 0);
}

/// <summary>Names of the numbers of a cell. Scores and accuracies are in percent.</summary>
public static class ExperimentNumbers
{
    /// <summary>Harmful score after the attack.</summary>
    public const string HarmfulScore = "harmful_score";

    /// <summary>Harmful score before the attack.</summary>
    public const string HarmfulScoreBefore = "harmful_score_before";

    /// <summary>Share of the harmful prompts that are refused after the attack.</summary>
    public const string Refused = "refused";

    /// <summary>Share of them that are answered.</summary>
    public const string Answered = "answered";

    /// <summary>Share of them whose answer is no text.</summary>
    public const string Degenerate = "degenerate";

    /// <summary>Accuracy of the fine-tuned task after the attack.</summary>
    public const string Accuracy = "accuracy";

    /// <summary>Accuracy before it.</summary>
    public const string AccuracyBefore = "accuracy_before";

    /// <summary>Accuracy of other tasks after the attack.</summary>
    public const string Capability = "capability";

    /// <summary>Accuracy of other tasks before it.</summary>
    public const string CapabilityBefore = "capability_before";

    /// <summary>Attack steps until half of the harmful prompts are answered; null if that was not reached.</summary>
    public const string StepsToHalf = "steps_to_half";

    /// <summary>Seconds of the alignment.</summary>
    public const string AlignSeconds = "align_seconds";

    /// <summary>Seconds of the attack.</summary>
    public const string AttackSeconds = "attack_seconds";

    /// <summary>Most bytes of the device that the alignment took.</summary>
    public const string PeakBytes = "peak_bytes";

    /// <summary>Floating-point operations of the alignment.</summary>
    public const string AlignFlops = "align_flops";
}

/// <summary>Serializers generated at build time; they need no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true,
    Converters = [typeof(WordConverter<CellState>)])]
[JsonSerializable(typeof(ExperimentResults))]
internal sealed partial class ExperimentJsonContext : JsonSerializerContext;
