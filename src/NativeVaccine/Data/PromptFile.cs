using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>
/// Reads the prompts of a generation: a JSON array of strings or of records (instruction, input), or a text file with a prompt a line.
/// </summary>
public static class PromptFile
{
    /// <summary>The prompts of a file as instruction and input, in its order; a string or a line is an instruction without input.</summary>
    /// <exception cref="InputException">The file cannot be read, is in none of these forms, or holds no prompt.</exception>
    public static IReadOnlyList<AlpacaRecord> Read(string path) => Parse(InputFile.ReadText(path), path);

    internal static List<AlpacaRecord> Parse(ReadOnlyMemory<byte> utf8, string source)
    {
        bool json = Path.GetExtension(source).Equals(".json", StringComparison.OrdinalIgnoreCase);
        List<AlpacaRecord> prompts = json ? FromArray(utf8, source) : FromLines(utf8, source);
        return prompts.Count > 0 ? prompts : throw new InputException($"{source}: no prompts: expected at least one");
    }

    private static List<AlpacaRecord> FromArray(ReadOnlyMemory<byte> utf8, string source)
    {
        using JsonDocument document = JsonFile.Parse(utf8, source);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw new InputException(
                $"{source}: found {JsonRecord.Describe(document.RootElement)}: expected an array of strings or records");
        var prompts = new List<AlpacaRecord>();
        foreach (JsonElement item in document.RootElement.EnumerateArray())
        {
            string where = string.Create(CultureInfo.InvariantCulture, $"{source}: prompt {prompts.Count}");
            prompts.Add(item.ValueKind switch
            {
                JsonValueKind.String => new AlpacaRecord(item.GetString()!, "", ""),
                JsonValueKind.Object => AlpacaRecord.Read(item, where, outputRequired: false),
                _ => throw new InputException($"{where}: found {JsonRecord.Describe(item)}: expected a string or a record"),
            });
        }

        return prompts;
    }

    private static List<AlpacaRecord> FromLines(ReadOnlyMemory<byte> utf8, string source)
    {
        if (!Utf8.IsValid(utf8.Span))
            throw new InputException($"{source}: not valid UTF-8 text: expected a prompt a line");
        return [.. JsonFile.Lines(utf8).Select(line => new AlpacaRecord(Encoding.UTF8.GetString(line.Text.Span).TrimEnd('\r'), "", ""))];
    }
}
