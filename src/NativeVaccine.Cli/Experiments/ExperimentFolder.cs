using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Cli.Experiments;

/// <summary>How far a job is.</summary>
internal enum JobState
{
    /// <summary>Not done, and nobody works on it.</summary>
    Waiting,

    /// <summary>A worker has it.</summary>
    Running,

    /// <summary>Its output is there.</summary>
    Done,

    /// <summary>It went wrong.</summary>
    Failed,
}

/// <summary>What is known of a job.</summary>
/// <param name="State">How far it is.</param>
/// <param name="Seconds">What it took, the last try only; 0 before it has ended.</param>
/// <param name="Error">Why it failed, in a line; null otherwise.</param>
/// <param name="Worker">Who works on it now, if that is known; null otherwise.</param>
internal sealed record JobStatus(JobState State, double Seconds = 0, string? Error = null, Worker? Worker = null);

/// <summary>
/// The folder of an experiment. All that is known of its jobs lies in it, in files that appear whole: whoever shares the folder shares the work,
/// whatever a scheduler remembers.
/// </summary>
/// <param name="Path">The folder.</param>
internal sealed record ExperimentFolder(string Path)
{
    /// <summary>The folder in it that has scripts and output of Slurm.</summary>
    public const string Slurm = "slurm";

    private const string Jobs = "jobs";
    private readonly FolderClock clock = new(System.IO.Path.Combine(Path, Jobs));

    /// <summary>What was seen done: it stays so, and a large grid need not be read again for every cell.</summary>
    private readonly Dictionary<string, JobStatus> done = new(StringComparer.Ordinal);

    /// <summary>Where hashes of input files are kept.</summary>
    public string Hashes => Inside("hashes.json");

    /// <summary>A file or folder in it.</summary>
    public string Inside(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>What a job writes while it runs.</summary>
    public string LogOf(string id) => Inside($"{Jobs}/{id}.log");

    /// <summary>Makes the folder and those in it.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public void Create()
    {
        try
        {
            foreach (string name in (string[])[Jobs, Slurm, "runs", "data", "worlds", "evaluations"]) Directory.CreateDirectory(Inside(name));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{Path}: cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>The right to work on a job; null if another has it.</summary>
    public JobClaim? TryClaim(string id, out Worker? owner) => JobClaim.TryTake(ClaimsOf(id), clock, out owner);

    /// <summary>How far a job is.</summary>
    public JobStatus StatusOf(string id)
    {
        if (done.TryGetValue(id, out JobStatus? known)) return known;
        if (RecordOf(id) is { State: JobState.Done } before) return done[id] = before;
        bool isHeld = JobClaim.IsHeld(ClaimsOf(id), clock, out Worker? worker);
        // Between the two looks it may have ended, and a claim is given back after the record is kept.
        JobStatus? ended = RecordOf(id);
        if (ended?.State == JobState.Done) return done[id] = ended;
        return isHeld ? new JobStatus(JobState.Running, Worker: worker) : ended ?? new JobStatus(JobState.Waiting);
    }

    /// <summary>Keeps how a job ended.</summary>
    public void Record(ExperimentJob job, JobStatus status) => JsonValues.Save(RecordFile(job.Id), new JsonObject
    {
        ["state"] = status.State == JobState.Done ? "done" : "failed",
        ["stage"] = job.Stage,
        ["output"] = job.Output,
        ["seconds"] = status.Seconds,
        ["error"] = status.Error,
        ["host"] = Environment.MachineName,
        ["ended"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        ["command"] = new JsonArray([.. job.CommandLine(Path).Select(static word => (JsonNode)word)]),
    });

    private string ClaimsOf(string id) => Inside($"{Jobs}/{id}.claims");

    private string RecordFile(string id) => Inside($"{Jobs}/{id}.json");

    private JobStatus? RecordOf(string id)
    {
        try
        {
            JsonNode json = JsonNode.Parse(File.ReadAllText(RecordFile(id)))!;
            // Whoever removes an output wants it made again.
            bool isDone = (string?)json["state"] == "done" && System.IO.Path.Exists(Inside((string)json["output"]!));
            if (!isDone && json["error"] is null) return null;
            return new JobStatus(isDone ? JobState.Done : JobState.Failed, (double)json["seconds"]!, (string?)json["error"]);
        }
        catch (Exception exception) when (exception is IOException or JsonException or InvalidOperationException or NullReferenceException)
        {
            return null;
        }
    }
}
