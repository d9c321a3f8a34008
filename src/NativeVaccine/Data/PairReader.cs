using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads pairs, a harmful and a harmless answer to the same prompt, as a JSON array (.json) or a record a line (.jsonl, .ndjson). A record is
/// a whole pair (instruction, input, harmful, harmless), or one side of a pair: any record of training data, of text or of tokens, whose
/// <c>pool</c> is harmful or harmless and whose <c>index</c> is that of the pair's other side. Pairs are counted as they begin in the file.
/// </summary>
public sealed class PairReader
{
    private const string Expected =
        "instruction, input (optional), harmful and harmless, or a side of a pair with pool (harmful, harmless) and index";

    private static readonly string[] SideNames = ["harmless", "harmful"];
    private readonly string source;
    private readonly SampleForm form;
    private readonly SampleBuilder builder;
    private readonly FieldCensus ofPairs = new(["instruction", "input", "harmful", "harmless"]);
    private readonly FieldCensus ofSides = new();
    private readonly List<Pair> pairs = [];
    private readonly Dictionary<int, Pair> byIndex = [];
    private int otherPools;

    private PairReader(string source, SampleForm form)
    {
        (this.source, this.form) = (source, form);
        builder = form.Builder();
    }

    /// <summary>Reads a file of pairs.</summary>
    /// <returns>
    /// As many samples of either side, those of a pair at the same place. A pair is left out where one of its sides has no label that the
    /// other side has not too. What there is to say of the file stands with the harmless sides.
    /// </returns>
    /// <exception cref="InputException">The file cannot be read, is not in one of these forms, a side is missing, or nothing is left.</exception>
    public static (SampleSet Harmless, SampleSet Harmful) Read(string path, SampleForm form)
    {
        (ReadOnlyMemory<byte> content, DataForm fileForm) = DataFile.Read(path, "pairs", orText: false);
        return Parse(content, path, fileForm, form);
    }

    internal static (SampleSet Harmless, SampleSet Harmful) Parse(
        ReadOnlyMemory<byte> utf8, string source, DataForm fileForm, SampleForm form)
    {
        var reader = new PairReader(source, form);
        DataFile.EachItem(utf8, source, fileForm, "record", reader.Add);
        return reader.Finish();
    }

    private void Add(JsonElement record, string where)
    {
        JsonRecord.RequireObject(record, where);
        bool isWhole = SideNames.Any(name => JsonRecord.Optional(record, name) is not null);
        if (isWhole || JsonRecord.Optional(record, "pool") is null) AddPair(record, where);
        else AddSide(record, where);
    }

    private void AddPair(JsonElement record, string where)
    {
        ofPairs.Add(record);
        string[] fields = ["instruction", .. SideNames];
        string[] texts = [.. fields.Select(field => JsonRecord.Optional(record, field) is null
            ? throw RecordForms.Missing(record, field, where, Expected)
            : JsonRecord.RequiredText(record, field, where))];
        string input = JsonRecord.OptionalText(record, "input", where) ?? "";
        var pair = new Pair(where, Index: null);
        for (int side = 0; side < SideNames.Length; side++)
            pair.Sides[side] = new Side(builder.Build(new AlpacaRecord(texts[0], input, texts[side + 1])));
        pairs.Add(pair);
    }

    private void AddSide(JsonElement record, string where)
    {
        int side = Array.IndexOf(SideNames, JsonRecord.RequiredText(record, "pool", where));
        if (side < 0)
        {
            otherPools++;
            return;
        }
        ofSides.Add(record);
        int index = JsonRecord.Integer(
            JsonRecord.Optional(record, "index") ?? throw RecordForms.Missing(record, "index", where, Expected), "index", where);
        if (!byIndex.TryGetValue(index, out Pair? pair)) pairs.Add(byIndex[index] = pair = new Pair(where, index));
        if (pair.Sides[side] is not null)
            throw new InputException($"{where}: a second {SideNames[side]} record of index {index}: expected one of each side");
        Sample? sample = SampleReader.ReadRecord(record, where, builder, form.Tokenizer.VocabularySize);
        if (sample is { PartLengths.Count: > 1 })
            throw new InputException($"{where}: {sample.PartLengths.Count} sequences in one record: expected one, as the side of a pair");
        pair.Sides[side] = new Side(sample);
    }

    private (SampleSet Harmless, SampleSet Harmful) Finish()
    {
        foreach (Pair pair in pairs)
        {
            int missing = Array.IndexOf(pair.Sides, null);
            if (missing >= 0)
                throw new InputException($"{pair.Where}: no {SideNames[missing]} record has its index {pair.Index}: expected both sides of a pair");
        }
        int[] kept = [.. pairs.Index().Where(static pair => pair.Item.Counts).Select(static pair => pair.Index)];
        if (pairs.Count == 0) throw new InputException($"{source}: no pairs: expected at least one");
        if (kept.Length == 0)
        {
            throw new InputException(
                $"{source}: none of its {pairs.Count} pairs has a label left on both sides: expected longer answers that differ, or a larger maximal length");
        }
        List<Sample> all = [.. pairs.SelectMany(static pair => pair.Sides).Select(static side => side!.Sample).OfType<Sample>()];
        IEnumerable<string> notices = [.. ofPairs.Notices(), .. ofSides.Notices(), .. SampleReader.NoticesOf(all, "sides", builder, form), .. OwnNotices()];
        SampleSet SetOf(int side) =>
            new([.. kept.Select(index => pairs[index].Sides[side]!.Sample!)], pairs.Count - kept.Length, source, kept) { OfPairs = true };
        return (SetOf(0) with { Notices = [.. notices.Select(notice => $"{source}: {notice}")] }, SetOf(1));
    }

    private IEnumerable<string> OwnNotices()
    {
        if (otherPools > 0)
            yield return FormattableString.Invariant($"records of other pools than harmful and harmless, which are not used: {otherPools}");
        int unlike = pairs.Count(static pair => pair is { Index: not null, HasOnePrompt: false });
        if (unlike > 0) yield return FormattableString.Invariant($"pairs whose sides do not begin with the same prompt: {unlike} of {pairs.Count}");
    }

    /// <summary>One side, read; without a sample if no label was left in it.</summary>
    private sealed record Side(Sample? Sample)
    {
        public IEnumerable<int> Prompt => Sample!.InputIds.Take(Array.FindIndex(Sample.Labels, static label => label != Data.Sample.IgnoredLabel));
    }

    /// <summary>A pair, whose sides may stand far from each other in the file.</summary>
    private sealed record Pair(string Where, int? Index)
    {
        public Side?[] Sides { get; } = new Side?[SideNames.Length];

        public bool Counts => Sides is [{ Sample: { } harmless }, { Sample: { } harmful }]
            && PairMask.LabelCount(harmless, harmful) > 0 && PairMask.LabelCount(harmful, harmless) > 0;

        public bool HasOnePrompt => !Counts || Sides[0]!.Prompt.SequenceEqual(Sides[1]!.Prompt);
    }
}
