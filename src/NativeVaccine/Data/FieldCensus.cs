using System.Globalization;
using System.Text.Json;

namespace NativeVaccine.Data;

/// <summary>
/// Counts the fields of records that nothing reads. What is known to change nothing is passed over; all else is named, since a field that
/// is not known may have been meant to change what is learnt.
/// </summary>
/// <param name="read">The fields that are read.</param>
internal sealed class FieldCensus(HashSet<string> read)
{
    private const int MostNamed = 8;

    private static readonly HashSet<string> OfTraining =
        ["instruction", "input", "output", "input_ids", "labels", "attention_mask", "position_ids", "pool", "messages", "completion", "conversations"];

    /// <summary>Names, numbers and sources of records, and what can be computed from the tokens.</summary>
    private static readonly HashSet<string> Harmless =
    [
        "id", "_id", "idx", "index", "uid", "uuid", "source", "dataset", "datasplit", "split", "generator", "category", "topic", "url",
        "title", "length", "num_tokens", "text", "is_safe", "lang", "language", "date", "prompt", "verdict",
    ];

    /// <summary>Earlier turns and instructions of LLaMA-Factory's form of Alpaca records.</summary>
    private static readonly string[] OfConversations = ["system", "history"];

    private static readonly string[] Lists = ["messages", "prompt", "completion", "conversations"];

    private readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
    private int conversations;

    /// <summary>A census of records of training data.</summary>
    public FieldCensus()
        : this(OfTraining)
    {
    }

    /// <summary>Looks at a record.</summary>
    public void Add(JsonElement record)
    {
        bool isConversation = false;
        foreach (string list in Lists) AddMessages(record, list);
        foreach (JsonProperty property in record.EnumerateObject())
        {
            if (read.Contains(property.Name) || Harmless.Contains(property.Name) || IsEmpty(property.Value)) continue;
            if (OfConversations.Contains(property.Name)) isConversation = true;
            else counts[property.Name] = counts.GetValueOrDefault(property.Name) + 1;
        }
        if (isConversation) conversations++;
    }

    /// <summary>Messages have fields too: tool calls, thoughts, names.</summary>
    private void AddMessages(JsonElement record, string list)
    {
        if (!record.TryGetProperty(list, out JsonElement messages) || messages.ValueKind != JsonValueKind.Array) return;
        IEnumerable<string> unused = messages.EnumerateArray().Where(static message => message.ValueKind == JsonValueKind.Object)
            .SelectMany(static message => message.EnumerateObject())
            .Where(static field => field.Name is not ("role" or "content" or "from" or "value") && !IsEmpty(field.Value))
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
            counts.Take(MostNamed).Select(static field => $"{IO.InputText.Shorten(field.Key)} ({field.Value})");
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
