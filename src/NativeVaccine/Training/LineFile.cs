using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>
/// A file that grows by a line with every step. A line goes to the operating system at once, so a killed process leaves it there.
/// </summary>
internal sealed class LineFile : IDisposable
{
    private readonly string path;
    private readonly FileStream stream;
    private readonly MemoryStream line = new();

    /// <summary>Opens the file, or makes it.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public LineFile(string path)
    {
        this.path = path;
        try
        {
            // Without a buffer: what did not fit on a full disk would be written again when the file is closed, and throw there.
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
            stream.Seek(0, SeekOrigin.End);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(path, exception);
        }
    }

    /// <summary>Bytes written.</summary>
    public long Length => stream.Length;

    /// <summary>Appends what <paramref name="write"/> puts into the stream.</summary>
    /// <exception cref="InputException">The disk is full.</exception>
    public void Append(Action<Stream> write)
    {
        line.SetLength(0);
        write(line);
        Guard(() => stream.Write(line.GetBuffer(), 0, (int)line.Length));
    }

    /// <summary>Waits until everything is on the disk.</summary>
    public void FlushToDisk() => Guard(() => stream.Flush(flushToDisk: true));

    /// <summary>Cuts off everything after some bytes.</summary>
    /// <exception cref="InputException">There are fewer.</exception>
    public void Truncate(long length)
    {
        if (stream.Length < length)
        {
            throw new InputException(
                FormattableString.Invariant($"{path}: has {stream.Length} bytes; the checkpoint needs the first {length} of them"));
        }
        Guard(() =>
        {
            stream.SetLength(length);
            stream.Seek(0, SeekOrigin.End);
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        stream.Dispose();
        line.Dispose();
    }

    private void Guard(Action write)
    {
        try
        {
            write();
        }
        catch (IOException exception)
        {
            throw AtomicFile.CannotWrite(path, exception);
        }
    }
}
