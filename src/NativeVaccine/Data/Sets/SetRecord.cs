using System.Globalization;
using System.Text.Json;
using NativeVaccine.Data.Sources;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sets;

/// <summary>The fields of a data set's record, read with what the set's published files hold in them.</summary>
/// <param name="source">The record.</param>
/// <param name="expected">The fields that the set has, for messages.</param>
internal sealed class SetRecord(SourceRecord source, string expected)
{
    /// <summary>File and line, or row.</summary>
    public string Where => source.Where;

    /// <summary>Whether a field is there and not null.</summary>
    public bool Has(string field) => JsonRecord.Optional(source.Value, field) is not null;

    /// <summary>A text that must be there.</summary>
    /// <exception cref="InputException">It is missing, null, or no text.</exception>
    public string Text(string field) => JsonRecord.Optional(source.Value, field) is { } value
        ? TextOf(value, field)
        : throw RecordForms.Missing(source.Value, field, Where, expected);

    /// <summary>A text whose field must be there, but may be null: nobody gave that answer.</summary>
    /// <exception cref="InputException">The field is missing, or no text.</exception>
    public string? Answer(string field) => source.Value.TryGetProperty(field, out JsonElement value)
        ? value.ValueKind == JsonValueKind.Null ? null : TextOf(value, field)
        : throw RecordForms.Missing(source.Value, field, Where, expected);

    /// <summary>A text that need not be there.</summary>
    /// <exception cref="InputException">It is no text.</exception>
    public string? OptionalText(string field) => JsonRecord.Optional(source.Value, field) is { } value ? TextOf(value, field) : null;

    /// <summary>A name or a number as one, or the <see cref="Names"/>; none where there is no such field.</summary>
    public IReadOnlyList<string> NameOrNames(string field) => JsonRecord.Optional(source.Value, field) is { } value ? JsonRecord.NameOrNames(value) : [];

    /// <summary>What is said of a field that is not there.</summary>
    public InputException Missing(string field) => RecordForms.Missing(source.Value, field, Where, expected);

    /// <summary>A text in an object: <c>prompt.text</c>.</summary>
    /// <exception cref="InputException">It is missing, or no text.</exception>
    public string? Answer(string field, string inner)
    {
        JsonElement parent = Value(field);
        if (parent.ValueKind != JsonValueKind.Object || !parent.TryGetProperty(inner, out JsonElement value))
            throw new InputException($"{Where}: field '{field}' is {JsonRecord.Describe(parent)} without '{inner}': expected {expected}");
        return value.ValueKind == JsonValueKind.Null ? null : TextOf(value, $"{field}.{inner}");
    }

    /// <summary>A value that must be there.</summary>
    /// <exception cref="InputException">It is missing or null.</exception>
    public JsonElement Value(string field) =>
        JsonRecord.Optional(source.Value, field) ?? throw RecordForms.Missing(source.Value, field, Where, expected);

    /// <summary>true or false, as such, as 0 and 1, or as text, as tables have it.</summary>
    /// <exception cref="InputException">It is missing, or something else.</exception>
    public bool Flag(string field)
    {
        JsonElement value = Value(field);
        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number or JsonValueKind.String when TextOf(value, field).ToLowerInvariant() is { } word && word is "0" or "1" or "true" or "false" =>
                word is "1" or "true",
            _ => throw new InputException($"{Where}: field '{field}' is {JsonRecord.Describe(value)}: expected true or false"),
        };
    }

    /// <summary>The names of those flags of an object that are set, or the names and numbers of a list; none where there is no such field.</summary>
    public IReadOnlyList<string> Names(string field) => JsonRecord.Optional(source.Value, field) is { } value ? JsonRecord.Names(value) : [];

    /// <summary>
    /// One of the set's classes: by its number, or by its name, for which the file's own list of names goes before our numbers.
    /// </summary>
    /// <param name="field">The field.</param>
    /// <param name="classes">The names of the set's classes in the order of their numbers, each also by other names.</param>
    /// <returns>The name; null where the record has no label (null, nothing, or -1, as test splits have it).</returns>
    /// <exception cref="InputException">The field is missing, or none of the classes.</exception>
    public string? Class(string field, params string[][] classes)
    {
        if (Answer(field) is not { Length: > 0 } text) return null;
        bool isNumber = decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number);
        if (isNumber && number == -1) return null;
        string[]? declared = source.ClassNames?.GetValueOrDefault(field);
        if (isNumber && declared is not null && number == decimal.Floor(number) && number >= 0 && number < declared.Length
            && !decimal.TryParse(declared[(int)number], out _))
            return Named(declared[(int)number], classes) ?? throw Wrong(FormattableString.Invariant($"{number} ({declared[(int)number]})"));
        if (isNumber && number == decimal.Floor(number) && number >= 0 && number < classes.Length) return classes[(int)number][0];
        return Named(text, classes) ?? throw Wrong(InputText.Shorten(text));

        InputException Wrong(string found)
        {
            string known = string.Join(", ", classes.Select(static (names, index) => FormattableString.Invariant($"{index} ({names[0]})")));
            return new InputException($"{Where}: field '{field}' is {found}: expected {known}");
        }
    }

    private string TextOf(JsonElement value, string field) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        // A column whose records differ in kind may hold an answer of 4 as a number.
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => throw new InputException($"{Where}: field '{field}' is {JsonRecord.Describe(value)}: expected text"),
    };

    private static string? Named(string name, string[][] classes) =>
        classes.FirstOrDefault(names => names.Contains(name.Trim(), StringComparer.OrdinalIgnoreCase))?[0];
}
