using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>Where in a zip archive an entry lies that is stored uncompressed.</summary>
/// <param name="Offset">Of its first byte.</param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct ZipEntry(long Offset, long Length);

/// <summary>
/// The directory of a zip archive (APPNOTE.TXT 6.3.10 by PKWARE), with zip64. System.IO.Compression does not say where an entry lies, and
/// tensors are to be read in place.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndSize = 22;
    private const int Zip64LocatorSize = 20;
    private const int Zip64EndSize = 56;
    private const int EntrySize = 46;
    private const int LocalSize = 30;
    private const int LongestComment = 0xFFFF;
    private const int LongestDirectory = 1 << 26;
    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly long fileLength;

    private ZipDirectory(SafeFileHandle handle, string path)
    {
        (this.handle, this.path) = (handle, path);
        fileLength = RandomAccess.GetLength(handle);
    }

    /// <summary>The entries by their names.</summary>
    /// <exception cref="InputException">It is no such archive, or an entry is compressed, encrypted, there twice or cut off.</exception>
    public static Dictionary<string, ZipEntry> Read(SafeFileHandle handle, string path) => new ZipDirectory(handle, path).Read();

    private Dictionary<string, ZipEntry> Read()
    {
        if (!Bytes(0, (int)Math.Min(4, fileLength)).AsSpan().SequenceEqual("PK\x03\x04"u8))
            throw Defect($"is no zip archive; expected what torch.save writes since PyTorch 1.6 (load and save older files with it)");
        (long count, long size, long offset) = FindDirectory();
        if (size > LongestDirectory || offset < 0 || size < 0 || offset > fileLength - size)
            throw Defect($"its directory shall have {size} bytes at {offset}; the file has {fileLength}");
        ReadOnlySpan<byte> directory = Bytes(offset, (int)size);
        var entries = new Dictionary<string, ZipEntry>(StringComparer.Ordinal);
        for (long i = 0; i < count; i++)
        {
            if (directory.Length < EntrySize || !directory.StartsWith("PK\x01\x02"u8)) throw Defect($"entry {i} of its directory is broken");
            int nameLength = UInt16(directory, 28), extraLength = UInt16(directory, 30), commentLength = UInt16(directory, 32);
            int length = EntrySize + nameLength + extraLength + commentLength;
            if (directory.Length < length) throw Defect($"entry {i} of its directory is cut off");
            string name = Encoding.UTF8.GetString(directory.Slice(EntrySize, nameLength));
            ZipEntry entry = Entry(name, directory[..EntrySize], directory.Slice(EntrySize + nameLength, extraLength));
            if (!entries.TryAdd(name, entry)) throw Defect($"entry {InputText.Quote(name)} is there twice");
            directory = directory[length..];
        }
        return entries;
    }

    private (long Count, long Size, long Offset) FindDirectory()
    {
        int tailLength = (int)Math.Min(fileLength, EndSize + LongestComment);
        ReadOnlySpan<byte> tail = Bytes(fileLength - tailLength, tailLength);
        int end = tail.LastIndexOf("PK\x05\x06"u8);
        if (end < 0 || tail.Length - end < EndSize) throw Defect($"has no end of a zip archive; it is cut short");
        (long count, long size, long offset) = (UInt16(tail, end + 10), UInt32(tail, end + 12), UInt32(tail, end + 16));
        if (count != ushort.MaxValue && size != uint.MaxValue && offset != uint.MaxValue) return (count, size, offset);
        int locator = end - Zip64LocatorSize;
        if (locator < 0 || !tail[locator..].StartsWith("PK\x06\x07"u8)) return (count, size, offset);
        long at = Int64(tail, locator + 8);
        if (at < 0 || at > fileLength - Zip64EndSize) throw Defect($"its zip64 end shall lie at {at}; the file has {fileLength} bytes");
        ReadOnlySpan<byte> end64 = Bytes(at, Zip64EndSize);
        if (!end64.StartsWith("PK\x06\x06"u8)) throw Defect($"has no zip64 end at {at}");
        return (Int64(end64, 32), Int64(end64, 40), Int64(end64, 48));
    }

    private ZipEntry Entry(string name, ReadOnlySpan<byte> fixedPart, ReadOnlySpan<byte> extra)
    {
        if ((UInt16(fixedPart, 8) & 1) != 0) throw Defect($"entry {InputText.Quote(name)} is encrypted");
        if (UInt16(fixedPart, 10) != 0) throw Defect($"entry {InputText.Quote(name)} is compressed; expected it stored, as torch.save does");
        long stored = UInt32(fixedPart, 20), length = UInt32(fixedPart, 24), local = UInt32(fixedPart, 42);
        ReadOnlySpan<byte> wide = Zip64Field(extra);
        length = Wide(name, length, ref wide);
        stored = Wide(name, stored, ref wide);
        local = Wide(name, local, ref wide);
        if (stored != length) throw Defect($"entry {InputText.Quote(name)} has {length} bytes stored in {stored}");
        if (local < 0 || local > fileLength - LocalSize) throw Defect($"entry {InputText.Quote(name)} lies at {local}, outside the file");
        ReadOnlySpan<byte> header = Bytes(local, LocalSize);
        if (!header.StartsWith("PK\x03\x04"u8)) throw Defect($"entry {InputText.Quote(name)} has no header at {local}");
        long offset = local + LocalSize + UInt16(header, 26) + UInt16(header, 28);
        if (length < 0 || offset > fileLength - length) throw Defect($"entry {InputText.Quote(name)} is cut off; the file has {fileLength} bytes");
        return new ZipEntry(offset, length);
    }

    /// <summary>A number of the directory, or where it has no room there, the next of the extra field.</summary>
    private long Wide(string name, long number, ref ReadOnlySpan<byte> wide)
    {
        if (number != uint.MaxValue) return number;
        if (wide.Length < sizeof(long)) throw Defect($"entry {InputText.Quote(name)} lacks its zip64 sizes");
        long next = Int64(wide, 0);
        wide = wide[sizeof(long)..];
        return next;
    }

    private static ReadOnlySpan<byte> Zip64Field(ReadOnlySpan<byte> extra)
    {
        while (extra.Length >= 4)
        {
            int length = UInt16(extra, 2);
            if (length > extra.Length - 4) return [];
            if (UInt16(extra, 0) == 1) return extra.Slice(4, length);
            extra = extra[(4 + length)..];
        }
        return [];
    }

    private byte[] Bytes(long offset, int length)
    {
        byte[] bytes = new byte[length];
        InputFile.ReadExactly(handle, path, bytes, offset);
        return bytes;
    }

    private static int UInt16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static long UInt32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long Int64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);

    private InputException Defect(FormattableString what) => new($"{path}: {FormattableString.Invariant(what)}");
}
