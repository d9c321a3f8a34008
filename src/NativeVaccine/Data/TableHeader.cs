using System.Text.RegularExpressions;

namespace NativeVaccine.Data;

/// <summary>Recognises the first line of a table (CSV, TSV) by the names that data sets of the field give their columns.</summary>
internal static partial class TableHeader
{
    private static readonly HashSet<string> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        "instruction", "instructions", "input", "output", "prompt", "prompts", "question", "questions", "answer", "answers", "goal", "target",
        "behavior", "behaviour", "response", "completion", "text", "label", "category", "query", "context", "chosen", "rejected", "id", "index",
    };

    /// <summary>True for names without spaces, one of which is known; a single word, only if it is known.</summary>
    public static bool Is(string line) =>
        Columns().Match(line.Trim()) is { Success: true } match
        && match.Groups["name"].Captures.Any(static name => Names.Contains(name.Value));

    [GeneratedRegex("""^"?(?<name>[A-Za-z_]\w*)"?([,;\t|]"?(?<name>[A-Za-z_]\w*)"?)*$""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Columns();
}
