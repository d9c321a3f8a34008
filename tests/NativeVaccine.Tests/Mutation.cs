using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.Tests;

/// <summary>
/// Damages a good file in seeded ways and hands each damaged copy to a reader. A reader may accept it or throw
/// <see cref="InputException"/> with one line; anything else (another exception, memory out of proportion, several lines) fails.
/// </summary>
internal static class Mutation
{
    /// <summary>Managed bytes that a reader of a file of a few kilobytes may allocate for one mutation.</summary>
    public const long DefaultAllocationLimit = 4 << 20;

    private static readonly long[] InterestingIntegers =
    [
        0, 1, -1, 2, 7, 8, 9, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 100_000_000, 100_000_001,
        int.MaxValue, int.MinValue, uint.MaxValue, 1L << 32, 1L << 40, 1L << 62, long.MaxValue, long.MinValue,
    ];

    private static readonly byte[][] InterestingTexts =
    [
        .. new[]
        {
            "-1", "0", "1", "1.5", "1e400", "-0.0", "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
            "18446744073709551616", "null", "true", "[]", "{}", "\"\"", "\"\\ud800\"", "\\u0000", "\n", "\"", "\\", "[[[[[[[[[[[[",
            "{\"a\":", ",", ":", "}", "]", "../../x", "\0",
        }.Select(Encoding.UTF8.GetBytes),
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF],
    ];

    /// <summary>Runs <paramref name="read"/> on <paramref name="count"/> damaged copies of <paramref name="original"/>.</summary>
    public static void Run(byte[] original, int count, int seed, Action<byte[]> read) =>
        Run(original, count, seed, read, DefaultAllocationLimit);

    /// <summary>The same with another limit on the managed bytes that one call of the reader may allocate.</summary>
    public static void Run(byte[] original, int count, int seed, Action<byte[]> read, long allocationLimit)
    {
        // The undamaged file must be readable (else nothing is tested), and the first call pays what a reader allocates once.
        read([.. original]);
        for (int index = 0; index < count; index++)
        {
            byte[] damaged = Make(original, seed, index);
            long before = GC.GetAllocatedBytesForCurrentThread();
            string? defect = null;
            try
            {
                read(damaged);
            }
            catch (InputException exception) when (IsOneLine(exception.Message))
            {
                // The one permitted way to refuse a file.
            }
            catch (Exception exception)
            {
                defect = exception.ToString();
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (defect is null && allocated > allocationLimit)
                defect = string.Create(CultureInfo.InvariantCulture, $"the reader allocated {allocated} bytes");
            if (defect is not null)
                Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"mutation {index} of seed {seed}: {defect}"));
        }
    }

    /// <summary>
    /// Puts a damaged copy where a reader of files finds it. Written over the last one in place: a file created anew costs milliseconds
    /// on some file systems, and there are ten thousand.
    /// </summary>
    public static void Put(string path, byte[] damaged)
    {
        using SafeFileHandle handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
        RandomAccess.Write(handle, damaged, 0);
        RandomAccess.SetLength(handle, damaged.Length);
    }

    /// <summary>The damaged copy with this number, so that a failure can be looked at alone.</summary>
    public static byte[] Make(byte[] original, int seed, int index)
    {
        var random = new Random(unchecked((seed * 1_000_003) + index));
        var bytes = new List<byte>(original);
        int steps = 1 + random.Next(3);
        for (int step = 0; step < steps; step++) Damage(bytes, random);
        return [.. bytes];
    }

    private static void Damage(List<byte> bytes, Random random)
    {
        switch (random.Next(9))
        {
            case 0: FlipBits(bytes, random); break;
            case 1: if (bytes.Count > 0) bytes[Position(bytes, random)] = (byte)random.Next(256); break;
            case 2: WriteInteger(bytes, random); break;
            case 3: ReplaceDigits(bytes, random); break;
            case 4: Truncate(bytes, random.Next(bytes.Count + 1)); break;
            case 5: bytes.InsertRange(random.Next(bytes.Count + 1), InterestingTexts[random.Next(InterestingTexts.Length)]); break;
            case 6: RemoveSome(bytes, random); break;
            case 7: bytes.InsertRange(random.Next(bytes.Count + 1), Some(bytes, random)); break;
            default: Overwrite(bytes, random.Next(bytes.Count + 1), Some(bytes, random)); break;
        }
    }

    private static void FlipBits(List<byte> bytes, Random random)
    {
        for (int flips = 1 + random.Next(4); flips > 0 && bytes.Count > 0; flips--)
        {
            int position = Position(bytes, random);
            bytes[position] ^= (byte)(1 << random.Next(8));
        }
    }

    private static void WriteInteger(List<byte> bytes, Random random)
    {
        Span<byte> value = stackalloc byte[8];
        long integer = InterestingIntegers[random.Next(InterestingIntegers.Length)];
        if (random.Next(4) == 0) integer = bytes.Count + random.Next(-9, 10);
        int width = 1 << random.Next(4);
        BinaryPrimitives.WriteInt64LittleEndian(value, integer);
        if (random.Next(4) == 0) value[..width].Reverse();
        Overwrite(bytes, random.Next(4) == 0 ? 0 : random.Next(bytes.Count + 1), value[..width].ToArray());
    }

    /// <summary>Replaces one number written in digits by another: where JSON readers are tried hardest.</summary>
    private static void ReplaceDigits(List<byte> bytes, Random random)
    {
        int start = bytes.FindIndex(random.Next(bytes.Count + 1), static b => b is >= (byte)'0' and <= (byte)'9');
        if (start < 0) return;
        int end = start;
        while (end < bytes.Count && bytes[end] is >= (byte)'0' and <= (byte)'9') end++;
        bytes.RemoveRange(start, end - start);
        long integer = random.Next(3) == 0 ? random.Next(2000) : InterestingIntegers[random.Next(InterestingIntegers.Length)];
        bytes.InsertRange(start, Encoding.ASCII.GetBytes(integer.ToString(CultureInfo.InvariantCulture)));
    }

    private static void Truncate(List<byte> bytes, int length) => bytes.RemoveRange(length, bytes.Count - length);

    private static void RemoveSome(List<byte> bytes, Random random)
    {
        int start = random.Next(bytes.Count + 1);
        bytes.RemoveRange(start, Math.Min(bytes.Count - start, 1 + random.Next(32)));
    }

    private static byte[] Some(List<byte> bytes, Random random)
    {
        int start = random.Next(bytes.Count + 1);
        return [.. bytes.GetRange(start, Math.Min(bytes.Count - start, 1 + random.Next(64)))];
    }

    private static void Overwrite(List<byte> bytes, int position, byte[] source)
    {
        for (int i = 0; i < source.Length && position + i < bytes.Count; i++) bytes[position + i] = source[i];
    }

    private static int Position(List<byte> bytes, Random random) => random.Next(bytes.Count);

    private static bool IsOneLine(string message) => message.Length is > 0 and < 2000 && message.AsSpan().IndexOfAny('\n', '\r') < 0;
}
