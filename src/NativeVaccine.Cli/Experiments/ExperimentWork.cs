using System.Globalization;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// Does the work of an experiment, cell by cell, beside whoever else works in the same folder. What is done is skipped; what is broken off goes
/// on; what failed before is tried once more; a cell that fails stops no other.
/// </summary>
/// <param name="experiment">The grid and its jobs.</param>
/// <param name="folder">Its folder.</param>
/// <param name="runner">Does a job.</param>
/// <param name="terminal">Told a line for each cell.</param>
/// <param name="cancellation">Stops it before the next job; the one that runs has it too.</param>
internal sealed class ExperimentWork(
    Experiment experiment, ExperimentFolder folder, JobRunner runner, Terminal terminal, CancellationToken cancellation)
{
    private const string ClearLine = "\r\e[K";
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);

    /// <summary>Jobs that had failed before this process began, and are to be tried again.</summary>
    private readonly HashSet<string> toRetry =
        [.. experiment.Jobs.Select(static job => job.Id).Where(id => folder.StatusOf(id).State == JobState.Failed)];

    private bool saidWhoElseWorks;

    /// <summary>Told of each cell that has ended.</summary>
    public Action<GridCell>? CellEnded { get; init; }

    /// <summary>Works until every cell is done or broken.</summary>
    /// <param name="cells">The cells, in this order.</param>
    /// <returns>How many cells are broken.</returns>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public int Run(IReadOnlyList<GridCell> cells)
    {
        List<GridCell> left = [.. cells.Where(cell => experiment.WorkOf(cell).Any(job => folder.StatusOf(job.Id).State != JobState.Done))];
        if (left.Count < cells.Count)
            Say(string.Create(CultureInfo.InvariantCulture, $"{cells.Count - left.Count} of {cells.Count} cells were done before"));
        int broken = 0;
        while (left.Count > 0)
        {
            bool moved = false;
            foreach (GridCell cell in left.ToArray())
            {
                int place = cells.Count - left.Count + 1;
                switch (Advance(cell, place, cells.Count, out string? error))
                {
                    case JobState.Running:
                        continue;
                    case JobState.Failed:
                        broken++;
                        Say($"{Place(place, cells.Count)} {cell.Title}: FAILED: {error}");
                        break;
                    default:
                        CellEnded?.Invoke(cell);
                        Say($"{Place(place, cells.Count)} {cell.Title}: {CellNumbers.Describe(CellNumbers.Of(folder, experiment, cell))}{TimeLeft()}");
                        break;
                }
                left.Remove(cell);
                moved = true;
            }
            if (left.Count > 0 && !moved) WaitForOthers();
        }
        return broken;
    }

    /// <summary>Does one job, as soon as nobody else has it, or what it needs, in hand.</summary>
    /// <returns>Whether it is done.</returns>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public bool Run(ExperimentJob job)
    {
        string title = $"{job.Stage} {job.Id}";
        if (!HasNeeds(job, title)) return false;
        JobStatus status;
        while ((status = Advance(job, title)).State == JobState.Running) WaitForOthers();
        bool isDone = status.State == JobState.Done;
        Say(isDone
            ? string.Create(CultureInfo.InvariantCulture, $"{title}: done in {status.Seconds:F1} s{TimeLeft()}")
            : $"{title}: FAILED: {status.Error} (see {folder.LogOf(job.Id)})");
        return isDone;
    }

    private bool HasNeeds(ExperimentJob job, string title)
    {
        foreach (ExperimentJob need in job.Needs.Select(need => experiment.Find(need)!))
        {
            JobStatus status;
            while ((status = folder.StatusOf(need.Id)).State == JobState.Running) WaitForOthers();
            if (status.State == JobState.Done) continue;
            string reason = status.Error is null ? "" : $": it failed: {status.Error}";
            Say($"{title}: needs {need.Stage} {need.Id}, which is not done{reason}");
            return false;
        }
        return true;
    }

    /// <summary>Does what can be done of a cell.</summary>
    /// <returns>Done, failed, or running: another process has work that it waits for.</returns>
    private JobState Advance(GridCell cell, int place, int count, out string? error)
    {
        error = null;
        foreach (ExperimentJob job in experiment.WorkOf(cell))
        {
            JobStatus status = Advance(job, $"{Place(place, count)} {cell.Title}: {job.Stage}");
            if (status.State == JobState.Done) continue;
            error = $"{job.Stage}: {status.Error} (see {folder.LogOf(job.Id)})";
            return status.State;
        }
        return JobState.Done;
    }

    /// <summary>Does a job if it is to be done and nobody else has it.</summary>
    private JobStatus Advance(ExperimentJob job, string title)
    {
        cancellation.ThrowIfCancellationRequested();
        JobStatus status = folder.StatusOf(job.Id);
        bool isToDo = status.State == JobState.Waiting || (status.State == JobState.Failed && toRetry.Contains(job.Id));
        if (!isToDo) return status;
        if (terminal.IsErrorScreen) terminal.Error.Write($"{ClearLine}{title} ...");
        return Do(job);
    }

    private JobStatus Do(ExperimentJob job)
    {
        using JobClaim? claim = folder.TryClaim(job.Id, out Worker? owner);
        if (claim is null) return new JobStatus(JobState.Running, Worker: owner);
        // Between the look and the claim another may have done it.
        JobStatus status = folder.StatusOf(job.Id);
        if (status.State == JobState.Done) return status;
        toRetry.Remove(job.Id);
        return runner.Run(job, claim.Lost);
    }

    private void WaitForOthers()
    {
        if (!saidWhoElseWorks) Say("waiting for work that other processes have");
        saidWhoElseWorks = true;
        if (cancellation.WaitHandle.WaitOne(BetweenLooks)) cancellation.ThrowIfCancellationRequested();
    }

    private void Say(string line)
    {
        if (terminal.IsErrorScreen) terminal.Error.Write(ClearLine);
        terminal.Error.WriteLine(line);
    }

    private string TimeLeft() => new ExperimentProgress(experiment, folder).Left() is { } left ? $"; {left} left" : "";

    private static string Place(int place, int count)
    {
        string all = count.ToString(CultureInfo.InvariantCulture);
        return $"[{place.ToString(CultureInfo.InvariantCulture).PadLeft(all.Length)}/{all}]";
    }
}
