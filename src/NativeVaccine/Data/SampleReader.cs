using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Data;

/// <summary>Training sequences as read from a file.</summary>
/// <param name="Samples">The sequences, in the order of the file; each has at least one label that counts.</param>
/// <param name="Dropped">How many records were left out because no label was left in them.</param>
/// <param name="Source">The file, and the pool where one was chosen.</param>
/// <param name="Records">The record each sequence came from, from 0, counted among the chosen ones.</param>
public sealed record SampleSet(IReadOnlyList<Sample> Samples, int Dropped, string Source, IReadOnlyList<int> Records);

/// <summary>
/// Reads training data: records with instruction, input and output as a JSON array (.json) or a record a line (.jsonl), and records
/// of ready tokens (input_ids, labels) likewise. Fields it does not know are ignored.
/// </summary>
public static class SampleReader
{
    private const char PoolMark = '#';

    /// <summary>Reads a file of training data.</summary>
    /// <param name="path">
    /// The file. A <c>#name</c> at its end chooses the records whose field <c>pool</c> has that name, unless a file of the whole
    /// name exists.
    /// </param>
    /// <param name="tokenizer">Turns text into tokens and bounds the ids of ready ones.</param>
    /// <param name="template">Makes the prompt of a record.</param>
    /// <param name="maxLength">Longer sequences are cut on the right to this many tokens.</param>
    /// <param name="pool">Chooses the records of this pool; null for all.</param>
    /// <exception cref="InputException">The file cannot be read, is not in one of these forms, or nothing is left of it.</exception>
    public static SampleSet Read(string path, Tokenizer tokenizer, PromptTemplate template, int maxLength, string? pool = null)
    {
        int mark = path.LastIndexOf(PoolMark);
        if (pool is null && mark > 0 && !File.Exists(path))
            (path, pool) = (path[..mark], path[(mark + 1)..]);
        bool linewise = Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".JSONL" => true,
            ".JSON" => false,
            _ => throw new InputException(
                $"{path}: unknown kind of data: expected .json (an array of records) or .jsonl (a record a line)"),
        };
        var builder = new SampleBuilder(tokenizer, template, maxLength);
        return Parse(InputFile.ReadText(path), path, linewise, builder, tokenizer.VocabularySize, pool);
    }

    internal static SampleSet Parse(
        ReadOnlyMemory<byte> utf8, string source, bool linewise, SampleBuilder builder, int vocabularySize, string? pool)
    {
        var samples = new List<Sample>();
        var records = new List<int>();
        int chosen = 0;
        string chosenSource = pool is null ? source : $"{source}{PoolMark}{pool}";

        void Take(JsonElement record, string where)
        {
            JsonRecord.RequireObject(record, where);
            if (pool is not null && JsonRecord.OptionalText(record, "pool", where) != pool)
                return;
            if (ReadRecord(record, where, builder, vocabularySize) is { } sample)
            {
                samples.Add(sample);
                records.Add(chosen);
            }

            chosen++;
        }

        if (linewise)
            EachLine(utf8, source, Take);
        else
            EachItem(utf8, source, Take);

        if (chosen == 0)
            throw new InputException($"{chosenSource}: no records: expected at least one");
        if (samples.Count == 0)
            throw new InputException(
                $"{chosenSource}: none of its {chosen} records has a label left: expected longer outputs, or a larger maximal length");
        return new SampleSet(samples, chosen - samples.Count, chosenSource, records);
    }

    private static void EachLine(ReadOnlyMemory<byte> utf8, string source, Action<JsonElement, string> take)
    {
        foreach ((int number, ReadOnlyMemory<byte> text) in JsonFile.Lines(utf8))
        {
            using JsonDocument document = JsonFile.Parse(text, source, number);
            take(document.RootElement, string.Create(CultureInfo.InvariantCulture, $"{source}:{number}"));
        }
    }

    private static void EachItem(ReadOnlyMemory<byte> utf8, string source, Action<JsonElement, string> take)
    {
        using JsonDocument document = JsonFile.Parse(utf8, source);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw new InputException($"{source}: found {JsonRecord.Describe(document.RootElement)}: expected an array of records");
        int index = 0;
        foreach (JsonElement record in document.RootElement.EnumerateArray())
            take(record, string.Create(CultureInfo.InvariantCulture, $"{source}: record {index++}"));
    }

    private static Sample? ReadRecord(JsonElement record, string where, SampleBuilder builder, int vocabularySize)
    {
        if (JsonRecord.Optional(record, "input_ids") is not { } ids)
            return builder.Build(AlpacaRecord.Read(record, where, outputRequired: true));

        int[] inputIds = JsonRecord.Integers(ids, "input_ids", where);
        int[] labels = JsonRecord.Integers(JsonRecord.Required(record, "labels", where), "labels", where);
        if (labels.Length != inputIds.Length)
            throw new InputException($"{where}: {inputIds.Length} input_ids but {labels.Length} labels: expected equally many");
        RequireInVocabulary(inputIds, "input_ids", where, vocabularySize, ignoredAllowed: false);
        RequireInVocabulary(labels, "labels", where, vocabularySize, ignoredAllowed: true);
        return builder.Trim(inputIds, labels);
    }

    private static void RequireInVocabulary(int[] ids, string field, string where, int vocabularySize, bool ignoredAllowed)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)vocabularySize && !(ignoredAllowed && ids[i] == Sample.IgnoredLabel))
                throw new InputException($"{where}: field '{field}'[{i}] is {ids[i]}: expected a token id from 0 to {vocabularySize - 1}");
        }
    }
}
