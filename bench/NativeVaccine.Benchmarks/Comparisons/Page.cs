using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using NativeVaccine.Engine;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>A page of results in Markdown, as bench/results/ keeps it. Rows go to the error stream too as they come.</summary>
internal sealed class Page
{
    private readonly List<string> lines = [];

    public Page(string title, string command)
    {
        lines.AddRange([$"# {title}", "", "```", command, "```", "", Machine(), ""]);
    }

    public void Say(string paragraph) => lines.AddRange([paragraph, ""]);

    public void Heading(string text) => lines.AddRange([$"## {text}", ""]);

    /// <summary>Begins a table; the first column is text, the others are numbers.</summary>
    public void Table(params string[] header)
    {
        Add(header);
        lines.Add("|---|" + string.Concat(Enumerable.Repeat("---:|", header.Length - 1)));
    }

    public void Row(params string[] cells) => Add(cells);

    public void EndTable() => lines.Add("");

    /// <summary>Prints the page to the standard output.</summary>
    public void Print() => Console.WriteLine(string.Join('\n', lines).TrimEnd());

    private void Add(string[] cells)
    {
        string line = $"| {string.Join(" | ", cells)} |";
        lines.Add(line);
        Console.Error.WriteLine(line);
    }

    private static string Machine()
    {
        string load = File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
        string? version = typeof(Device).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        return Invariant($"{ProcessorName()}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription.Trim()}; ")
            + Invariant($"{RuntimeInformation.FrameworkDescription}; NativeVaccine {version}; ")
            + $"{DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC; load average at the start {load}.";
    }

    private static string ProcessorName()
    {
        const string Information = "/proc/cpuinfo";
        string? line = File.Exists(Information)
            ? File.ReadLines(Information).FirstOrDefault(static each => each.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
