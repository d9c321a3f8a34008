using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads answers that were given before: records of instruction, input (optional) and output as a JSON array (.json) or one a line
/// (.jsonl, .ndjson), or the result of an evaluation, an object whose <c>samples</c> are such records. Where the name has no suffix, the
/// content tells. A text with the score at the end, as the reference programs write it, is passed over.
/// </summary>
public static class AnswerFile
{
    /// <summary>What the reference programs write behind the records: a text with the score.</summary>
    private static readonly string[] ScoreMarks = ["score=", "final  score:"];

    /// <summary>The answers of a file, in its order.</summary>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no answer.</exception>
    public static IReadOnlyList<AlpacaRecord> Read(string path)
    {
        (ReadOnlyMemory<byte> content, DataForm form) = DataFile.Read(path, "records", orText: false);
        return Parse(content, path, form);
    }

    internal static List<AlpacaRecord> Parse(ReadOnlyMemory<byte> utf8, string source, DataForm form)
    {
        var answers = new List<AlpacaRecord>();
        EachRecord(utf8, source, form, (item, where) => answers.Add(AlpacaRecord.Read(item, where, outputRequired: true)));
        return answers.Count > 0 ? answers : throw new InputException($"{source}: no answers: expected at least one");
    }

    /// <summary>Goes through the records of a file, which are objects.</summary>
    /// <exception cref="InputException">The file cannot be read, or is in none of these forms.</exception>
    internal static void EachRecord(string path, Action<JsonElement, string> take)
    {
        (ReadOnlyMemory<byte> content, DataForm form) = DataFile.Read(path, "records", orText: false);
        EachRecord(content, path, form, take);
    }

    private static void EachRecord(ReadOnlyMemory<byte> utf8, string source, DataForm form, Action<JsonElement, string> take)
    {
        // A result that a program wrote in one line looks like JSON lines where no name tells.
        bool mayBeResult = form == DataForm.Array || !JsonFile.Lines(utf8).Skip(1).Any();
        if (mayBeResult && utf8.Span.TrimStart(" \t\r\n"u8).StartsWith("{"u8) && TryReadResult(utf8, source, Take)) return;
        DataFile.EachItem(utf8, source, form, "record", Take);

        void Take(JsonElement item, string where)
        {
            if (item.ValueKind == JsonValueKind.String && IsScore(item.GetString()!)) return;
            JsonRecord.RequireObject(item, where);
            take(item, where);
        }
    }

    private static bool IsScore(string text) => ScoreMarks.Any(mark => text.StartsWith(mark, StringComparison.Ordinal));

    private static bool TryReadResult(ReadOnlyMemory<byte> utf8, string source, Action<JsonElement, string> take)
    {
        using JsonDocument document = JsonFile.Parse(utf8, source);
        if (JsonRecord.Optional(document.RootElement, "samples") is not { ValueKind: JsonValueKind.Array } samples
            || samples.GetArrayLength() == 0) return false;
        int index = 0;
        foreach (JsonElement sample in samples.EnumerateArray()) take(sample, FormattableString.Invariant($"{source}: samples[{index++}]"));
        return true;
    }
}
