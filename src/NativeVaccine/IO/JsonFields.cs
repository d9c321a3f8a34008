using System.Globalization;
using System.Text.Json;

namespace NativeVaccine.IO;

/// <summary>
/// The fields of one JSON object, read with their expected kind and range. A field that is <c>null</c> counts as missing. Every
/// refusal names the file, the field, what was found and what was expected.
/// </summary>
/// <param name="File">The path, for messages.</param>
/// <param name="Element">The object, from <see cref="JsonFile"/>.</param>
/// <param name="Prefix">Where in the file the object lies, for messages: "" or "rope_scaling.".</param>
public readonly record struct JsonFields(string File, JsonElement Element, string Prefix = "")
{
    /// <summary>True if the field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>The value, or null if it is missing or null.</summary>
    public JsonElement? Find(string name) =>
        Element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A whole number within the range (3 and 3.0 both count); <paramref name="fallback"/> if missing.</summary>
    public int WholeNumber(string name, int minimum, int maximum, int? fallback = null)
    {
        if (Find(name) is not { } value)
            return fallback ?? throw Missing(name, Range(minimum, maximum));
        return WholeNumber(value, name, minimum, maximum);
    }

    /// <summary>The same for an element of a list, which <paramref name="name"/> only describes.</summary>
    public int WholeNumber(JsonElement value, string name, int minimum, int maximum)
    {
        bool isWhole = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number == Math.Floor(number)
            && number >= minimum && number <= maximum;
        return isWhole ? (int)value.GetDouble() : throw Wrong(name, value, Range(minimum, maximum));
    }

    /// <summary>A finite number for which <paramref name="isAllowed"/> holds; <paramref name="fallback"/> if missing.</summary>
    public double Number(string name, Func<double, bool> isAllowed, string expected, double? fallback = null)
    {
        if (Find(name) is not { } value) return fallback ?? throw Missing(name, expected);
        bool isGood = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            && isAllowed(number);
        return isGood ? value.GetDouble() : throw Wrong(name, value, expected);
    }

    /// <summary>true or false; <paramref name="fallback"/> if missing.</summary>
    public bool Boolean(string name, bool fallback)
    {
        if (Find(name) is not { } value) return fallback;
        bool isBoolean = value.ValueKind is JsonValueKind.True or JsonValueKind.False;
        return isBoolean ? value.GetBoolean() : throw Wrong(name, value, "true or false");
    }

    /// <summary>A string, or null if missing.</summary>
    public string? Text(string name)
    {
        if (Find(name) is not { } value) return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(name, value, "a string");
    }

    /// <summary>A list of strings, or null if missing.</summary>
    public IReadOnlyList<string>? Texts(string name)
    {
        if (Find(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(static item => item.ValueKind != JsonValueKind.String))
            throw Wrong(name, value, "a list of strings");
        return [.. value.EnumerateArray().Select(static item => item.GetString()!)];
    }

    /// <summary>The fields of an object inside this one, or null if missing.</summary>
    public JsonFields? Fields(string name)
    {
        if (Find(name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Object) throw Wrong(name, value, "an object");
        return new JsonFields(File, value, $"{Prefix}{name}.");
    }

    /// <summary>The refusal of a value that is there.</summary>
    public InputException Wrong(string name, JsonElement value, string expected) =>
        Wrong(name, InputText.Shorten(JsonText.Compact(value)), expected);

    /// <summary>The refusal of a value that is there, in other words than its own.</summary>
    public InputException Wrong(string name, string found, string expected) =>
        new($"{File}: {Prefix}{name} is {found}; expected {expected}");

    /// <summary>The refusal of a field that is not there.</summary>
    public InputException Missing(string name, string expected) =>
        new($"{File}: {Prefix}{name} is {JsonRecord.Absence(Element, name)}; expected {expected}");

    private static string Range(int minimum, int maximum) =>
        string.Create(CultureInfo.InvariantCulture, $"a whole number from {minimum} to {maximum}");
}
