using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NativeVaccine.Cli.Experiments;

/// <summary><c>{name}</c> or <c>{name.field}</c> in the texts of a plan.</summary>
internal static partial class Placeholder
{
    /// <summary>The names that a value asks for, without fields.</summary>
    public static IEnumerable<string> NamesIn(JsonNode value) => value switch
    {
        JsonObject all => all.Select(static field => field.Value).OfType<JsonNode>().SelectMany(NamesIn),
        JsonArray all => all.OfType<JsonNode>().SelectMany(NamesIn),
        JsonValue one when one.TryGetValue(out string? text) => Form().Matches(text).Select(static match => match.Groups[1].Value),
        _ => [],
    };

    /// <summary>The value with what the placeholders stand for: a text that is nothing but one becomes its value, of whatever kind.</summary>
    /// <param name="value">A text, number, truth value, or a list of these.</param>
    /// <param name="named">What names stand for.</param>
    /// <param name="refusal">Makes the exception for a name that stands for nothing.</param>
    public static JsonNode Fill(JsonNode value, IReadOnlyDictionary<string, JsonNode> named, Func<string, InputException> refusal)
    {
        if (value is JsonArray list) return new JsonArray([.. list.Select(item => item is null ? null : Fill(item, named, refusal))]);
        if (value is not JsonValue one || !one.TryGetValue(out string? text)) return value.DeepClone();
        if (Form().Match(text) is { Success: true } whole && whole.Length == text.Length) return Find(whole, named, refusal).DeepClone();
        return Form().Replace(text, match => Find(match, named, refusal) is var found && found is JsonValue simple && simple.TryGetValue(out string? words)
            ? words
            : found.ToJsonString());
    }

    private static JsonNode Find(Match match, IReadOnlyDictionary<string, JsonNode> named, Func<string, InputException> refusal)
    {
        string name = match.Groups[1].Value;
        if (!named.TryGetValue(name, out JsonNode? value))
            throw refusal($"{match.Value} stands for nothing: expected one of {string.Join(", ", named.Keys.Select(static key => $"{{{key}}}"))}");
        if (!match.Groups[2].Success) return Axis.LabelOf(value);
        string field = match.Groups[2].Value;
        return (value as JsonObject)?[field] ?? throw refusal($"{match.Value} stands for nothing: {name}'s value {value.ToJsonString()} has no '{field}'");
    }

    [GeneratedRegex(@"\{([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?\}")]
    private static partial Regex Form();
}
