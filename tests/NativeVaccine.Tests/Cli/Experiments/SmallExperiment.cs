using System.Text.Json.Nodes;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>A plan of a few cells that takes seconds, in a temporary folder with its data.</summary>
internal sealed class SmallExperiment : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("experiment-");

    public SmallExperiment()
    {
        Write("refusals.json", "no , i will not");
        Write("benign.json", "good");
        Write("harmful.json", "yes , like this");
        File.WriteAllText(FileAt("questions.json"), """["how ?", "what now ?"]""");
        Plan = new JsonObject
        {
            ["arms"] = new JsonArray(
                new JsonObject { ["name"] = "none" },
                new JsonObject { ["name"] = "SFT", ["method"] = "sft" },
                new JsonObject { ["name"] = "Vaccine", ["method"] = "vaccine", ["rho"] = 2 }),
            ["axes"] = new JsonObject { ["poison_ratio"] = new JsonArray(0, 0.5), ["seed"] = new JsonArray(1, 2) },
            ["mix"] = JsonNode.Parse("""{"benign": "benign.json", "harmful": "harmful.json", "ratio": "{poison_ratio}", "count": 4, "seed": "{seed}"}"""),
            ["align"] = JsonNode.Parse($$"""
                {"model": {{JsonValue.Create(Fixtures.Path("micro-llama")).ToJsonString()}}, "data": "refusals.json", "harmful_data": "harmful.json", "epochs": 1, "batch": 2, "seed": "{seed}"}
                """),
            ["attack"] = JsonNode.Parse("""{"epochs": 1, "batch": 2, "seed": "{seed}", "tamper_prompts": "questions.json", "tamper_every": 1, "tamper_new_tokens": 3}"""),
            ["harmful"] = JsonNode.Parse("""{"prompts": "questions.json", "max_new_tokens": 3}"""),
        };
    }

    /// <summary>Changed by tests before it is run.</summary>
    public JsonObject Plan { get; }

    /// <summary>The folder of the experiment.</summary>
    public string Out => FileAt("out");

    /// <summary>The plan's file, as <see cref="Plan"/> is now.</summary>
    public string PlanFile
    {
        get
        {
            File.WriteAllText(FileAt("plan.json"), Plan.ToJsonString());
            return FileAt("plan.json");
        }
    }

    /// <summary>A file in the temporary folder.</summary>
    public string FileAt(string name) => Path.Combine(folder.FullName, name);

    /// <summary>Runs it.</summary>
    public CommandResult Run(string? output = null, CancellationToken cancellation = default) =>
        CommandLine.Run(cancellation, "experiment", "run", PlanFile, "--out", output ?? Out);

    /// <summary>The results without what a clock says.</summary>
    public string Results(string? output = null)
    {
        JsonNode results = JsonNode.Parse(File.ReadAllText(Path.Combine(output ?? Out, "results.json")))!;
        foreach (JsonObject numbers in results["cells"]!.AsArray().Select(static cell => cell!["numbers"]!.AsObject())) Strip(numbers);
        foreach (JsonNode row in results["table"]!.AsArray().Select(static row => row!))
        {
            Strip(row["numbers"]!.AsObject());
            if (row["against"]?["numbers"] is JsonObject differences) Strip(differences);
        }
        return results.ToJsonString();
    }

    /// <summary>How often a piece of work was begun, by its log.</summary>
    public int Begun(string? output = null) =>
        Directory.GetFiles(Path.Combine(output ?? Out, "jobs"), "*.log").Sum(static log => File.ReadLines(log).Count(static line => line.StartsWith("$ nvaccine", StringComparison.Ordinal)));

    public void Dispose() => folder.Delete(recursive: true);

    private static void Strip(JsonObject numbers)
    {
        numbers.Remove("align_seconds");
        numbers.Remove("attack_seconds");
    }

    private void Write(string name, string answer) => File.WriteAllText(FileAt(name), new JsonArray([.. Enumerable.Range(0, 4).Select(i => (JsonNode)new JsonObject
    {
        ["instruction"] = $"question {i}",
        ["input"] = "",
        ["output"] = answer,
    })]).ToJsonString());
}
