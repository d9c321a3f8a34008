using System.Text.Json;
using NativeVaccine.Chat;
using NativeVaccine.IO;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Data;

/// <summary>Training sequences as read from a file.</summary>
/// <param name="Samples">The sequences, in the order of the file; each has at least one label that counts.</param>
/// <param name="Dropped">How many records were left out because no label was left in them.</param>
/// <param name="Source">The file, and the pool where one was chosen.</param>
/// <param name="Records">The record each sequence came from, from 0, counted among the chosen ones.</param>
public sealed record SampleSet(IReadOnlyList<Sample> Samples, int Dropped, string Source, IReadOnlyList<int> Records)
{
    /// <summary>How many records were chosen.</summary>
    public int RecordCount => Samples.Count + Dropped;

    /// <summary>
    /// These samples and the first ones of another set, of which nothing after the last one taken counts. The other's record i is record
    /// <see cref="RecordCount"/> + i.
    /// </summary>
    public SampleSet Append(SampleSet other, int count)
    {
        int taken = Math.Min(count, other.Samples.Count);
        Sample[] samples = [.. Samples, .. other.Samples.Take(taken)];
        return this with
        {
            Samples = samples,
            Records = [.. Records, .. other.Records.Take(taken).Select(record => RecordCount + record)],
            Dropped = RecordCount + other.Records[taken - 1] + 1 - samples.Length,
        };
    }

    /// <summary>What a user should know of them, a line each; the dropped ones are not among it.</summary>
    public IReadOnlyList<string> Notices { get; init; } = [];

    /// <summary>True if each is a side of a pair, and the other side is in a set of its own.</summary>
    public bool OfPairs { get; init; }

    /// <summary>How many there are, and how many were left out: "18 samples (2 without a label left are not used)".</summary>
    public string Summary
    {
        get
        {
            string dropped = Dropped == 0 ? "" : $" ({Dropped} without a label left{(OfPairs ? " on both sides" : "")} are not used)";
            return $"{Samples.Count} {(OfPairs ? "pairs" : "samples")}{dropped}";
        }
    }

    /// <summary>Two sets: all but every so many samples, and these.</summary>
    /// <exception cref="InputException">There are not so many.</exception>
    internal (SampleSet Others, SampleSet Kept) Split(int every)
    {
        if (Samples.Count < every)
            throw new InputException($"{Source}: {Samples.Count} samples, of which one in {every} is held out; expected at least {every}");
        return (Where(index => (index + 1) % every != 0), Where(index => (index + 1) % every == 0));

        SampleSet Where(Func<int, bool> isIn)
        {
            int[] chosen = [.. Enumerable.Range(0, Samples.Count).Where(isIn)];
            return this with { Samples = [.. chosen.Select(index => Samples[index])], Records = [.. chosen.Select(index => Records[index])] };
        }
    }
}

/// <summary>How records become sequences.</summary>
/// <param name="Tokenizer">Turns text into tokens and bounds the ids of ready ones.</param>
/// <param name="Template">Makes the prompt of a record.</param>
/// <param name="MaxLength">Longer sequences are cut on the right to this many tokens.</param>
public sealed record SampleForm(Tokenizer Tokenizer, PromptTemplate Template, int MaxLength)
{
    /// <summary>How many positions the model was made for; longer sequences are told.</summary>
    public int Positions { get; init; } = int.MaxValue;

    /// <summary>Tells of an answer's text whether it refuses, for <see cref="Sample.Refuses"/>; null where nobody asks.</summary>
    public Func<string, bool>? IsRefusal { get; init; }

    /// <summary>Which tokens of records of text carry labels.</summary>
    public LabelScope Labels { get; init; }

    /// <summary>A builder of samples of this form.</summary>
    internal SampleBuilder Builder() => new(Tokenizer, Template, MaxLength, Labels) { IsRefusal = IsRefusal };
}

/// <summary>
/// Reads training data: records with instruction, input and output, with messages, or with prompt and completion, as a JSON array (.json) or
/// a record a line (.jsonl, .ndjson), and records of ready tokens (input_ids, labels, attention_mask, position_ids) likewise. Where the name has no suffix, the content tells.
/// Other fields are not used; a notice names them.
/// </summary>
public static class SampleReader
{
    private const char PoolMark = '#';

    /// <summary>Reads a file of training data.</summary>
    /// <param name="path">
    /// The file. A <c>#name</c> at its end chooses the records whose field <c>pool</c> has that name, unless a file of the whole
    /// name exists.
    /// </param>
    /// <param name="form">How its records become sequences.</param>
    /// <param name="pool">Chooses the records of this pool; null for all.</param>
    /// <exception cref="InputException">The file cannot be read, is not in one of these forms, or nothing is left of it.</exception>
    public static SampleSet Read(string path, SampleForm form, string? pool = null)
    {
        int mark = path.LastIndexOf(PoolMark);
        if (pool is null && mark > 0 && !File.Exists(path))
            (path, pool) = (path[..mark], path[(mark + 1)..]);
        (ReadOnlyMemory<byte> content, DataForm fileForm) = DataFile.Read(path, "records", orText: false);
        return Parse(content, path, fileForm, form, pool);
    }

