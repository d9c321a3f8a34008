using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// Gives what is not done of an experiment to Slurm. Which work is done, and who has it in hand, only the experiment's folder says; Slurm is
/// asked about what it still has queued, so that this is not submitted again.
/// </summary>
/// <param name="experiment">The grid and its jobs.</param>
/// <param name="folder">Its folder.</param>
/// <param name="queue">Slurm.</param>
/// <param name="script">Writes the scripts.</param>
internal sealed class SlurmSubmission(Experiment experiment, ExperimentFolder folder, SlurmQueue queue, SlurmScript script)
{
    private string RecordFile => folder.Inside($"{ExperimentFolder.Slurm}/submitted.json");

    /// <summary>Work that is neither done nor submitted, because somebody outside of Slurm's queue has it in hand.</summary>
    public int Elsewhere { get; private set; }

    /// <summary>Work that Slurm has already.</summary>
    public int Queued { get; private set; }

    /// <summary>Writes the scripts, and submits them.</summary>
    /// <param name="isDry">Only writes them.</param>
    /// <param name="tell">Told of each array, with the words that submit it and the number that Slurm gave it; the number is null when nothing is submitted.</param>
    /// <exception cref="InputException">A file cannot be written, or Slurm refuses an array: those before it are submitted.</exception>
    public void Run(bool isDry, Action<SlurmArray, string[], string?> tell)
    {
        Dictionary<string, string[]> submitted = Recorded();
        HashSet<string> tasks = isDry && submitted.Count == 0 ? [] : queue.Tasks();
        // The arrays that have work which Slurm has queued, by that work.
        var arrays = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string number, string[] ids) in submitted)
        {
            foreach ((int index, string id) in ids.Index().Where(one => tasks.Contains(string.Create(CultureInfo.InvariantCulture, $"{number}_{one.Index}")))) arrays[id] = number;
        }
        submitted = submitted.Where(one => arrays.ContainsValue(one.Key)).ToDictionary();
        Queued = experiment.Jobs.Count(job => arrays.ContainsKey(job.Id) && folder.StatusOf(job.Id).State != JobState.Done);

        SlurmArray[] all = SlurmArray.Of(experiment, job => !arrays.ContainsKey(job.Id) && IsToDo(job, tasks), queue.LargestArray());
        Write(all);
        foreach (SlurmArray array in all)
        {
            string[] after = [.. array.Jobs.SelectMany(static job => job.Needs).Where(arrays.ContainsKey).Select(need => arrays[need]).Distinct()];
            string[] command = script.Submission(array, after);
            string? number = isDry ? null : queue.Submit(command);
            // A variable of the shell that somebody pastes the commands into.
            foreach (ExperimentJob job in array.Jobs) arrays[job.Id] = number ?? $"${array.Name.Replace('-', '_')}";
            if (number is not null)
            {
                submitted[number] = [.. array.Jobs.Select(static job => job.Id)];
                Record(submitted);
            }
            tell(array, command, number);
        }
    }

    /// <summary>Neither done nor in somebody's hands. A task that Slurm has no more is nobody, whatever its claim says: the next one takes it over.</summary>
    private bool IsToDo(ExperimentJob job, HashSet<string> tasks)
    {
        JobStatus status = folder.StatusOf(job.Id);
        if (status.State is JobState.Waiting or JobState.Failed) return true;
        if (status.State == JobState.Done) return false;
        if (status.Worker?.Slurm is { } task && !tasks.Contains(task.Job)) return true;
        Elsewhere++;
        return false;
    }

    private void Write(SlurmArray[] all)
    {
        try
        {
            foreach (string old in Directory.EnumerateFiles(folder.Inside(ExperimentFolder.Slurm), "*.sbatch").ToList()) File.Delete(old);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{folder.Inside(ExperimentFolder.Slurm)}: cannot be written: {exception.Message}", exception);
        }
        foreach (SlurmArray array in all)
            AtomicFile.WriteAllText(script.FileOf(array), script.Of(array, [.. all.Where(before => before.IsNeededBy(array))]));
    }

    /// <summary>The work of each array that was submitted, by the array's number and in the order of its indices.</summary>
    private Dictionary<string, string[]> Recorded()
    {
        if (!File.Exists(RecordFile)) return [];
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string[]>>(File.ReadAllBytes(RecordFile)) ?? [];
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new InputException($"{RecordFile}: cannot be read: {exception.Message}; without it what is queued would be submitted twice", exception);
        }
    }

    private void Record(Dictionary<string, string[]> submitted) => JsonValues.Save(RecordFile, new JsonObject(submitted.Select(static one =>
        KeyValuePair.Create(one.Key, (JsonNode?)new JsonArray([.. one.Value.Select(static id => (JsonNode)id)])))));
}
