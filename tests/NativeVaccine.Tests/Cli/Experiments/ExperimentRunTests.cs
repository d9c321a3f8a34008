using System.Text.Json.Nodes;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>An experiment from its plan to its table: sharing, skipping, failing, stopping.</summary>
public sealed class ExperimentRunTests : IDisposable
{
    private readonly SmallExperiment small = new();

    public void Dispose() => small.Dispose();

    [Fact]
    public void EveryCellIsDoneAndWorkIsShared()
    {
        CommandResult result = small.Run();
        Assert.True(result.ExitCode == 0, result.Error);
        JsonNode results = JsonNode.Parse(File.ReadAllText(Path.Combine(small.Out, "results.json")))!;
        JsonArray cells = results["cells"]!.AsArray();
        Assert.Equal(3 * 2 * 2, cells.Count);
        Assert.All(cells, static cell => Assert.Equal("done", (string)cell!["state"]!));
        // Two seeds and two methods; the ratio is the attack's.
        Assert.Equal(4, Directory.GetDirectories(Path.Combine(small.Out, "runs"), "align-*").Length);
        Assert.Equal(12, Directory.GetDirectories(Path.Combine(small.Out, "runs"), "attack-*").Length);
        Assert.Equal(4, Directory.GetFiles(Path.Combine(small.Out, "data"), "mix-*").Length);
        Assert.Contains("Vaccine", File.ReadAllText(Path.Combine(small.Out, "results.md")), StringComparison.Ordinal);
        Assert.Contains("Vaccine", File.ReadAllText(Path.Combine(small.Out, "report.html")), StringComparison.Ordinal);
        Assert.Equal(1 + 12, File.ReadLines(Path.Combine(small.Out, "results.csv")).Count());
        foreach (JsonNode? cell in cells)
        {
            JsonNode numbers = cell!["numbers"]!;
            Assert.Equal(100, (double)numbers["refused"]! + (double)numbers["answered"]! + (double)numbers["degenerate"]!, 1e-9);
            Assert.True(numbers.AsObject().ContainsKey("steps_to_half"));
            Assert.Equal((string)cell["settings"]!["method"]! == "none", numbers["align_flops"] is null);
        }
    }

    [Fact]
    public void ASecondRunDoesNothingAgain()
    {
        Assert.Equal(0, small.Run().ExitCode);
        int begun = small.Begun();
        string before = small.Results();
        CommandResult again = small.Run();
        Assert.Equal(0, again.ExitCode);
        Assert.Contains("12 of 12 cells were done before", again.Error, StringComparison.Ordinal);
        Assert.Equal(begun, small.Begun());
        Assert.Equal(before, small.Results());
    }

    [Fact]
    public void AChangedOptionRedoesWhatDependsOnItAlone()
    {
        small.Plan["axes"]!["seed"] = new JsonArray(1);
        Assert.Equal(0, small.Run().ExitCode);
        int begun = small.Begun();
        small.Plan["arms"]![2]!["rho"] = 3;
        Assert.Equal(0, small.Run().ExitCode);
        // Vaccine's alignment and its look, and for two ratios an attack and its look.
        Assert.Equal(begun + 6, small.Begun());
        small.Plan["all"] = new JsonObject { ["threads"] = 1 };
        Assert.Equal(0, small.Run().ExitCode);
        Assert.Equal(begun + 6, small.Begun());
        File.WriteAllText(small.FileAt("questions.json"), """["why ?", "what now ?"]""");
        Assert.Equal(0, small.Run().ExitCode);
        // All attacks ask these questions, too; alignments and mixtures stay. Three looks before, six attacks, six looks after.
        Assert.Equal(begun + 6 + 15, small.Begun());
    }

    [Fact]
    public void ABrokenCellIsNamedAndStopsNoOther()
    {
        small.Plan["arms"]![2]!["lora_targets"] = "no_proj";
        CommandResult result = small.Run();
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Vaccine poison_ratio=0 seed=1: FAILED: align: error: ", result.Error, StringComparison.Ordinal);
        JsonArray cells = JsonNode.Parse(File.ReadAllText(Path.Combine(small.Out, "results.json")))!["cells"]!.AsArray();
        Assert.Equal(4, cells.Count(static cell => (string)cell!["state"]! == "failed"));
        Assert.Equal(8, cells.Count(static cell => (string)cell!["state"]! == "done"));
        Assert.Contains("no_proj", (string)cells.First(static cell => (string)cell!["state"]! == "failed")!["error"]!, StringComparison.Ordinal);
        int begun = small.Begun();
        Assert.Equal(1, small.Run().ExitCode);
        Assert.Equal(begun + 2, small.Begun()); // one more try for each of the two alignments
    }