    internal static SampleSet Parse(ReadOnlyMemory<byte> utf8, string source, DataForm fileForm, SampleForm form, string? pool)
    {
        SampleBuilder builder = form.Builder();
        var census = new FieldCensus();
        var samples = new List<Sample>();
        var records = new List<int>();
        int chosen = 0;
        string chosenSource = pool is null ? source : $"{source}{PoolMark}{pool}";

        DataFile.EachItem(utf8, source, fileForm, "record", (record, where) =>
        {
            JsonRecord.RequireObject(record, where);
            if (pool is not null && JsonRecord.OptionalText(record, "pool", where) != pool)
                return;
            census.Add(record);
            if (ReadRecord(record, where, builder, form.Tokenizer.VocabularySize) is { } sample)
            {
                samples.Add(sample);
                records.Add(chosen);
            }

            chosen++;
        });

        if (chosen == 0)
            throw new InputException($"{chosenSource}: no records: expected at least one");
        if (samples.Count == 0)
            throw new InputException(
                $"{chosenSource}: none of its {chosen} records has a label left: expected longer outputs, or a larger maximal length");
        IEnumerable<string> notices = [.. census.Notices(), .. NoticesOf(samples, "samples", builder, form)];
        return new SampleSet(samples, chosen - samples.Count, chosenSource, records)
        {
            Notices = [.. notices.Select(notice => $"{chosenSource}: {notice}")],
        };
    }

    /// <summary>What making samples of records told.</summary>
    internal static IEnumerable<string> NoticesOf(List<Sample> samples, string what, SampleBuilder builder, SampleForm form)
    {
        string Of(int count) => FormattableString.Invariant($"{count} of {samples.Count} {what}");
        if (builder.CutCount > 0)
            yield return $"{Of(builder.CutCount)} are longer than {form.MaxLength} tokens and cut there (--max-length), so their end is not learnt";
        if (builder.EndlessCount > 0)
            yield return $"{Of(builder.EndlessCount)} have no end to learn: {(form.Template is ChatTemplate ? "the chat template" : "the tokenizer")} names no end token";
        if (builder.PlainCount > 0)
            yield return $"{Of(builder.PlainCount)} are a prompt and a completion, which are taken as they are, without the template";
        if (builder.SpecialTextCount > 0)
            yield return $"{Of(builder.SpecialTextCount)} hold the text of special tokens; it is taken as text";
        int beyond = samples.Count(sample => sample.LongestPart > form.Positions);
        if (beyond > 0)
        {
            int longest = samples.Max(static sample => sample.LongestPart);
            yield return $"{Of(beyond)} take more positions than the {form.Positions} that the model was made for; the longest takes {longest}";
        }
    }

    /// <summary>The sample of a record of text or of tokens; null if no label is left in it.</summary>
    internal static Sample? ReadRecord(JsonElement record, string where, SampleBuilder builder, int vocabularySize)
    {
        if (JsonRecord.Optional(record, "input_ids") is not null) return builder.Build(TokenRecord.Read(record, where, vocabularySize));
        if (JsonRecord.Optional(record, "instruction") is null)
        {
            if (JsonRecord.Optional(record, "messages") is { } messages)
                return Build(new Conversation(ChatMessage.ReadList(messages, $"{where}: messages")));
            if (JsonRecord.Optional(record, "prompt") is { } prompt && JsonRecord.Optional(record, "completion") is { } completion)
                return ReadCompletion(prompt, completion);
        }
        return builder.Build(AlpacaRecord.Read(record, where, outputRequired: true));

        Sample? ReadCompletion(JsonElement prompt, JsonElement completion)
        {
            if (prompt.ValueKind == JsonValueKind.String && completion.ValueKind == JsonValueKind.String)
                return builder.BuildPlain(prompt.GetString()!, completion.GetString()!);
            if (prompt.ValueKind != JsonValueKind.Array || completion.ValueKind != JsonValueKind.Array)
            {
                throw new InputException(
                    $"{where}: prompt is {JsonRecord.Describe(prompt)} and completion {JsonRecord.Describe(completion)}: expected two texts, or two lists of messages");
            }
            List<ChatMessage> asked = ChatMessage.ReadList(prompt, $"{where}: prompt");
            return Build(new Conversation([.. asked, .. ChatMessage.ReadList(completion, $"{where}: completion")], asked.Count));
        }

        Sample? Build(Conversation conversation)
        {
            try
            {
                return builder.Build(conversation);
            }
            catch (InputException exception)
            {
                throw new InputException($"{where}: {exception.Message}", exception);
            }
        }
    }
}
