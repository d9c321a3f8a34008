using System.Text.Json;

namespace NativeVaccine.IO;

/// <summary>
/// Fields of records and lists, of which a file has many: <c>where</c> says which one (file and line, or file and index). For the single
/// object of a configuration file see <see cref="JsonFields"/>.
/// </summary>
internal static class JsonRecord
{
    private const int LongestNumber = 100;

    /// <summary>A field of a record, or null when it is absent or null.</summary>
    public static JsonElement? Optional(JsonElement record, string field) =>
        record.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>True for what says nothing: null, false, an empty text, list or object, and the number that changes nothing.</summary>
    /// <param name="value">The value.</param>
    /// <param name="neutral">That number; NaN where every number says something.</param>
    public static bool IsUnset(JsonElement value, double neutral = double.NaN) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.ValueEquals(""),
        JsonValueKind.Number => value.TryGetDouble(out double number) && number == neutral,
        _ => false,
    };

    /// <summary>In what way a field is not there: "null" or "missing".</summary>
    public static string Absence(JsonElement record, string field) => record.TryGetProperty(field, out _) ? "null" : "missing";

    /// <summary>A field of a record that must be there.</summary>
    public static JsonElement Required(JsonElement record, string field, string where) =>
        Optional(record, field) ?? throw new InputException($"{where}: field '{field}' is {Absence(record, field)}");

    /// <summary>A text field of a record, or null when it is absent or null.</summary>
    public static string? OptionalText(JsonElement record, string field, string where) =>
        Optional(record, field) is { } value ? Text(value, field, where) : null;

    /// <summary>A text field of a record that must be there.</summary>
    public static string RequiredText(JsonElement record, string field, string where) => Text(Required(record, field, where), field, where);

    /// <summary>A name or a number as one, or <see cref="Names"/>; none of an empty text.</summary>
    public static IReadOnlyList<string> NameOrNames(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String when value.ValueEquals("") => [],
        JsonValueKind.String or JsonValueKind.Number => [value.ToString()],
        _ => Names(value),
    };

    /// <summary>The names of those flags of an object that are set, or the names and numbers of a list; none of anything else.</summary>
    public static IReadOnlyList<string> Names(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object =>
            [.. value.EnumerateObject().Where(static flag => flag.Value.ValueKind == JsonValueKind.True).Select(static flag => flag.Name)],
        JsonValueKind.Array => [.. value.EnumerateArray().Where(static name => name.ValueKind is JsonValueKind.String or JsonValueKind.Number)
            .Select(static name => name.ToString())],
        _ => [],
    };

    /// <summary>A whole number.</summary>
    public static int Integer(JsonElement value, string field, string where) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw new InputException($"{where}: field '{field}' is {Describe(value)}: expected a whole number");

    /// <summary>The whole numbers of an array.</summary>
    public static int[] Integers(JsonElement value, string field, string where)
    {
        if (value.ValueKind != JsonValueKind.Array)
            throw new InputException($"{where}: field '{field}' is {Describe(value)}: expected an array of whole numbers");
        int[] numbers = new int[value.GetArrayLength()];
        int count = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out numbers[count]))
                throw new InputException($"{where}: field '{field}'[{count}] is {Describe(item)}: expected a whole number");
            count++;
        }

        return numbers;
    }

    /// <summary>Refuses anything but a JSON object.</summary>
    public static void RequireObject(JsonElement value, string where)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new InputException($"{where}: found {Describe(value)}: expected an object");
    }

    /// <summary>What a value is, for a message: its kind, and its text where that is short.</summary>
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        _ => value.GetRawText() is { Length: <= LongestNumber } text ? text : "a long number",
    };

    private static string Text(JsonElement value, string field, string where) =>
        value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new InputException($"{where}: field '{field}' is {Describe(value)}: expected a string");
}
