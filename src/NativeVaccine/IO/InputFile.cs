using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.IO;

/// <summary>Opens and reads files that the user named; what goes wrong becomes one line with the path.</summary>
public static class InputFile
{
    /// <summary>Nobody trains on more text than this at once, and it must fit into memory.</summary>
    public const int MaximumTextBytes = 1 << 30;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly AsyncLocal<Action<string>?> Notices = new();

    /// <summary>Told in a line, once a file, that nothing comes out of a pipe; null if nobody asks. Each flow of control has its own.</summary>
    public static Action<string>? Notice
    {
        get => Notices.Value;
        set => Notices.Value = value;
    }

    /// <summary>Refuses anything but a folder.</summary>
    /// <param name="path">The path.</param>
    /// <param name="expected">What should be there: "a PEFT adapter".</param>
    /// <exception cref="InputException">Nothing is there, or a file.</exception>
    public static void RequireFolder(string path, string expected)
    {
        if (Directory.Exists(path)) return;
        string found = File.Exists(path) ? "is a file, not a folder" : "no such folder";
        throw new InputException($"{path}: {found}; expected {expected}");
    }

    /// <summary>Opens a file for positioned reads.</summary>
    /// <exception cref="InputException">Missing, a folder, a pipe, empty, not readable, or something else in its place.</exception>
    public static SafeFileHandle Open(string path) => Guard(path, () =>
    {
        RequireFile(path, mayBePipe: false);
        SafeFileHandle handle = File.OpenHandle(path);
        try
        {
            byte[] head = new byte[StandIn.HeadLength];
            RequireItself(head.AsSpan(0, RandomAccess.Read(handle, head, 0)), path);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    });

    /// <summary>The whole content of a file of at most <paramref name="maximumBytes"/> bytes.</summary>
    /// <exception cref="InputException">Missing, not readable, or longer than that.</exception>
    public static byte[] ReadAllBytes(string path, int maximumBytes)
    {
        using SafeFileHandle handle = Open(path);
        long length = RandomAccess.GetLength(handle);
        if (length > maximumBytes)
            throw new InputException(FormattableString.Invariant($"{path}: {length} bytes; expected at most {maximumBytes}"));
        byte[] bytes = new byte[length];
        ReadExactly(handle, path, bytes, 0);
        return bytes;
    }

    /// <summary>The whole content of a text file or pipe, without a byte order mark.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mayBeEmpty">Whether there may be nothing in it.</param>
    /// <exception cref="InputException">
    /// Missing, a folder or device, empty, not readable, too long, or something else in its place.
    /// </exception>
    public static ReadOnlyMemory<byte> ReadText(string path, bool mayBeEmpty = false) => Guard(path, () =>
    {
        RequireFile(path, mayBePipe: true);
        // Opening a pipe waits for a writer, and reading for what it writes.
        using Timer? waiting = FileKinds.IsPipe(path) && Notice is { } notice
            ? new Timer(_ => notice($"{path}: is a pipe; waiting for a program to write into it"), null, Patience, Timeout.InfiniteTimeSpan)
            : null;
        // Others may write meanwhile: a run that reports reads the lines of the file that it holds open.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        long expected = stream.CanSeek ? stream.Length : 0;
        if (expected > MaximumTextBytes) throw TooLong(path);
        using var content = new MemoryStream((int)expected);
        byte[] piece = new byte[1 << 16];
        while (stream.Read(piece) is > 0 and var read)
        {
            waiting?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            if (content.Length + read > MaximumTextBytes) throw TooLong(path);
            content.Write(piece, 0, read);
        }
        ReadOnlyMemory<byte> text = content.GetBuffer().AsMemory(0, (int)content.Length);
        if (!mayBeEmpty || !text.IsEmpty) RequireItself(text.Span[..Math.Min(StandIn.HeadLength, text.Length)], path);
        return InputText.WithoutMark(text);
    });

    /// <summary>Opens a file or pipe for reading from its beginning to its end; it may be compressed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="head">Its first bytes, up to <see cref="StandIn.HeadLength"/>; empty for a pipe, which gives each byte once.</param>
    /// <exception cref="InputException">Missing, a folder or device, empty, not readable, or something else in its place.</exception>
    internal static FileStream OpenStream(string path, out byte[] head)
    {
        byte[] beginning = [];
        FileStream opened = Guard(path, () =>
        {
            RequireFile(path, mayBePipe: true);
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1 << 16);
            if (!stream.CanSeek) return stream;
            try
            {
                beginning = new byte[StandIn.HeadLength];
                beginning = beginning[..stream.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false)];
                if (beginning is not [0x1F, 0x8B, ..]) RequireItself(beginning, path);
                stream.Position = 0;
                return stream;
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        });
        head = beginning;
        return opened;
    }

    /// <summary>Fills <paramref name="destination"/> from the file at <paramref name="offset"/>.</summary>
    /// <exception cref="InputException">The file ends before that, or cannot be read.</exception>
    public static void ReadExactly(SafeFileHandle handle, string path, Span<byte> destination, long offset)
    {
        while (!destination.IsEmpty)
        {
            int read;
            try
            {
                read = RandomAccess.Read(handle, destination, offset);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw CannotRead(path, exception);
            }
            if (read == 0)
                throw new InputException(FormattableString.Invariant($"{path}: ends at byte {offset} while it is being read"));
            destination = destination[read..];
            offset += read;
        }
    }

    private static void RequireFile(string path, bool mayBePipe)
    {
        string expected = mayBePipe ? "a file or a pipe" : "a file";
        string? found = FileKinds.Of(path) switch
        {
            FileKind.Missing => throw new InputException($"{path}: no such file"),
            FileKind.Folder => "a folder",
            FileKind.Device => "a device",
            FileKind.Pipe when !mayBePipe => "a pipe",
            _ => null,
        };
        if (found is not null) throw new InputException($"{path}: is {found}; expected {expected}");
    }

    private static void RequireItself(ReadOnlySpan<byte> head, string path)
    {
        if (head.IsEmpty) throw new InputException($"{path}: is empty");
        if (StandIn.Find(head, path) is { } other) throw new InputException($"{path}: {other}");
    }

    private static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{path}: no such file", exception);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw CannotRead(path, exception);
        }
    }

    private static InputException TooLong(string path) =>
        new($"{path}: has more than {MaximumTextBytes >> 30} GiB of text; expected at most that");

    private static InputException CannotRead(string path, Exception exception) => new(
        $"{path}: cannot be read: {(exception is UnauthorizedAccessException ? "permission denied" : InputText.OneLine(exception.Message))}",
        exception);
}
