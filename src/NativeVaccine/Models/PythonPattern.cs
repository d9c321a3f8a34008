using System.Text.RegularExpressions;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// A regular expression of Python's, as adapter_config.json holds them. Matching takes time linear in the text. What .NET reads otherwise
/// than Python, or cannot match in linear time, is refused.
/// </summary>
internal sealed class PythonPattern
{
    private const int LongestPattern = 4096;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    // {,n} is literal text in .NET, [a-[b]] takes classes apart there, and the others exist in only one of the two.
    private static readonly string[] ReadOtherwise = ["{,", "-[", "\\Z", "\\z", "\\p", "\\P", "\\G", "\\c", "\\e", "(?n", "(?<", "(?'"];

    private readonly Regex regex;
    private readonly string where;

    private PythonPattern(string pattern, string source, string where)
    {
        this.where = where;
        Text = source;
        if (source.Length > LongestPattern) throw Refusal(where, source, $"of at most {LongestPattern} characters");
        if (ReadOtherwise.FirstOrDefault(part => source.Contains(part, StringComparison.Ordinal)) is { } part)
            throw Refusal(where, source, $"without {part}");
        try
        {
            // A named group is written (?P<name>...) in Python.
            string ours = pattern.Replace("(?P<", "(?<", StringComparison.Ordinal);
            regex = new Regex(ours, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Timeout);
        }
        catch (NotSupportedException)
        {
            throw Refusal(where, source, "without backreferences, lookaround and very large repetitions");
        }
        catch (ArgumentException)
        {
            throw Refusal(where, source, "that is well-formed");
        }
    }

    /// <summary>As the file has it.</summary>
    public string Text { get; }

    /// <summary>Python's re.fullmatch.</summary>
    public static PythonPattern Full(string pattern, string where) => new($@"\A(?:{pattern})\z", pattern, where);

    /// <summary>peft's get_pattern_key: the whole path, or its end after a dot.</summary>
    public static PythonPattern End(string pattern, string where) => new($@"\A(?:.*\.)?(?:{pattern})\z", pattern, where);

    /// <summary>peft's layers_pattern: the name of the list that a number follows in the path.</summary>
    public static PythonPattern Layer(string pattern, string where) =>
        new($@"\A(?:.*\.{pattern}\.[0-9]+\.)", pattern, where);

    /// <summary>True if the path matches.</summary>
    /// <exception cref="InputException">It takes too long.</exception>
    public bool IsMatch(string path)
    {
        try
        {
            return regex.IsMatch(path);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new InputException($"{where}: the regular expression takes too long");
        }
    }

    private static InputException Refusal(string where, string pattern, string expected) =>
        new($"{where}: {InputText.Quote(pattern)}: expected a regular expression {expected}");
}
