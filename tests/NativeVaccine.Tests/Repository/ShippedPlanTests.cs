using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NativeVaccine.Tests.Cli;

namespace NativeVaccine.Tests.Repository;

/// <summary>The plans under experiments/ are read, and have as many cells as their list says.</summary>
public sealed partial class ShippedPlanTests : IDisposable
{
    private static readonly string Plans = Path.Combine(Fixtures.RepositoryRoot, "experiments");
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("plans-");

    public static TheoryData<string> Names => [.. Directory.GetFiles(Plans, "*.json").Select(static plan => Path.GetFileNameWithoutExtension(plan))];

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void ItsGridCanBeMade(string name)
    {
        string text = File.ReadAllText(Path.Combine(Plans, $"{name}.json"));
        string plan = Path.Combine(folder.FullName, $"{name}.json");
        File.WriteAllText(plan, text);
        foreach (Match file in Named().Matches(text))
        {
            string path = Path.Combine(folder.FullName, file.Value);
            if (path.EndsWith(".json", StringComparison.Ordinal))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.WriteAllText(path, "[]");
            }
            else
            {
                Directory.CreateDirectory(path);
            }
        }
        string output = Path.Combine(folder.FullName, "out");
        CommandLine.Succeed("experiment", "jobs", plan, "--out", output, "--file", Path.Combine(folder.FullName, "jobs.txt"));
        int cells = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "experiment.json")))!["cells"]!.AsArray().Count;
        string listed = File.ReadAllLines(Path.Combine(Plans, "README.md")).Single(line => line.StartsWith($"| [{name}]", StringComparison.Ordinal));
        Assert.EndsWith($" | {cells} |", listed, StringComparison.Ordinal);
    }

    [GeneratedRegex("files/[A-Za-z0-9.-]+")]
    private static partial Regex Named();
}
