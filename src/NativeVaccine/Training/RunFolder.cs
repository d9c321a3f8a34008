using System.Globalization;
using System.Text.Json;
using NativeVaccine.IO;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Reporting;

namespace NativeVaccine.Training;

/// <summary>
/// The folder of a run: config.json, plan.json, metrics.jsonl and replay.jsonl with a line for every step, tamper.jsonl with one for every look at the
/// model (if there are any), checkpoints/, and at the end report.html and adapter/ (or model/, if all parameters were trained). One process
/// at a time works in it. It never holds half of a file in the place of a whole one; lines after the last checkpoint are cut off and written
/// again when a run is resumed.
/// </summary>
public sealed class RunFolder : IDisposable
{
    /// <summary>Name of the file with the options.</summary>
    public const string ConfigurationFileName = RunFolderFiles.Configuration;

    /// <summary>Name of the file with a line for every step.</summary>
    public const string MetricsFileName = RunFolderFiles.Metrics;

    private const int KeptCheckpoints = 2;
    private readonly FolderLock folderLock;
    private readonly LineFile metrics;
    private readonly LineFile replay;
    private readonly LineFile? tamper;

    /// <param name="path">A folder with a config.json.</param>
    /// <param name="options">What config.json says.</param>
    /// <param name="folderLock">Of the folder; the run gives it back when it ends.</param>
    internal RunFolder(string path, TrainingOptions options, FolderLock folderLock)
    {
        (Path, Options) = (path, options);
        RunFolderFiles.RequireWritableCheckpoints(path);
        metrics = new LineFile(System.IO.Path.Combine(path, MetricsFileName));
        replay = new LineFile(System.IO.Path.Combine(path, RunFolderFiles.Replay));
        if (options.TamperPrompts is not null) tamper = new LineFile(System.IO.Path.Combine(path, TamperFile.FileName));
        this.folderLock = folderLock; // last: what throws before leaves it to its owner
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The options of the run, as config.json has them.</summary>
    public TrainingOptions Options { get; }

    /// <summary>Where the result goes: a PEFT adapter, or the whole model if all of it was trained.</summary>
    public string ResultPath => ResultOf(Path, Options.Full);

    private string Checkpoints => System.IO.Path.Combine(Path, RunFolderFiles.Checkpoints);

    /// <summary>Where the result of a run lies: in adapter/, or in model/ if all parameters were trained.</summary>
    internal static string ResultOf(string path, bool full) => System.IO.Path.Combine(path, full ? "model" : "adapter");

    /// <summary>Reads the config.json of a run.</summary>
    /// <exception cref="InputException">The folder is no run's, or the file is broken.</exception>
    public static TrainingOptions ReadOptions(string path)
    {
        string configuration = System.IO.Path.Combine(path, ConfigurationFileName);
        if (!File.Exists(configuration)) throw new InputException($"{path}: has no {ConfigurationFileName}; expected the folder of a run");
        return TrainingOptionsJson.Read(configuration);
    }

    /// <summary>Makes the folder of a new run.</summary>
    /// <param name="path">A new or empty folder, or a link to it.</param>
    /// <param name="options">Of the run.</param>
    /// <exception cref="InputException">It is in use or not empty, or cannot be written.</exception>
    public static RunFolder Create(string path, TrainingOptions options)
    {
        using var reservation = RunReservation.Of(path);
        return reservation.Begin(options);
    }

    /// <summary>Opens the folder of a run that was interrupted.</summary>
    /// <param name="path">The folder, or a link to it.</param>
    /// <exception cref="InputException">
    /// It is in use, no run's, or of a run that is complete; or it cannot be written, or holds a link where the run writes.
    /// </exception>
    public static RunFolder Resume(string path)
    {
        path = RunFolderFiles.BehindLink(path);
        TrainingOptions options = ReadOptions(path);
        FolderLock? folderLock = null;
        try
        {
            folderLock = FolderLock.Take(path);
            RunFolderFiles.RequireOwn(path);
            RunFolderFiles.RemoveUnfinished(path);
            if (Directory.Exists(ResultOf(path, options.Full)))
            {
                // Killed between the result and the report, which is made last.
                if (!File.Exists(System.IO.Path.Combine(path, RunReport.FileName))) RunReport.Write(path);
                throw new InputException($"{path}: the run is complete; there is nothing to resume");
            }
            return new RunFolder(path, options, folderLock);
        }
        catch (Exception exception)
        {
            folderLock?.Dispose();
            if (exception is IOException or UnauthorizedAccessException) throw AtomicFile.CannotWrite(path, exception);
            throw;
        }
    }

    /// <summary>Writes plan.json: what the run will be, for its report.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    internal void WritePlan(PlanRecord plan) => plan.Write(Path);

    /// <summary>Appends a step to metrics.jsonl and replay.jsonl.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public void Append(StepMetrics step, ReplayStep replayStep)
    {
        metrics.Append(stream => MetricsLine.Write(stream, step));
        replay.Append(stream => ReplayFile.Write(stream, replayStep, MethodCatalog.Require(Options.Method)));
    }

    /// <summary>Appends a look at the model to tamper.jsonl.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    /// <exception cref="InvalidOperationException">The options of the run ask for no looks.</exception>
    public void Append(TamperLook look)
    {
        if (tamper is null) throw new InvalidOperationException("the run looks at nothing; expected TrainingOptions.TamperPrompts");
        tamper.Append(stream => TamperFile.Write(stream, look));
    }

    /// <summary>Writes the adapter that the run trained, which makes the run complete.</summary>
    /// <param name="adapter">As it is after the last step.</param>
    /// <param name="record">What it stands on.</param>
    /// <exception cref="InputException">The disk is full.</exception>
    public void SaveAdapter(Adapter adapter, AdapterRecord record) => adapter.Save(ResultPath, record.Write);

    /// <summary>Writes report.html from what the folder holds so far.</summary>
    /// <exception cref="InputException">The disk is full, or a line is damaged.</exception>
    public void WriteReport()
    {
        metrics.FlushToDisk();
        RunReport.Write(Path);
    }

    /// <summary>Saves the state after some steps, and removes all but the newest two checkpoints.</summary>
    /// <exception cref="InputException">The disk is full; the checkpoints before are still there.</exception>
    public void SaveCheckpoint(int stepsDone, RunState state, IReadOnlyDictionary<string, string> fingerprint)
    {
        // The lines that the checkpoint counts on must be on the disk before it is.
        metrics.FlushToDisk();
        replay.FlushToDisk();
        tamper?.FlushToDisk();
        string name = string.Create(CultureInfo.InvariantCulture, $"step-{stepsDone:D9}.checkpoint");
        CheckpointFile.Write(System.IO.Path.Combine(Checkpoints, name), new CheckpointHeader
        {
            Step = stepsDone,
            Method = state.Info.Name,
            MethodState = state.Method.SaveState(),
            Streams = state.Streams.Positions,
            Vectors = [.. state.Kept.Select(static kept => kept.Vector.Name)],
            Fingerprint = fingerprint,
            MetricsBytes = metrics.Length,
            ReplayBytes = replay.Length,
            TamperBytes = tamper?.Length ?? 0,
            Tensors = state.Session.TrainableTensors.Count,
            Parameters = state.Session.Parameters.Length,
        }, state.Session, state.KeptVectors);
        foreach (string old in CheckpointsNewestFirst().Skip(KeptCheckpoints).ToList()) File.Delete(old);
    }

    /// <summary>Puts a run into the state of the newest good checkpoint, and cuts off the lines after it.</summary>
    /// <param name="state">With the model loaded and the adapter as it was at the beginning.</param>
    /// <param name="fingerprint">See <see cref="RunFingerprint"/>.</param>
    /// <param name="notice">Told of checkpoints that cannot be used.</param>
    /// <returns>The steps that are done; 0 if there is no checkpoint yet.</returns>
    /// <exception cref="InputException">There are checkpoints, but none can be used, or what the run depends on has changed.</exception>
    public int RestoreLatest(RunState state, IReadOnlyDictionary<string, string> fingerprint, Action<string>? notice = null)
    {
        bool isRefused = false;
        foreach (string file in CheckpointsNewestFirst())
        {
            CheckpointHeader header;
            try
            {
                header = CheckpointFile.ReadHeader(file);
            }
            catch (InputException exception)
            {
                isRefused = true;
                notice?.Invoke($"{exception.Message}; looking for the one before");
                continue;
            }
            Restore(file, header, state, fingerprint);
            return header.Step;
        }
        if (isRefused) throw new InputException($"{Checkpoints}: no checkpoint can be used; remove the folder to begin again from step 0");
        KeepOrRequire(fingerprint);
        metrics.Truncate(0);
        replay.Truncate(0);
        tamper?.Truncate(0);
        return 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        metrics.Dispose();
        replay.Dispose();
        tamper?.Dispose();
        folderLock.Dispose();
    }

    /// <summary>A run without a checkpoint begins again, and must be the same run all the same: its first try says what it was.</summary>
    private void KeepOrRequire(IReadOnlyDictionary<string, string> fingerprint)
    {
        string file = System.IO.Path.Combine(Checkpoints, "beginning.json");
        if (!File.Exists(file))
        {
            AtomicFile.WriteAllText(file, JsonSerializer.Serialize(fingerprint, TrainingJsonContext.Default.IReadOnlyDictionaryStringString));
            return;
        }
        using JsonDocument document = JsonFile.ReadObject(file);
        Dictionary<string, string> before = document.RootElement.EnumerateObject()
            .ToDictionary(static part => part.Name, static part => part.Value.ToString(), StringComparer.Ordinal);
        RequireSame(before, fingerprint, file);
    }

    private static void RequireSame(IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> now, string file)
    {
        IReadOnlyList<string> changes = RunFingerprint.Changes(before, now);
        if (changes.Count > 0)
            throw new InputException($"{file}: changed since the run began: {string.Join(", ", changes)}; expected the same run");
    }

    private void Restore(string file, CheckpointHeader header, RunState state, IReadOnlyDictionary<string, string> fingerprint)
    {
        if (header.Method != state.Info.Name) throw new InputException($"{file}: is of method {header.Method}; the run's is {state.Info.Name}");
        RequireSame(header.Fingerprint, fingerprint, file);
        CheckpointFile.Restore(file, state.Session, state.KeptVectors);
        state.Method.RestoreState(header.MethodState);
        state.Streams.Positions = header.Streams;
        metrics.Truncate(header.MetricsBytes);
        replay.Truncate(header.ReplayBytes);
        tamper?.Truncate(header.TamperBytes);
    }

    /// <summary>Their names end with the step in nine digits, so the order of names is that of steps.</summary>
    private IEnumerable<string> CheckpointsNewestFirst() =>
        Directory.EnumerateFiles(Checkpoints, RunFolderFiles.CheckpointPattern).OrderDescending(StringComparer.Ordinal);
}
