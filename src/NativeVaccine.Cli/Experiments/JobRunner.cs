using System.Diagnostics;
using System.Globalization;
using System.Text;
using NativeVaccine.Cli.Output;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Does jobs: each is a command line of this program, run in this process, with what it says in a file of its own.</summary>
/// <param name="folder">The experiment's folder.</param>
/// <param name="run">Runs a command line with a terminal until a token is cancelled; returns its exit code.</param>
internal sealed class JobRunner(ExperimentFolder folder, Func<string[], Terminal, CancellationToken, int> run)
{
    /// <summary>Does a job that this process has the claim of, and keeps how it ended.</summary>
    /// <param name="job">The job.</param>
    /// <param name="lost">Cancelled when another takes the job over: then nothing is kept, and it counts as running.</param>
    /// <exception cref="OperationCanceledException">It was stopped; it goes on from what it has.</exception>
    public JobStatus Run(ExperimentJob job, CancellationToken lost)
    {
        long start = Stopwatch.GetTimestamp();
        if (job.IsTraining && IsComplete(folder.Inside(job.Output))) return Keep(job, new JobStatus(JobState.Done)); // killed between run and record
        using var log = new StreamWriter(folder.LogOf(job.Id), append: true, new UTF8Encoding(false)) { AutoFlush = true };
        string[] line = LineFor(job);
        log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"# {Worker.Current}, {DateTime.UtcNow:yyyy-MM-ddTHH:mm:ssZ}"));
        log.WriteLine($"$ nvaccine {string.Join(' ', line.Select(ShellWord.Quoted))}");
        using var last = new LastLine(log);
        int code = run(line, Terminal.Plain(log, last), lost);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (lost.IsCancellationRequested) return End(JobState.Running, "taken over by another");
        if (code is > 128 and <= 128 + 15)
        {
            End(JobState.Waiting, "stopped");
            throw new OperationCanceledException();
        }
        bool isThere = Path.Exists(folder.Inside(job.Output));
        if (code == ExitCode.Success && isThere) return Keep(job, End(JobState.Done, "done"));
        return Keep(job, End(JobState.Failed, "failed") with { Error = last.Text ?? (isThere ? $"exit code {code}" : $"it left no {job.Output}") });

        JobStatus End(JobState state, string word)
        {
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"# {word} after {seconds:F1} s"));
            return new JobStatus(state, seconds);
        }
    }

    private JobStatus Keep(ExperimentJob job, JobStatus status)
    {
        folder.Record(job, status);
        return status;
    }

    /// <summary>The command line as it is, or the one that goes on with a run that was broken off.</summary>
    private string[] LineFor(ExperimentJob job)
    {
        string output = folder.Inside(job.Output);
        if (job.IsTraining && File.Exists(Path.Combine(output, RunFolder.ConfigurationFileName)))
        {
            string[] free = [.. ExperimentJob.ChangeNothing, "--device"];
            return [.. job.Verb, $"--resume={output}", .. job.Options.Where(option => free.Contains(option.Split('=')[0]))];
        }
        // What a stopped job without checkpoints left is made again.
        if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
        else if (File.Exists(output)) File.Delete(output);
        return job.CommandLine(folder.Path);
    }

    private static bool IsComplete(string run) =>
        Directory.Exists(Path.Combine(run, "adapter")) || Directory.Exists(Path.Combine(run, "model"));

    /// <summary>Passes on what is written, and keeps the last line: an error is told there.</summary>
    private sealed class LastLine(TextWriter inner) : TextWriter
    {
        private readonly StringBuilder line = new();

        public string? Text { get; private set; }

        public override Encoding Encoding => inner.Encoding;

        public override void Write(char value)
        {
            inner.Write(value);
            if (value != '\n')
            {
                if (value != '\r') line.Append(value);
                return;
            }
            if (line.Length > 0) Text = line.ToString();
            line.Clear();
        }
    }
}
