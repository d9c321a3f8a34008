using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>
/// Says that a process works in a folder: a file that is held open, so that the operating system lets go of it when the process ends,
/// however it ends.
/// </summary>
internal sealed class FolderLock : IDisposable
{
    public const string FileName = "run.lock";
    private readonly FileStream stream;

    private FolderLock(FileStream stream) => this.stream = stream;

    /// <summary>Takes the lock of a folder that exists.</summary>
    /// <exception cref="InputException">Another process has it, or the folder cannot be written.</exception>
    public static FolderLock Take(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            return new FolderLock(
                new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose));
        }
        catch (IOException) when (File.Exists(path))
        {
            throw InUse(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(folder, exception);
        }
    }

    /// <summary>Refuses a folder that another process works in; leaves no trace.</summary>
    /// <exception cref="InputException">Another process has the lock.</exception>
    public static void RequireFree(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path)) return;
        try
        {
            File.Open(path, FileMode.Open, FileAccess.Write, FileShare.None).Dispose();
        }
        catch (IOException) when (File.Exists(path))
        {
            throw InUse(folder);
        }
        catch (IOException)
        {
            // Its holder ended in this moment.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    private static InputException InUse(string folder) =>
        new($"{folder}: another run is writing there; expected a folder that is not in use");
}
