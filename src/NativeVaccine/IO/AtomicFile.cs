using System.Text;

namespace NativeVaccine.IO;

/// <summary>
/// Writes files so that a reader finds the old content or the new, never a part: everything goes to a temporary name in the same
/// folder, is flushed to the disk, and is renamed into place. After a failure the temporary file is gone and the old one untouched.
/// </summary>
public static class AtomicFile
{
    private const int ErrorWithoutCode = unchecked((int)0x80131620);  // COR_E_IO

    /// <summary>Writes <paramref name="text"/> as UTF-8 without a byte order mark.</summary>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes <paramref name="bytes"/>.</summary>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes what <paramref name="write"/> puts into the stream.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="write">Fills the stream; whatever it throws leaves the old file as it was.</param>
    /// <param name="expectedLength">Bytes to reserve first, if known: then a full disk is noticed before hours of work, not after.</param>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void Write(string path, Action<Stream> write, long expectedLength = 0)
    {
        string temporary = TemporaryNameFor(path);
        try
        {
            using (FileStream stream = Create(temporary, path, expectedLength))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception exception)
        {
            RemoveQuietly(temporary);
            if (exception is IOException or UnauthorizedAccessException) throw CannotWrite(path, exception);
            throw;
        }
    }

    private static FileStream Create(string temporary, string path, long expectedLength)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 1 << 16,
            PreallocationSize = expectedLength,
        };
        try
        {
            return new FileStream(temporary, options);
        }
        catch (IOException exception) when (expectedLength > 0 && exception.HResult == ErrorWithoutCode)
        {
            // .NET makes its own exception, without the system's code, where the space cannot be reserved.
            throw DiskFull(path, exception);
        }
    }

    /// <summary>The line for a person about a failed write to <paramref name="path"/>.</summary>
    internal static InputException CannotWrite(string path, Exception exception) => IsDiskFull(exception)
        ? DiskFull(path, exception)
        : new InputException($"{path}: cannot be written: {InputText.OneLine(exception.Message)}", exception);

    private static InputException DiskFull(string path, Exception exception) =>
        new($"{path}: the disk is full; nothing was written", exception);

    /// <summary>A new name beside <paramref name="path"/> that says what it is, should a killed process leave it behind.</summary>
    internal static string TemporaryNameFor(string path)
    {
        string full = Path.GetFullPath(path);
        string name = $".{Path.GetFileName(full)}.{Guid.NewGuid().ToString("N")[..8]}.partial";
        return Path.Combine(Path.GetDirectoryName(full) ?? full, name);
    }

    /// <summary>ENOSPC and EDQUOT as .NET reports them on Linux and macOS; ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL on Windows.</summary>
    private static bool IsDiskFull(Exception exception) => OperatingSystem.IsWindows()
        ? unchecked((uint)exception.HResult) is 0x80070027 or 0x80070070
        : exception.HResult == 28 || exception.HResult == (OperatingSystem.IsMacOS() ? 69 : 122);

    private static void RemoveQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The first failure is the one to report.
        }
    }
}
