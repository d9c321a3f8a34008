using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Chat;

/// <summary>Reads a form of conversations from JSON: prefixes and suffixes of the messages of each role.</summary>
internal static class ChatFormReader
{
    private static readonly string[] OfAForm =
    [
        "begin", "system", "user", "assistant", "generation", "default_system", "system_in", "trim", "alternates", "system_first",
        "skips_empty_system", "end",
    ];

    private static readonly string[] OfAKnownForm = [.. OfAForm, "name", "thinks", "refused", "fingerprints"];

    /// <summary>Reads a form.</summary>
    /// <param name="json">An object.</param>
    /// <param name="where">The file, for messages.</param>
    /// <param name="isKnown">True for what this program brings, which has fields more.</param>
    /// <exception cref="InputException">A field is missing, wrong or not known.</exception>
    public static ChatForm Read(JsonElement json, string where, bool isKnown = false)
    {
        JsonRecord.RequireObject(json, where);
        RequireKnown(json, isKnown ? OfAKnownForm : OfAForm, where);
        return new ChatForm
        {
            Name = JsonRecord.OptionalText(json, "name", where) ?? "of a JSON file",
            Begin = JsonRecord.OptionalText(json, "begin", where) ?? "",
            System = JsonRecord.Optional(json, "system") is { } system ? Turn(system, $"{where}: system") : null,
            User = Turn(JsonRecord.Required(json, "user", where), $"{where}: user"),
            Assistant = Turn(JsonRecord.Required(json, "assistant", where), $"{where}: assistant"),
            Generation = JsonRecord.OptionalText(json, "generation", where),
            DefaultSystem = JsonRecord.OptionalText(json, "default_system", where),
            SystemIn = Word(json, "system_in", where, ("own-turn", SystemPlace.OwnTurn), ("first-user", SystemPlace.FirstUser), ("last-user", SystemPlace.LastUser)),
            Trim = Word(
                json, "trim", where, ("none", ChatTrim.None), ("messages", ChatTrim.Messages), ("said", ChatTrim.Said), ("turns", ChatTrim.Turns)),
            Alternates = Flag(json, "alternates", where),
            SystemFirst = Flag(json, "system_first", where),
            SkipsEmptySystem = Flag(json, "skips_empty_system", where),
            End = JsonRecord.OptionalText(json, "end", where) ?? "",
            Thinks = Flag(json, "thinks", where),
            Refused = JsonRecord.OptionalText(json, "refused", where),
        };
    }

    private static ChatTurn Turn(JsonElement json, string where)
    {
        JsonRecord.RequireObject(json, where);
        RequireKnown(json, ["prefix", "suffix"], where);
        return new ChatTurn(JsonRecord.OptionalText(json, "prefix", where) ?? "", JsonRecord.OptionalText(json, "suffix", where) ?? "");
    }

    private static void RequireKnown(JsonElement json, string[] names, string where)
    {
        foreach (JsonProperty field in json.EnumerateObject())
        {
            if (!names.Contains(field.Name))
                throw new InputException($"{where}: field '{InputText.Shorten(field.Name)}' is not known: expected {string.Join(", ", names)}");
        }
    }

    private static bool Flag(JsonElement json, string name, string where) => JsonRecord.Optional(json, name) switch
    {
        null or { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        { } value => throw new InputException($"{where}: field '{name}' is {JsonRecord.Describe(value)}: expected true or false"),
    };

    private static T Word<T>(JsonElement json, string name, string where, params (string Word, T Value)[] words)
    {
        if (JsonRecord.OptionalText(json, name, where) is not { } given) return words[0].Value;
        foreach ((string word, T value) in words)
        {
            if (word == given) return value;
        }
        throw new InputException(
            $"{where}: field '{name}' is '{InputText.Shorten(given)}': expected {string.Join(", ", words.Select(static each => each.Word))}");
    }
}
