using NativeVaccine.IO;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// The bytes of a stream that are not taken yet: at least one record's, and never much more, however long the file is. Counts lines.
/// </summary>
/// <param name="stream">Where they come from.</param>
/// <param name="path">The file, for messages.</param>
internal sealed class RecordBuffer(Stream stream, string path)
{
    /// <summary>No record of text is as long; a quote that is never closed may be.</summary>
    public const int LargestRecord = 64 << 20;

    private const int FirstSize = 1 << 17;
    private byte[] buffer = new byte[FirstSize];
    private int begin;
    private int end;

    /// <summary>What is read and not taken.</summary>
    public ReadOnlyMemory<byte> Unread => buffer.AsMemory(begin, end - begin);

    /// <summary>True if nothing comes after <see cref="Unread"/>.</summary>
    public bool IsFinal { get; private set; }

    /// <summary>The line at which <see cref="Unread"/> begins, from 1.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>Reads more behind what is there, which moves it: slices taken before are no longer valid.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="InputException">The file is damaged or cut short, or a record is longer than <see cref="LargestRecord"/>.</exception>
    public bool Fill()
    {
        if (IsFinal) return false;
        if (end == buffer.Length) MakeRoom();
        int read;
        try
        {
            read = stream.ReadAtLeast(buffer.AsSpan(end), buffer.Length - end, throwOnEndOfStream: false);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: is damaged or cut short: {InputText.OneLine(exception.Message)}", exception);
        }
        end += read;
        IsFinal = end < buffer.Length;
        return read > 0;
    }

    /// <summary>Takes bytes from the beginning of <see cref="Unread"/>.</summary>
    public void Advance(int count)
    {
        Line += buffer.AsSpan(begin, count).Count((byte)'\n');
        begin += count;
    }

    private void MakeRoom()
    {
        int length = end - begin;
        if (length >= LargestRecord)
            throw new InputException($"{path}:{Line}: a record of more than {LargestRecord >> 20} MiB begins here; is a quote or bracket never closed?");
        byte[] larger = length > buffer.Length / 2 ? new byte[buffer.Length * 2] : buffer;
        buffer.AsSpan(begin, length).CopyTo(larger);
        (buffer, begin, end) = (larger, 0, length);
    }
}
