using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.IO;

/// <summary>Opens and reads files that the user named; what goes wrong becomes one line with the path.</summary>
public static class InputFile
{
    /// <summary>Opens a file for positioned reads.</summary>
    /// <exception cref="InputException">Missing, a folder, or not readable.</exception>
    public static SafeFileHandle Open(string path)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{path}: no such file", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw CannotRead(path, exception);
        }
    }

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
    /// <exception cref="InputException">Missing, a folder, or not readable.</exception>
    public static ReadOnlyMemory<byte> ReadText(string path)
    {
        try
        {
            // Others may write meanwhile: a run that reports reads the lines of the file that it holds open.
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            using var content = new MemoryStream(stream.CanSeek ? checked((int)stream.Length) : 0);
            stream.CopyTo(content);
            return InputText.WithoutMark(content.GetBuffer().AsMemory(0, (int)content.Length));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{path}: no such file", exception);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException or OverflowException)
        {
            throw CannotRead(path, exception);
        }
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

    private static InputException CannotRead(string path, Exception exception) =>
        new($"{path}: cannot be read: {InputText.OneLine(exception.Message)}", exception);
}
