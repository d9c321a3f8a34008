using System.Text.Json;

namespace NativeVaccine.Data.Sources;

/// <summary>The names of classes that datasets writes beside its columns: <c>{"info": {"features": {"label": {"names": [...]}}}}</c>.</summary>
internal static class ClassLabels
{
    private const string Key = "huggingface";

    /// <summary>The names by column; none where the file has none that can be read.</summary>
    public static Dictionary<string, string[]> Read(IReadOnlyDictionary<string, string> metadata)
    {
        var names = new Dictionary<string, string[]>();
        if (!metadata.TryGetValue(Key, out string? text)) return names;
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            if (Field(Field(document.RootElement, "info"), "features") is not { ValueKind: JsonValueKind.Object } features) return names;
            foreach (JsonProperty feature in features.EnumerateObject())
            {
                if (Field(feature.Value, "names") is { ValueKind: JsonValueKind.Array } list
                    && list.EnumerateArray().All(static name => name.ValueKind == JsonValueKind.String))
                    names[feature.Name] = [.. list.EnumerateArray().Select(static name => name.GetString()!)];
            }
        }
        catch (JsonException)
        {
            // Other programs may write what they like under this key; labels are then numbers without names.
        }
        return names;
    }

    private static JsonElement? Field(JsonElement? value, string name) =>
        value is { ValueKind: JsonValueKind.Object } parent && parent.TryGetProperty(name, out JsonElement field) ? field : null;
}
