using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>
/// A folder that a new run has for itself and that is known to be writable, before any work is done for it. If the run does not begin,
/// nothing is left of it.
/// </summary>
public sealed class RunReservation : IDisposable
{
    private readonly string path;
    private readonly IReadOnlyList<string> created;
    private FolderLock? folderLock;

    private RunReservation(string path, IReadOnlyList<string> created) => (this.path, this.created) = (path, created);

    /// <summary>Makes the folder, or takes an empty one.</summary>
    /// <param name="path">The folder, or a link to it.</param>
    /// <exception cref="InputException">It is in use or not empty, or cannot be written.</exception>
    public static RunReservation Of(string path)
    {
        path = RunFolderFiles.BehindLink(path);
        FolderLock.RequireFree(path);
        RunFolderFiles.RequireFree(path);
        var reservation = new RunReservation(path, [.. Missing(path)]);
        try
        {
            Directory.CreateDirectory(path);
            reservation.folderLock = FolderLock.Take(path);
            RunFolderFiles.RequireFree(path);
            return reservation;
        }
        catch (Exception exception)
        {
            reservation.Dispose();
            if (exception is IOException or UnauthorizedAccessException) throw AtomicFile.CannotWrite(path, exception);
            throw;
        }
    }

    /// <summary>Begins the run: writes its config.json.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public RunFolder Begin(TrainingOptions options)
    {
        RunFolderFiles.RemoveUnfinished(path);
        AtomicFile.WriteAllText(Path.Combine(path, RunFolderFiles.Configuration), TrainingOptionsJson.Write(options));
        var folder = new RunFolder(path, options, folderLock!);
        folderLock = null;
        return folder;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (folderLock is null && File.Exists(Path.Combine(path, RunFolderFiles.Configuration))) return;
        folderLock?.Dispose();
        folderLock = null;
        foreach (string folder in created)
        {
            try
            {
                if (Directory.Exists(folder)) Directory.Delete(folder);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return; // someone has put something into it
            }
        }
    }

    /// <summary>The folders that are not there, the innermost first.</summary>
    private static IEnumerable<string> Missing(string path)
    {
        for (string? folder = Path.GetFullPath(path); folder is not null && !Directory.Exists(folder); folder = Path.GetDirectoryName(folder))
            yield return folder;
    }
}
