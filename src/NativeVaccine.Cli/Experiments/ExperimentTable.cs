using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Evaluation;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Collects an experiment's results: a row for each arm and value, with means over the seeds and differences to the baseline.</summary>
internal static class ExperimentTable
{
    /// <summary>What the folder has at this moment.</summary>
    /// <exception cref="InputException">A result is broken.</exception>
    public static ExperimentResults Collect(Experiment experiment, ExperimentFolder folder)
    {
        var progress = new ExperimentProgress(experiment, folder);
        ExperimentCell[] cells = [.. experiment.Cells.Select(cell =>
        {
            (JobState state, string? detail) = progress.Of(cell);
            return new ExperimentCell
            {
                Id = cell.Jobs["attack"],
                Settings = Settings(cell, static _ => true),
                State = state switch
                {
                    JobState.Done => CellState.Done,
                    JobState.Failed => CellState.Failed,
                    JobState.Running => CellState.Running,
                    _ => CellState.Waiting,
                },
                Error = state == JobState.Failed ? detail : null,
                AlignRun = cell.Jobs.TryGetValue("align", out string? align) ? experiment.Find(align)!.Output : null,
                AttackRun = experiment.Find(cell.Jobs["attack"])!.Output,
                Numbers = CellNumbers.Of(folder, experiment, cell),
            };
        })];
        return new ExperimentResults
        {
            Name = experiment.Name,
            Plan = experiment.Plan,
            Axes = experiment.Axes,
            Cells = cells,
            Table = Rows(experiment, cells),
        };
    }

    /// <summary>Means and differences over the cells of each row.</summary>
    internal static ExperimentRow[] Rows(Experiment experiment, IReadOnlyList<ExperimentCell> cells)
    {
        Dictionary<string, List<ExperimentCell>> rows = [];
        foreach (ExperimentCell cell in cells)
        {
            string key = KeyOf(cell, static name => name != Axis.Seed);
            if (!rows.TryGetValue(key, out List<ExperimentCell>? row)) rows.Add(key, row = []);
            row.Add(cell);
        }
        ILookup<string, ExperimentCell> baseline = cells
            .Where(cell => (string)cell.Settings[Axis.Method]! == experiment.Baseline)
            .ToLookup(static cell => KeyOf(cell, static name => name != Axis.Method));
        return [.. rows.Values.Select(row => new ExperimentRow
        {
            Settings = Settings(row[0].Settings, static name => name != Axis.Seed),
            Seeds = row.Count,
            Failed = row.Count(static cell => cell.State == CellState.Failed),
            Numbers = Means(row.Select(static cell => cell.Numbers)),
            Against = (string)row[0].Settings[Axis.Method]! == experiment.Baseline ? null : new ExperimentDifference
            {
                Method = experiment.Baseline,
                Numbers = Means(row.SelectMany(cell => baseline[KeyOf(cell, static name => name != Axis.Method)], static (cell, plain) => Differences(cell, plain))),
            },
        })];
    }

    /// <summary>Numbers that both have; where one was not reached there is no difference.</summary>
    private static Dictionary<string, double?> Differences(ExperimentCell cell, ExperimentCell plain) => cell.Numbers
        .Where(number => number.Value is not null && plain.Numbers.GetValueOrDefault(number.Key) is not null)
        .ToDictionary(static number => number.Key, number => number.Value - plain.Numbers[number.Key]);

    private static Dictionary<string, ExperimentMean> Means(IEnumerable<IReadOnlyDictionary<string, double?>> all) => all
        .SelectMany(static numbers => numbers)
        .Where(static number => number.Value is not null)
        .GroupBy(static number => number.Key, static number => number.Value!.Value)
        .ToDictionary(static group => group.Key, static group => MeanOf([.. group]));

    private static ExperimentMean MeanOf(double[] values)
    {
        var spread = new Spread([.. values.Select(static value => (double?)value)]);
        if (values.Length < 2) return new ExperimentMean { Mean = spread.Mean, Count = values.Length };
        Interval interval = Bootstrap.OfMean(values);
        return new ExperimentMean
        {
            Mean = spread.Mean,
            Deviation = spread.Deviation,
            Low = interval.Low,
            High = interval.High,
            Count = values.Length,
        };
    }

    private static string KeyOf(ExperimentCell cell, Func<string, bool> isPart) => Settings(cell.Settings, isPart).ToJsonString();

    private static JsonObject Settings(GridCell cell, Func<string, bool> isPart) =>
        Settings(new JsonObject(cell.Settings.Select(static one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value.DeepClone()))), isPart);

    private static JsonObject Settings(JsonObject settings, Func<string, bool> isPart) =>
        new(settings.Where(one => isPart(one.Key)).Select(static one => KeyValuePair.Create(one.Key, one.Value?.DeepClone())));
}
