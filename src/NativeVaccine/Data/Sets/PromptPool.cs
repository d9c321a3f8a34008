using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Chat;
using NativeVaccine.Data.Sources;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sets;

/// <summary>The prompts and records of another pool, and how many of ours are among them.</summary>
/// <param name="path">The pool's file or folder.</param>
internal sealed class PromptPool(string path)
{
    private readonly HashSet<UInt128> prompts = [];
    private readonly HashSet<UInt128> records = [];
    private readonly HashSet<UInt128> sharedPrompts = [];
    private long read;
    private long unread;
    private long withSharedPrompt;
    private long sharedRecords;

    /// <summary>Reads a pool: training records, prompts, or the files of the same data set.</summary>
    /// <param name="path">Its file or folder.</param>
    /// <param name="options">The data set of its files; null where they are training records or prompts.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="notice">Told in a line what a user should know.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="InputException">It cannot be read, or holds nothing that is a prompt.</exception>
    public static PromptPool Read(
        string path, ConversionOptions? options, Action<double, string> progress, Action<string> notice, CancellationToken cancellation)
    {
        var pool = new PromptPool(path);
        foreach (SourceRecord record in RecordSource.Open(path, split: null, notice).Read(progress))
        {
            cancellation.ThrowIfCancellationRequested();
            pool.read++;
            if (PromptOf(record, options, pool.read - 1) is not { } found)
            {
                pool.unread++;
                continue;
            }
            pool.prompts.Add(TextHash.Of(found.Prompt));
            pool.records.Add(TextHash.Of(found.Prompt, found.Answer));
        }
        if (pool.prompts.Count == 0) throw new InputException($"{path}: none of its {pool.read} records is a prompt: expected at least one");
        return pool;
    }

    /// <summary>Looks for one of our records.</summary>
    public void Add(UInt128 prompt, UInt128 record)
    {
        if (records.Contains(record)) sharedRecords++;
        if (!prompts.Contains(prompt)) return;
        withSharedPrompt++;
        sharedPrompts.Add(prompt);
    }

    /// <summary>For people.</summary>
    public IEnumerable<string> Lines()
    {
        yield return FormattableString.Invariant(
            $"overlap with {path}: {withSharedPrompt} records have one of its {prompts.Count} prompts ({sharedPrompts.Count} of them), {sharedRecords} also its answer");
        if (unread > 0) yield return FormattableString.Invariant($"{path}: records without a prompt, which were passed over: {unread} of {read}");
    }

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["with"] = path,
        ["records"] = read,
        ["not_fitting"] = unread,
        ["prompts"] = prompts.Count,
        ["shared_prompts"] = sharedPrompts.Count,
        ["records_with_shared_prompt"] = withSharedPrompt,
        ["shared_records"] = sharedRecords,
    };

    private static (string Prompt, string? Answer)? PromptOf(SourceRecord record, ConversionOptions? options, long index)
    {
        if (record.Problem is not null) return null;
        if (record.Value.ValueKind == JsonValueKind.String) return (record.Value.GetString()!, null);
        if (record.Value.ValueKind != JsonValueKind.Object) return null;
        try
        {
            ConvertedRecord converted = IsOurs(record.Value) || options is null ? OfOurs(record) : options.Set.Convert(new SetRecord(record, options.Set.Expected), index, options);
            return (converted.Prompt, converted.Answer);
        }
        catch (InputException)
        {
            return null;  // counted and told
        }
    }

    private static bool IsOurs(JsonElement record) =>
        JsonRecord.Optional(record, "instruction") is not null || JsonRecord.Optional(record, "messages") is not null;

    /// <summary>A training record, a prompt, or a pair, of which the harmless side is the answer.</summary>
    internal static ConvertedRecord OfOurs(SourceRecord record)
    {
        JsonElement value = record.Value;
        if (JsonRecord.Optional(value, "instruction") is null && JsonRecord.Optional(value, "messages") is { } messages)
            return new ConvertedRecord("", "", null) { Messages = ChatMessage.ReadList(messages, $"{record.Where}: messages") };
        if (JsonRecord.Optional(value, "instruction") is null && JsonRecord.Optional(value, "prompt") is { ValueKind: JsonValueKind.String } prompt)
            return new ConvertedRecord(prompt.GetString()!, "", JsonRecord.OptionalText(value, "completion", record.Where));
        AlpacaRecord read = AlpacaRecord.Read(value, record.Where, outputRequired: false);
        string? answer = JsonRecord.OptionalText(value, "output", record.Where) ?? JsonRecord.OptionalText(value, "harmless", record.Where);
        return new ConvertedRecord(read.Instruction, read.Input, answer);
    }
}
