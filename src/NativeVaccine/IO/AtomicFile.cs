using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.IO;

/// <summary>
/// Writes files so that a reader finds the old content or the new, never a part: everything goes to a temporary name beside the file that
/// the path leads to, is flushed to the disk, and is renamed into place. After a failure the temporary file is gone and the old one
/// untouched. Pipes and devices are written to as they are.
/// </summary>
public static class AtomicFile
{
    private const int ErrorWithoutCode = unchecked((int)0x80131620);  // COR_E_IO
    private const int BufferSize = 1 << 16;
    private const UnixFileMode NewFile = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Writes <paramref name="text"/> as UTF-8 without a byte order mark.</summary>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes <paramref name="bytes"/>.</summary>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes what <paramref name="write"/> puts into the stream.</summary>
    /// <param name="path">The file to create or replace; or a pipe, a device or an open file (/dev/fd/3) to write to.</param>
    /// <param name="write">Fills the stream; whatever it throws leaves the old file as it was.</param>
    /// <param name="expectedLength">Bytes to reserve first, if known: then a full disk is noticed before hours of work, not after.</param>
    /// <exception cref="InputException">The disk is full, the folder is missing or not writable.</exception>
    public static void Write(string path, Action<Stream> write, long expectedLength = 0)
    {
        string real = RealPath.Of(path);
        try
        {
            if (IsReplaced(path, real))
            {
                Replace(path, real, write, expectedLength);
                return;
            }
            using FileStream stream = OpenAsItIs(real);
            write(stream);
            stream.Flush();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, exception);
        }
    }

    /// <summary>Refuses, before long work, a path that <see cref="Write"/> could not write. Leaves no trace.</summary>
    /// <exception cref="InputException">The folder is missing or not writable, or the path is a folder's or a protected file's.</exception>
    public static void RequireWritable(string path)
    {
        string real = RealPath.Of(path);
        try
        {
            if (!IsReplaced(path, real)) return;  // opening a pipe would wait for its reader, or end it
            RequireUnprotected(real);
            string temporary = TemporaryName.For(real);
            try
            {
                Create(temporary, path, real, 0).Dispose();
            }
            finally
            {
                TemporaryName.Remove(temporary);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, exception);
        }
    }

    /// <summary>Whether two paths lead to one file.</summary>
    public static bool IsSame(string path, string other) => RealPath.Of(path) == RealPath.Of(other);

    /// <summary>Whether a path leads into a folder.</summary>
    public static bool IsWithin(string path, string folder) => RealPath.IsBelow(RealPath.Of(path), RealPath.Of(folder));

    /// <summary>Whether the path is that of this process's standard output: /dev/stdout, /proc/self/fd/1, or a link to it.</summary>
    public static bool IsStandardOutput(string path) => RealPath.Descriptor(RealPath.Of(path)) == 1;

    /// <summary>Removes everything that this process is writing, which it will not finish: for ending it at once.</summary>
    public static void Abandon() => TemporaryName.RemoveLive();

    /// <summary>The line for a person about a failed write to <paramref name="path"/>.</summary>
    internal static InputException CannotWrite(string path, Exception exception)
    {
        if (IsDiskFull(exception)) return DiskFull(path, exception);
        // .NET's own words name the temporary file.
        string reason = exception switch
        {
            DirectoryNotFoundException => "its folder does not exist",
            UnauthorizedAccessException => "permission denied",
            _ => InputText.OneLine(exception.Message),
        };
        return new InputException($"{path}: cannot be written: {reason}", exception);
    }

    /// <summary>Whether a failure means that there is no room left on a disk, or that it is used up for this user.</summary>
    /// <remarks>ENOSPC and EDQUOT as .NET reports them on Linux and macOS; ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL on Windows.</remarks>
    public static bool IsDiskFull(Exception exception) => OperatingSystem.IsWindows()
        ? unchecked((uint)exception.HResult) is 0x80070027 or 0x80070070
        : exception.HResult == 28 || exception.HResult == (OperatingSystem.IsMacOS() ? 69 : 122);

    private static void Replace(string path, string real, Action<Stream> write, long expectedLength)
    {
        RequireUnprotected(real);
        TemporaryName.RemoveDead(Path.GetDirectoryName(real) ?? real, real);
        string temporary = TemporaryName.For(real);
        try
        {
            using (FileStream stream = Create(temporary, path, real, expectedLength))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, real, overwrite: true);
        }
        finally
        {
            TemporaryName.Remove(temporary);
        }
    }

    /// <summary>A new file with the rights and the owner of the one that it will replace.</summary>
    private static FileStream Create(string temporary, string path, string real, long expectedLength)
    {
        bool isNew = !File.Exists(real);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = BufferSize,
            PreallocationSize = expectedLength,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = isNew ? NewFile : File.GetUnixFileMode(real);
        try
        {
            var stream = new FileStream(temporary, options);
            if (isNew || OperatingSystem.IsWindows()) return stream;
            FileKinds.CopyOwner(real, temporary);
            File.SetUnixFileMode(stream.SafeFileHandle, File.GetUnixFileMode(real));
            return stream;
        }
        catch (IOException exception) when (expectedLength > 0 && exception.HResult == ErrorWithoutCode)
        {
            // .NET makes its own exception, without the system's code, where the space cannot be reserved.
            throw DiskFull(path, exception);
        }
    }

    private static bool IsReplaced(string path, string real)
    {
        if (RealPath.Descriptor(real) is not null) return false;
        return FileKinds.Of(real) switch
        {
            FileKind.Folder => throw new InputException($"{path}: is a folder; expected a file to write"),
            FileKind.Pipe or FileKind.Device => false,
            _ => true,
        };
    }

    /// <summary>Renaming over a file asks only its folder; a file that its owner protected stays.</summary>
    private static void RequireUnprotected(string real)
    {
        if (File.Exists(real)) File.OpenHandle(real, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete).Dispose();
    }

    private static FileStream OpenAsItIs(string real) => RealPath.Descriptor(real) is { } descriptor
        ? new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, BufferSize)
        : new FileStream(real, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, BufferSize);

    private static InputException DiskFull(string path, Exception exception) =>
        new($"{path}: the disk is full; nothing was written", exception);
}
