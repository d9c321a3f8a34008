using System.Text.Json.Nodes;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sets;

/// <summary>What was read, written and left out, and why.</summary>
public sealed class PoolReport
{
    private const int MostKept = 100;
    private const int MostShown = 10;
    private readonly HashSet<UInt128> prompts = [];
    private readonly HashSet<UInt128> records = [];
    private readonly List<string> problems = [];
    private readonly SortedDictionary<string, long> labels = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> otherKinds = new(StringComparer.Ordinal);
    private readonly List<PromptPool> pools = [];

    internal PoolReport()
    {
    }

    /// <summary>Records that were looked at.</summary>
    public long Read { get; internal set; }

    /// <summary>Records in the file that was written.</summary>
    public long Written { get; private set; }

    /// <summary>Records that do not fit, which were left out.</summary>
    public long NotFitting { get; private set; }

    /// <summary>Records without an answer, which were left out.</summary>
    public long WithoutLabel { get; internal set; }

    /// <summary>Records that were left out since an earlier one is the same.</summary>
    public long LeftOutDuplicates { get; internal set; }

    /// <summary>Records that were passed over as asked.</summary>
    public long Skipped { get; internal set; }

    /// <summary>Written records whose prompt and answer an earlier one has.</summary>
    public long DuplicateRecords => Written - records.Count;

    /// <summary>Written records whose prompt an earlier one has.</summary>
    public long DuplicatePrompts => Written - prompts.Count;

    /// <summary>What the user should know, a line each, beside the counts.</summary>
    public IReadOnlyList<string> Notices { get; internal set; } = [];

    /// <summary>The first record that does not fit, with its place.</summary>
    internal string? FirstProblem => problems.FirstOrDefault();

    /// <summary>Records of kinds that were not asked for.</summary>
    internal long OtherKinds => otherKinds.Values.Sum();

    internal LengthTally? Length { get; init; }

    internal void Watch(PromptPool pool) => pools.Add(pool);

    internal void AddProblem(string problem)
    {
        NotFitting++;
        if (problems.Count < MostKept) problems.Add(problem);
    }

    internal void AddOtherKind(string kind) => otherKinds[kind] = otherKinds.GetValueOrDefault(kind) + 1;

    /// <summary>Whether an earlier record that was written has the same prompt, or also the same answer.</summary>
    internal bool Has(UInt128 prompt, UInt128 record, Uniqueness uniqueness) => uniqueness switch
    {
        Uniqueness.Prompts => prompts.Contains(prompt),
        Uniqueness.Records => records.Contains(record),
        _ => false,
    };

    internal void AddWritten(ConvertedRecord record, UInt128 prompt, UInt128 whole)
    {
        Written++;
        prompts.Add(prompt);
        records.Add(whole);
        foreach (PromptPool pool in pools) pool.Add(prompt, whole);
        foreach (string label in record.Labels.Concat(record.Categories)) labels[label] = labels.GetValueOrDefault(label) + 1;
    }

    /// <summary>For people, a line each.</summary>
    public IEnumerable<string> Lines()
    {
        yield return FormattableString.Invariant($"records read: {Read}; written: {Written}");
        if (NotFitting > 0) yield return FormattableString.Invariant($"left out, since they do not fit: {NotFitting}");
        foreach (string problem in problems.Take(MostShown)) yield return $"  {problem}";
        if (NotFitting > MostShown) yield return FormattableString.Invariant($"  and {NotFitting - MostShown} more (--json lists the first {MostKept})");
        if (WithoutLabel > 0) yield return FormattableString.Invariant($"left out, since they have no answer and so no label: {WithoutLabel}");
        foreach ((string kind, long count) in otherKinds) yield return FormattableString.Invariant($"left out, since they are {kind}: {count}");
        if (LeftOutDuplicates > 0) yield return FormattableString.Invariant($"left out, since an earlier record is the same: {LeftOutDuplicates}");
        if (Skipped > 0) yield return FormattableString.Invariant($"passed over: {Skipped}");
        yield return FormattableString.Invariant($"written records whose prompt an earlier one has: {DuplicatePrompts}; also its answer: {DuplicateRecords}");
        if (labels.Count > 0) yield return $"labels: {string.Join(", ", labels.Select(static label => FormattableString.Invariant($"{InputText.Shorten(label.Key)} {label.Value}")))}";
        foreach (string line in pools.SelectMany(static pool => pool.Lines())) yield return line;
        if (Length is not null) yield return Length.Line();
        foreach (string notice in Notices) yield return notice;
    }

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["read"] = Read,
        ["written"] = Written,
        ["not_fitting"] = NotFitting,
        ["without_label"] = WithoutLabel,
        ["other_kinds"] = Counts(otherKinds),
        ["duplicates_left_out"] = LeftOutDuplicates,
        ["skipped"] = Skipped,
        ["duplicate_prompts"] = DuplicatePrompts,
        ["duplicate_records"] = DuplicateRecords,
        ["labels"] = Counts(labels),
        ["overlap"] = new JsonArray([.. pools.Select(static pool => (JsonNode)pool.ToJson())]),
        ["truncation"] = Length?.ToJson(),
        ["problems"] = Texts(problems),
        ["notices"] = Texts(Notices),
    };

    private static JsonObject Counts(IEnumerable<KeyValuePair<string, long>> counts) =>
        new(counts.Select(static count => KeyValuePair.Create(count.Key, (JsonNode?)count.Value)));

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(static text => (JsonNode)text)];
}
