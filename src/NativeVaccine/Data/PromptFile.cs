using System.Text.Json;
using NativeVaccine.Chat;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads the prompts of a generation: strings or records (instruction and input, or messages) as a JSON array (.json) or one a line
/// (.jsonl, .ndjson), or a text file with a prompt a line. Where the name has no suffix, the content tells.
/// </summary>
public static class PromptFile
{
    /// <summary>The prompts of a file as instruction and input, in its order; a string or a line is an instruction without input.</summary>
    /// <param name="path">The file.</param>
    /// <param name="notice">Told, in a line each, which fields of its records are not used, and how many blank lines.</param>
    /// <param name="mayBeEmpty">Whether a string or a record may say nothing.</param>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no prompt.</exception>
    public static IReadOnlyList<AlpacaRecord> Read(string path, Action<string>? notice = null, bool mayBeEmpty = false)
    {
        (ReadOnlyMemory<byte> content, DataForm form) = DataFile.Read(path, "prompts", orText: true);
        return Parse(content, path, form, notice, mayBeEmpty);
    }

    internal static List<AlpacaRecord> Parse(
        ReadOnlyMemory<byte> utf8, string source, DataForm form, Action<string>? notice = null, bool mayBeEmpty = false)
    {
        void Say(string line) => notice?.Invoke($"{source}: {line}");
        var prompts = new List<AlpacaRecord>();
        var census = new FieldCensus();
        if (form == DataForm.TextLines)
            prompts.AddRange(DataFile.TextLines(utf8, source, Say).Select(static line => new AlpacaRecord(line, "", "")));
        else
            DataFile.EachItem(utf8, source, form, "prompt", (item, where) =>
            {
                prompts.Add(FromJson(item, where, mayBeEmpty));
                if (item.ValueKind == JsonValueKind.Object) census.Add(item);
            });
        foreach (string line in census.Notices()) Say(line);
        return prompts.Count > 0 ? prompts : throw new InputException($"{source}: no prompts: expected at least one");
    }

    private static AlpacaRecord FromMessages(JsonElement record, JsonElement list, string where)
    {
        List<ChatMessage> messages = ChatMessage.ReadList(list, $"{where}: messages");
        return messages[^1].Role == ChatMessage.User
            ? new AlpacaRecord(messages[^1].Content, "", "") { Earlier = messages[..^1], Categories = AlpacaRecord.CategoriesOf(record) }
            : throw new InputException($"{where}: messages end with the {messages[^1].Role}'s: expected a user's, which the model is to answer");
    }

    private static AlpacaRecord FromJson(JsonElement item, string where, bool mayBeEmpty)
    {
        AlpacaRecord prompt = item.ValueKind switch
        {
            JsonValueKind.String => new AlpacaRecord(item.GetString()!, "", ""),
            JsonValueKind.Object when JsonRecord.Optional(item, "instruction") is null && JsonRecord.Optional(item, "messages") is { } messages =>
                FromMessages(item, messages, where),
            JsonValueKind.Object => AlpacaRecord.Read(item, where, outputRequired: false),
            _ => throw new InputException($"{where}: found {JsonRecord.Describe(item)}: expected a string or a record"),
        };
        return !mayBeEmpty && string.IsNullOrWhiteSpace(prompt.Instruction) && string.IsNullOrWhiteSpace(prompt.Input)
            ? throw new InputException($"{where}: the prompt is empty: expected text")
            : prompt;
    }
}
