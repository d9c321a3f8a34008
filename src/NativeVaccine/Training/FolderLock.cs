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
        catch (IOException exception) when (IsHeld(exception))
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
        catch (IOException exception) when (IsHeld(exception))
        {
            throw InUse(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Its holder ended in this moment, or the folder cannot be written, which whoever writes will say.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();

    /// <summary>EWOULDBLOCK as .NET reports it on Linux and macOS; ERROR_SHARING_VIOLATION on Windows.</summary>
    private static bool IsHeld(IOException exception) => OperatingSystem.IsWindows()
        ? unchecked((uint)exception.HResult) == 0x80070020
        : exception.HResult == (OperatingSystem.IsMacOS() ? 35 : 11);

    private static InputException InUse(string folder) =>
        new($"{folder}: another run is writing there; expected a folder that is not in use");
}
