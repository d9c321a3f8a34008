using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NativeVaccine.Cli.Output;

/// <summary>
/// The standard output and error of this process, in UTF-8. A stream that was closed for it (<c>2&gt;&amp;-</c>) must not be written to: its
/// number belongs to whatever file is opened next, which may be the user's.
/// </summary>
internal static partial class StandardStreams
{
    private const int OutputNumber = 1;
    private const int ErrorNumber = 2;
    private const int GetFlags = 1;  // F_GETFD
    private const int CloseOnExec = 1;  // FD_CLOEXEC
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Holds the numbers of closed streams, so that no file gets them.</summary>
    private static readonly List<SafeFileHandle> Placeholders = [];

    /// <summary>Opens both; what goes to a stream that was closed is lost, and on the standard output that is an error.</summary>
    public static (TextWriter Output, TextWriter Error) Open()
    {
        // Without this, .NET writes '?' for box glyphs where the system's own encoding lacks them.
        Console.OutputEncoding = Utf8;
        if (OperatingSystem.IsWindows()) return (Console.Out, Console.Error);
        (bool hasOutput, bool hasError) = (IsInherited(OutputNumber), IsInherited(ErrorNumber));
        OccupyClosed();
        TextWriter output = !hasOutput ? Writer(new ClosedStream())
            : Console.IsOutputRedirected ? Writer(new DescriptorStream(OutputNumber, "standard output"))
            : Console.Out;
        TextWriter error = !hasError ? TextWriter.Null
            : Console.IsErrorRedirected ? Writer(new DescriptorStream(ErrorNumber, "standard error"))
            : Console.Error;
        return (output, error);
    }

    private static StreamWriter Writer(Stream stream) => new(stream, Utf8) { AutoFlush = true };

    /// <summary>Whether a number was open when this process began: the files that .NET opens are all marked not to be inherited.</summary>
    private static bool IsInherited(int descriptor) => GetFileFlags(descriptor, GetFlags) is >= 0 and var flags && (flags & CloseOnExec) == 0;

    private static void OccupyClosed()
    {
        while (true)
        {
            SafeFileHandle handle = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            if (handle.DangerousGetHandle() > ErrorNumber)
            {
                handle.Dispose();
                return;
            }
            Placeholders.Add(handle);
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int GetFileFlags(int descriptor, int command);

    private sealed class ClosedStream : MemoryStream
    {
        /// <inheritdoc/>
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.Length > 0) throw new OutputException("standard output: cannot be written: it is closed", isReaderGone: false);
        }

        /// <inheritdoc/>
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }
}
