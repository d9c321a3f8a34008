using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Counts the fields of records that nothing reads. What is known to change nothing is passed over; all else is named, since a field that
/// is not known may have been meant to change what is learnt.
/// </summary>
/// <param name="read">The fields that are read.</param>
/// <param name="readsShareGpt">Whether ShareGPT's conversations are, where there are no messages.</param>
internal sealed class FieldCensus(HashSet<string> read, bool readsShareGpt = false)
{
    private const int MostNamed = 8;

    private static readonly HashSet<string> OfTraining =
        ["instruction", "input", "output", "input_ids", "labels", "attention_mask", "position_ids", "pool", "messages", "completion"];

    /// <summary>Names, numbers and sources of records, and what can be computed from the tokens.</summary>
    private static readonly HashSet<string> Harmless =
    [
        "id", "_id", "idx", "index", "uid", "uuid", "source", "dataset", "datasplit", "split", "generator", "category", "topic", "url",
        "title", "length", "num_tokens", "text", "is_safe", "lang", "language", "date", "prompt", "verdict",
    ];

    /// <summary>Earlier turns and instructions of LLaMA-Factory's form of Alpaca records.</summary>
    private static readonly string[] OfConversations = ["system", "history"];

    private static readonly string[] Lists = ["messages", "prompt", "completion"];
    private static readonly string[] OfMessages = ["role", "content"];
    private static readonly string[] OfShareGpt = ["from", "value"];

    private readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
    private int conversations;

    /// <summary>A census of records of training data.</summary>
    public FieldCensus(bool readsShareGpt = false)
        : this(OfTraining, readsShareGpt)
    {
    }

    /// <summary>Looks at a record.</summary>
    public void Add(JsonElement record)
    {
        bool isConversation = false;
        bool isShareGpt = readsShareGpt && JsonRecord.Optional(record, "messages") is null;
        foreach (string list in Lists) AddMessages(record, list, OfMessages);
        if (isShareGpt) AddMessages(record, "conversations", OfShareGpt);
        foreach (JsonProperty property in record.EnumerateObject())
        {
            if (read.Contains(property.Name) || Harmless.Contains(property.Name) || IsEmpty(property.Value)) continue;
            if (isShareGpt && property.Name == "conversations") continue;
            if (OfConversations.Contains(property.Name)) isConversation = true;
            else counts[property.Name] = counts.GetValueOrDefault(property.Name) + 1;
        }
        if (isConversation) conversations++;
    }

    /// <summary>Messages have fields too: tool calls, thoughts, names.</summary>
    private void AddMessages(JsonElement record, string list, string[] fields)
    {
        if (!record.TryGetProperty(list, out JsonElement messages) || messages.ValueKind != JsonValueKind.Array) return;
        IEnumerable<string> unused = messages.EnumerateArray().Where(static message => message.ValueKind == JsonValueKind.Object)
            .SelectMany(static message => message.EnumerateObject())
            .Where(field => !fields.Contains(field.Name) && !IsEmpty(field.Value))
            .Select(static field => field.Name).Distinct();
        foreach (string name in unused) counts[$"{list}.{name}"] = counts.GetValueOrDefault($"{list}.{name}") + 1;
    }

    /// <summary>What was found, in lines.</summary>
    public IEnumerable<string> Notices()
    {
        if (conversations > 0) yield return $"{Records(conversations)} a system or history, which are not used";
        if (counts.Count == 0) yield break;
        string more = counts.Count > MostNamed ? ", ..." : "";
        IEnumerable<string> names =
            counts.Take(MostNamed).Select(static field => $"{InputText.Shorten(field.Key)} ({field.Value})");
        yield return $"fields that are not used, with the records that have them: {string.Join(", ", names)}{more}";
    }

    private static string Records(int count) => count == 1 ? "1 record has" : string.Create(CultureInfo.InvariantCulture, $"{count} records have");

    /// <summary>Says nothing: null, "", [], {}, or zeros alone, as in token_type_ids of one text.</summary>
    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.ValueEquals(""),
        JsonValueKind.Array => value.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.Number && item.GetRawText() == "0"),
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };
}
