using ICSharpCode.SharpZipLib.GZip;
using NativeVaccine.IO;
using SharpCompress.Compressors.Xz;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// Unpacks gzip and xz, known by their first bytes, while it reads. A file that ends too early or is damaged is refused, never taken for a
/// shorter one: .NET's own GZipStream gives what there is of a file that is cut short (unless a switch of the process says otherwise), so gzip
/// is SharpZipLib's. xz is SharpCompress's, the one managed library for it that is kept up; it reads one stream of a file and takes missing
/// bytes for 0xFF, so that both are seen to here.
/// </summary>
internal static class Decompression
{
    private static readonly byte[] XzMagic = [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    /// <summary>The content of a stream, unpacked if it is packed.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="head">Its first bytes.</param>
    public static Stream Open(Stream stream, ReadOnlySpan<byte> head)
    {
        if (head is [0x1F, 0x8B, ..]) return new GuardedStream(new GZipInputStream(stream));
        return head.StartsWith(XzMagic) ? new GuardedStream(new XzFile(stream)) : stream;
    }

    /// <summary>The name of what is in a file: without the suffix of its compression.</summary>
    public static string NameInside(string path) =>
        Path.GetExtension(path).ToLowerInvariant() is ".gz" or ".xz" ? Path.GetFileNameWithoutExtension(path) : Path.GetFileName(path);

    /// <summary>The streams of an .xz file, one after another, as xz itself reads them: <c>cat a.xz b.xz</c> makes such files.</summary>
    private sealed class XzFile(Stream file) : ForwardStream
    {
        private readonly CompleteStream source = new(file);
        private XZStream? current;

        /// <inheritdoc/>
        public override int Read(byte[] buffer, int offset, int count)
        {
            while (count > 0)
            {
                if (current is null && !HasNext()) return 0;
                current ??= new XZStream(source);
                int read = current.Read(buffer, offset, count);
                if (read > 0) return read;
                current = null;
            }
            return 0;
        }

        /// <summary>Whether another stream begins, behind padding of zeros in fours.</summary>
        private bool HasNext()
        {
            long start = file.Position;
            int value;
            while ((value = file.ReadByte()) == 0)
            {
            }
            if (value >= 0) file.Position--;
            bool isPadded = (file.Position - start) % 4 == 0;
            return isPadded ? value >= 0 : throw new InvalidDataException("bytes between or after the streams are no padding");
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing) file.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>What goes wrong in a library becomes one kind of exception.</summary>
    private sealed class GuardedStream(Stream unpacked) : ForwardStream
    {
        /// <inheritdoc/>
        public override int Read(byte[] buffer, int offset, int count)
        {
            try
            {
                return unpacked.Read(buffer, offset, count);
            }
            catch (Exception exception) when (exception is not (IOException or OutOfMemoryException))
            {
                throw new InvalidDataException(InputText.OneLine(exception.Message), exception);
            }
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            if (disposing) unpacked.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>A file that says where it ends too early instead of giving nothing.</summary>
    private sealed class CompleteStream(Stream file) : ForwardStream
    {
        /// <inheritdoc/>
        public override long Position
        {
            get => file.Position;
            set => throw new NotSupportedException();
        }

        /// <inheritdoc/>
        public override int Read(byte[] buffer, int offset, int count)
        {
            int read = file.ReadAtLeast(buffer.AsSpan(offset, count), count, throwOnEndOfStream: false);
            return read == count ? read : throw new EndOfStreamException("the file ends before what is packed in it does");
        }

        /// <inheritdoc/>
        public override int ReadByte() =>
            file.ReadByte() is >= 0 and var value ? value : throw new EndOfStreamException("the file ends before what is packed in it does");
    }

    /// <summary>A stream that is read from its beginning to its end.</summary>
    private abstract class ForwardStream : Stream
    {
        /// <inheritdoc/>
        public override bool CanRead => true;

        /// <inheritdoc/>
        public override bool CanSeek => false;

        /// <inheritdoc/>
        public override bool CanWrite => false;

        /// <inheritdoc/>
        public override long Length => throw new NotSupportedException();

        /// <inheritdoc/>
        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        /// <inheritdoc/>
        public override void Flush()
        {
        }

        /// <inheritdoc/>
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        /// <inheritdoc/>
        public override void SetLength(long value) => throw new NotSupportedException();

        /// <inheritdoc/>
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
