using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads answers that were given before: records of instruction, input (optional) and output as a JSON array (.json) or one a line
/// (.jsonl, .ndjson), or the result of an evaluation, an object whose <c>samples</c> are such records. Where the name has no suffix, the
/// content tells.
/// </summary>
public static class AnswerFile
{
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
        // A result that a program wrote in one line looks like JSON lines where no name tells.
        bool mayBeResult = form == DataForm.Array || !JsonFile.Lines(utf8).Skip(1).Any();
        if (mayBeResult && utf8.Span.TrimStart(" \t\r\n"u8).StartsWith("{"u8) && TryReadResult(utf8, source, Take)) return answers;
        DataFile.EachItem(utf8, source, form, "record", Take);
        return answers.Count > 0 ? answers : throw new InputException($"{source}: no answers: expected at least one");

        void Take(JsonElement item, string where)
        {
            JsonRecord.RequireObject(item, where);
            answers.Add(AlpacaRecord.Read(item, where, outputRequired: true));
        }
    }

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
