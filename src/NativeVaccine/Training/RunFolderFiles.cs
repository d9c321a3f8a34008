using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>What a run makes in its folder, and what a killed one leaves there. Nothing else is touched, and no link is followed.</summary>
internal static class RunFolderFiles
{
    public const string Configuration = "config.json";
    public const string Metrics = "metrics.jsonl";
    public const string Replay = "replay.jsonl";
    public const string Checkpoints = "checkpoints";
    public const string CheckpointPattern = "step-*.checkpoint";

    /// <summary>What appears whole or not at all, and so under a temporary name first.</summary>
    private static readonly string[] WrittenWhole = [Configuration, PlanRecord.FileName, "adapter", "model", Reporting.RunReport.FileName];

    /// <summary>The folder behind a link; the path itself where there is none.</summary>
    /// <exception cref="InputException">The links go round in a circle.</exception>
    public static string BehindLink(string path)
    {
        try
        {
            return IsLink(path) ? new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)!.FullName : path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(path, exception);
        }
    }

    /// <summary>Refuses a folder in which anything lies but what a run that was killed at once leaves.</summary>
    /// <exception cref="InputException">It is a file, or not empty.</exception>
    public static void RequireFree(string path)
    {
        if (File.Exists(path)) throw new InputException($"{path}: is a file; expected a folder that does not exist yet");
        if (!Directory.Exists(path)) return;
        HashSet<string> own = [Path.Combine(path, FolderLock.FileName), .. Unfinished(path, Configuration)];
        if (Directory.EnumerateFileSystemEntries(path).All(own.Contains)) return;
        string hint = File.Exists(Path.Combine(path, Configuration)) ? " (--resume goes on with the run in it)" : "";
        throw new InputException($"{path}: the output folder is not empty; expected a new or empty one{hint}");
    }

    /// <summary>Refuses links where a run writes into its own files.</summary>
    /// <exception cref="InputException">One is a link.</exception>
    public static void RequireOwn(string path)
    {
        foreach (string name in new[] { Checkpoints, Metrics, Replay, Reporting.TamperFile.FileName })
        {
            string entry = Path.Combine(path, name);
            if (IsLink(entry)) throw new InputException($"{entry}: is a link; expected what the run itself made there");
        }
    }

    /// <summary>Finds out whether checkpoints can be written before there is anything to lose.</summary>
    /// <exception cref="InputException">They cannot.</exception>
    public static void RequireWritableCheckpoints(string path)
    {
        string folder = Path.Combine(path, Checkpoints);
        try
        {
            Directory.CreateDirectory(folder);
            AtomicFile.RequireWritable(Path.Combine(folder, "step-probe.checkpoint"));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(folder, exception);
        }
    }

    /// <summary>Removes what a killed process was writing, under temporary names that only we give.</summary>
    public static void RemoveUnfinished(string path)
    {
        string checkpoints = Path.Combine(path, Checkpoints);
        List<string> unfinished = [.. WrittenWhole.SelectMany(name => Unfinished(path, name))];
        if (Directory.Exists(checkpoints) && !IsLink(checkpoints)) unfinished.AddRange(Unfinished(checkpoints, CheckpointPattern));
        foreach (string entry in unfinished)
        {
            if (Directory.Exists(entry)) Directory.Delete(entry, recursive: true);
            else File.Delete(entry);
        }
    }

    private static IEnumerable<string> Unfinished(string folder, string name) =>
        Directory.EnumerateFileSystemEntries(folder, $".{name}.*.partial").Where(static entry => !IsLink(entry));

    private static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;
}
