using System.Text.Json.Nodes;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Reporting;

/// <summary>The results.json of an experiment.</summary>
public sealed class ExperimentResultsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string ResultsFile => folder.File(ExperimentResults.FileName);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        var results = new ExperimentResults
        {
            Name = "ratio <1>",
            Axes = ["method", "seed"],
            Cells =
            [
                new ExperimentCell
                {
                    Id = "3f9a", Settings = new JsonObject { ["method"] = "T-Vaccine", ["poison_ratio"] = 0.1, ["seed"] = 1 }, State = CellState.Done,
                    AttackRun = "runs/attack-77aa",
                    Numbers = new Dictionary<string, double?> { ["harmful_score"] = 62, ["steps_to_half"] = null },
                },
                new ExperimentCell { Id = "77", Settings = [], State = CellState.Failed, Error = "disk full" },
            ],
            Table =
            [
                new ExperimentRow
                {
                    Settings = [], Seeds = 2, Failed = 1,
                    Numbers = new Dictionary<string, ExperimentMean> { ["harmful_score"] = new() { Mean = 62, Count = 1 } },
                    Against = new ExperimentDifference { Method = "SFT" },
                },
            ],
        };
        results.Write(ResultsFile);
        var read = ExperimentResults.Read(ResultsFile);

        Assert.Equal("ratio <1>", read.Name);
        Assert.Equal("{\"method\":\"T-Vaccine\",\"poison_ratio\":0.1,\"seed\":1}", read.Cells[0].Settings.ToJsonString());
        Assert.Equal(62, read.Cells[0].Numbers["harmful_score"]);
        Assert.True(read.Cells[0].Numbers.TryGetValue("steps_to_half", out double? steps) && steps is null);
        Assert.Equal((CellState.Failed, "disk full"), (read.Cells[1].State, read.Cells[1].Error));
        Assert.Equal(new ExperimentMean { Mean = 62, Count = 1 }, read.Table[0].Numbers["harmful_score"]);
        Assert.Equal("SFT", read.Table[0].Against!.Method);
        results = read;
        string before = File.ReadAllText(ResultsFile);
        results.Write(ResultsFile);
        Assert.Equal(before, File.ReadAllText(ResultsFile));
    }

    [Theory]
    [InlineData("""{"seeds": []}""", ": the top: has no 'name', 'axes', 'cells'; expected the results of an experiment")]
    [InlineData("""{"name": "a", "axes": [], "cells": [null]}""", ": cells: has null in it")]
    [InlineData("""{"name": "a", "axes": [], "cells": [{"id": "1", "settings": {}, "state": "lost"}]}""", ": cells[0].state: the value cannot be used there")]
    [InlineData("""{"name": "a", "axes": [], "cells": [{"id": "1", "settings": null, "state": "done"}]}""", ": cells[0].settings: the value cannot be used there")]
    [InlineData("""{"name": "a", "axes": [], "cells": [], "table": [{"settings": {}, "seeds": 1, "numbers": {"a": null}}]}""", ": table.numbers: has null in it")]
    [InlineData("""{"name": }""", ":1: broken JSON")]
    public void WhatIsNoneIsRefused(string text, string expected)
    {
        File.WriteAllText(ResultsFile, text);
        Refusal.Of(() => ExperimentResults.Read(ResultsFile), ResultsFile + expected);
    }
}
