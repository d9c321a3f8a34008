namespace NativeVaccine.IO;

/// <summary>Files that people have in the place of the one that they think they have: what a clone or a download left there.</summary>
internal static class StandIn
{
    /// <summary>As many bytes of a file's beginning as <see cref="Find"/> looks at.</summary>
    public const int HeadLength = 256;

    /// <summary>Says what the file is in truth, and what to do about it; null where its beginning is nothing known.</summary>
    /// <param name="head">The first bytes of the file.</param>
    /// <param name="path">Its path: some forms are what a name promises.</param>
    public static string? Find(ReadOnlySpan<byte> head, string path)
    {
        if (head.StartsWith("version https://git-lfs.github.com/spec/"u8))
            return "is a Git LFS pointer, not the file itself: run git lfs pull in its folder";
        if (!Is(path, ".txt") && IsMarkup(head)) return "is a web page, not the file itself; was it downloaded without logging in?";
        // A safetensors file begins with the length of its header, which may be any number; then comes '{'.
        bool isCompressed = head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 8]) && head is not [_, _, _, _, _, _, _, _, (byte)'{', ..];
        if (isCompressed) return "is compressed with gzip; expected it unpacked";
        bool mayBeZip = Is(path, ".bin") || Is(path, ".pt") || Is(path, ".pth");
        if (!mayBeZip && head.StartsWith("PK\x03\x04"u8)) return "is a zip archive; expected what is in it";
        return null;
    }

    private static bool Is(string path, string extension) => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase);

    private static bool IsMarkup(ReadOnlySpan<byte> head)
    {
        if (head is [0xEF, 0xBB, 0xBF, ..]) head = head[3..];
        head = head.TrimStart(" \t\r\n"u8);
        Span<byte> lower = stackalloc byte[Math.Min(head.Length, 16)];
        for (int i = 0; i < lower.Length; i++) lower[i] = head[i] is >= (byte)'A' and <= (byte)'Z' ? (byte)(head[i] | 0x20) : head[i];
        return lower.StartsWith("<!doctype html"u8) || lower.StartsWith("<html"u8) || lower.StartsWith("<?xml"u8);
    }
}
