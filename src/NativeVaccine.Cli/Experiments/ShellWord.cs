using System.Text.RegularExpressions;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Words of a command line for a POSIX shell.</summary>
internal static partial class ShellWord
{
    /// <summary>The word as a shell takes it for one, in quotation marks where it needs them.</summary>
    public static string Quoted(string word) => Plain().IsMatch(word) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    [GeneratedRegex(@"^[A-Za-z0-9_@%+=:,./-]+$")]
    private static partial Regex Plain();
}
