using System.Text.Json.Nodes;
using NativeVaccine.Cli.Experiments;
using NativeVaccine.Reporting;

namespace NativeVaccine.Tests.Cli.Experiments;

/// <summary>Means and paired differences, worked out by hand.</summary>
public sealed class ExperimentTableTests
{
    [Fact]
    public void DifferencesArePairedBySeed()
    {
        ExperimentCell[] cells =
        [
            Cell("SFT", 1, 60), Cell("SFT", 2, 80), Cell("SFT", 3, 70),
            Cell("Vaccine", 3, 40), Cell("Vaccine", 1, 50), Cell("Vaccine", 2, null),
        ];
        var experiment = new Experiment("x", "plan.json", ["method", "seed"], "SFT", [], []);
        ExperimentRow[] rows = ExperimentTable.Rows(experiment, cells);
        Assert.Equal(2, rows.Length);
        ExperimentMean plain = rows[0].Numbers["harmful_score"];
        Assert.Equal((70, 10, 3), (plain.Mean, plain.Deviation, plain.Count));
        Assert.Null(rows[0].Against);
        // (50 - 60) and (40 - 70): the seed in which Vaccine has no number has no difference.
        ExperimentMean difference = rows[1].Against!.Numbers["harmful_score"];
        Assert.Equal((-20, 2), (difference.Mean, difference.Count));
        Assert.Equal((-30, -10), (difference.Low, difference.High));
        Assert.Equal("SFT", rows[1].Against!.Method);
        Assert.Equal(3, rows[1].Seeds);
        Assert.Equal(2, rows[1].Numbers["harmful_score"].Count);
    }

    private static ExperimentCell Cell(string method, int seed, double? score) => new()
    {
        Id = $"{method}{seed}",
        Settings = new JsonObject { ["method"] = method, ["seed"] = seed },
        State = CellState.Done,
        Numbers = new Dictionary<string, double?> { ["harmful_score"] = score },
    };
}