    [Fact]
    public void StoppedAtAnyPointItEndsWithTheSameTable()
    {
        small.Plan["axes"]!["seed"] = new JsonArray(1);
        string whole = small.FileAt("whole");
        Assert.Equal(0, small.Run(output: whole).ExitCode);
        int stops = 0;
        for (int milliseconds = 150; ; milliseconds += 250)
        {
            using var source = new CancellationTokenSource();
            // A thread of its own: the pool's timers may be late where other tests keep it busy.
            int pause = milliseconds;
            var stopper = new Thread(() =>
            {
                Thread.Sleep(pause);
                source.Cancel();
            });
            stopper.Start();
            CommandResult result = small.Run(cancellation: source.Token);
            stopper.Join();
            if (result.ExitCode == 0) break;
            Assert.Equal(130, result.ExitCode);
            stops++;
        }
        Assert.True(stops > 0);
        Assert.Equal(small.Results(whole).Replace(whole, small.Out, StringComparison.Ordinal), small.Results());
    }

    [Fact]
    public void SeveralProcessesShareTheWork()
    {
        string plan = small.PlanFile;
        CommandResult[] results = new CommandResult[2];
        Parallel.For(0, 2, i => results[i] = CommandLine.Run("experiment", "run", plan, "--out", small.Out));
        Assert.All(results, static result => Assert.True(result.ExitCode == 0, result.Error));
        // 4 mixtures, 4 alignments, 6 looks before (2 of the bare model are one), 12 attacks, 12 looks.
        Assert.Equal(4 + 4 + 5 + 12 + 12, small.Begun());
    }

    [Fact]
    public void CellsCanBeDoneOneByOne()
    {
        string jobs = small.FileAt("jobs.txt");
        CommandLine.Succeed("experiment", "jobs", small.PlanFile, "--out", small.Out, "--file", jobs);
        string[] lines = File.ReadAllLines(jobs);
        Assert.Equal(12, lines.Length);
        Assert.EndsWith($"experiment cell {small.Out} 3", lines[3], StringComparison.Ordinal);
        CommandLine.Succeed("experiment", "cell", small.Out, "3");
        JsonNode status = JsonNode.Parse(CommandLine.Succeed("experiment", "status", small.Out, "--json", "-").Output)!;
        Assert.Equal((1, 11), ((int)status["done"]!, (int)status["waiting"]!));
        CommandLine.Succeed("experiment", "jobs", small.PlanFile, "--out", small.Out, "--file", jobs);
        Assert.Equal(11, File.ReadAllLines(jobs).Length);
        Assert.Contains("there is no cell 12: expected 0 to 11", CommandLine.Run("experiment", "cell", small.Out, "12").ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatItTakesIsSaidBefore()
    {
        string[] lines = small.Run().Error.Split('\n');
        Assert.StartsWith("plan: 12 cells, ", lines[0], StringComparison.Ordinal);
        Assert.Matches("^a training run takes up to [0-9.]+ MiB$", lines[1]);
        Assert.Matches("^training takes up to [0-9]+ s on this machine, by a measured step of each kind of run$", lines[2]);
    }

    [Fact]
    public void CellsThatDoNotFitAreNamedBefore()
    {
        small.Plan["all"] = new JsonObject { ["device_memory"] = "1MiB" };
        CommandResult result = small.Run();
        Assert.Equal(1, result.ExitCode);
        Assert.Matches("DOES NOT FIT: [0-9.]+ MiB at least, and there are 1.00 MiB: align of 4 cells, the first is SFT poison_ratio=0 seed=1", result.Error);
        Assert.Matches("MAY NOT FIT: [0-9.]+ MiB for the longest samples, and there are 1.00 MiB: finetune of 12 cells, the first is none", result.Error);
    }
}
