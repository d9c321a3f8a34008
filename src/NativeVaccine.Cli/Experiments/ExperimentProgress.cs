using System.Globalization;

namespace NativeVaccine.Cli.Experiments;

/// <summary>How far an experiment is, by what its folder says.</summary>
internal sealed class ExperimentProgress
{
    private readonly Experiment experiment;
    private readonly Dictionary<string, JobStatus> statuses;

    /// <summary>Looks at all jobs once.</summary>
    public ExperimentProgress(Experiment experiment, ExperimentFolder folder)
    {
        this.experiment = experiment;
        statuses = experiment.Jobs.ToDictionary(static job => job.Id, job => folder.StatusOf(job.Id));
    }

    /// <summary>How many jobs are in a state.</summary>
    public int Count(JobState state) => statuses.Values.Count(status => status.State == state);

    /// <summary>How far a job is.</summary>
    public JobStatus Of(string id) => statuses[id];

    /// <summary>How far a cell is: failed if one of its jobs is, done if all are; and what it does, or why it failed.</summary>
    public (JobState State, string? Detail) Of(GridCell cell)
    {
        ExperimentJob[] work = [.. experiment.WorkOf(cell)];
        if (work.FirstOrDefault(job => Of(job.Id).State == JobState.Failed) is { } failed) return (JobState.Failed, $"{failed.Stage}: {Of(failed.Id).Error}");
        if (work.All(job => Of(job.Id).State == JobState.Done)) return (JobState.Done, null);
        return work.FirstOrDefault(job => Of(job.Id).State == JobState.Running) is { } running
            ? (JobState.Running, $"{running.Stage} by {Of(running.Id).Worker?.ToString() ?? "another process"}")
            : (JobState.Waiting, null);
    }

    /// <summary>
    /// The time that what is left takes, by what like work took: "14 min". Null while there is some of which nothing alike is done, or when
    /// nothing is left. Work of several processes goes side by side.
    /// </summary>
    public string? Left()
    {
        ILookup<string, double> known = experiment.Jobs.Where(job => Of(job.Id).State == JobState.Done).ToLookup(KindOf, job => Of(job.Id).Seconds);
        double seconds = 0;
        foreach (ExperimentJob job in experiment.Jobs.Where(job => Of(job.Id).State is JobState.Waiting or JobState.Running))
        {
            if (!known.Contains(KindOf(job))) return null;
            seconds += known[KindOf(job)].Average();
        }
        if (seconds == 0) return null;
        int workers = Math.Max(1, statuses.Values.Select(static status => status.Worker).OfType<Worker>().Distinct().Count());
        return Duration(seconds / workers);
    }

    /// <summary>"45 s", "14 min", "3 h 20 min".</summary>
    public static string Duration(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Ceiling(seconds));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(span.TotalMinutes < 2 ? $"{span.TotalSeconds:F0} s" : span.TotalHours < 2 ? $"{span.TotalMinutes:F0} min" : $"{Math.Floor(span.TotalHours)} h {span.Minutes} min")}");
    }

    private static string KindOf(ExperimentJob job) =>
        $"{job.Stage} {job.ValueOf("--method")}";
}
