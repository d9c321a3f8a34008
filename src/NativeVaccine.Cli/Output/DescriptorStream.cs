using System.Runtime.InteropServices;

namespace NativeVaccine.Cli.Output;

/// <summary>The standard output cannot take the result.</summary>
/// <param name="message">Why, in a line.</param>
/// <param name="isReaderGone">Whether it is a pipe whose reader has had enough, as <c>head -1</c> has.</param>
internal sealed class OutputException(string message, bool isReaderGone) : Exception(message)
{
    /// <summary>Nobody is left to tell.</summary>
    public bool IsReaderGone => isReaderGone;
}

/// <summary>
/// An open file by its number, written to where it stands, as other programs that have it open do. .NET's own stream of the standard output
/// is silent about a reader that is gone.
/// </summary>
internal sealed partial class DescriptorStream(int descriptor, string name) : Stream
{
    private const int Interrupted = 4;
    private const int BrokenPipe = 32;
    private const int TryAgain = 11;
    private const int TryAgainOnMac = 35;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint written = WriteTo(descriptor, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }
            int error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            if (error == (OperatingSystem.IsMacOS() ? TryAgainOnMac : TryAgain))
            {
                // A pipe that another program made non-blocking is full.
                Thread.Sleep(Pause);
                continue;
            }
            throw new OutputException($"{name}: cannot be written: {Marshal.GetPInvokeErrorMessage(error)}", error == BrokenPipe);
        }
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteTo(int descriptor, ReadOnlySpan<byte> bytes, nint count);
}
