using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Engine;
using NativeVaccine.IO;

namespace NativeVaccine.Training;

/// <summary>What a checkpoint says about itself, before the numbers.</summary>
internal sealed record CheckpointHeader
{
    /// <summary>Steps that were done; the run goes on with this one.</summary>
    public required int Step { get; init; }

    /// <summary>Name of the method.</summary>
    public required string Method { get; init; }

    /// <summary>What the method remembers.</summary>
    public required JsonObject MethodState { get; init; }

    /// <summary>How many samples were taken from each stream: <see cref="SampleStreams.Positions"/>.</summary>
    public required IReadOnlyDictionary<string, long> Streams { get; init; }

    /// <summary>The method's own vectors that are in the file, by their names.</summary>
    public required IReadOnlyList<string> Vectors { get; init; }

    /// <summary>What the run depends on: <see cref="RunFingerprint"/>.</summary>
    public required IReadOnlyDictionary<string, string> Fingerprint { get; init; }

    /// <summary>Bytes of metrics.jsonl that belong to the steps done.</summary>
    public required long MetricsBytes { get; init; }

    /// <summary>Bytes of replay.jsonl likewise.</summary>
    public required long ReplayBytes { get; init; }

    /// <summary>Bytes of tamper.jsonl likewise; 0 where the run is not looked at.</summary>
    public long TamperBytes { get; init; }

    /// <summary>Trainable tensors.</summary>
    public required int Tensors { get; init; }

    /// <summary>Elements of a parameter vector.</summary>
    public required long Parameters { get; init; }
}

/// <summary>
/// The file of a checkpoint, little-endian: eight bytes of name and version, the length of the header (int64), the header (JSON), the steps
/// that each tensor has taken (int64), parameters, first and second moments and the method's own vectors (fp32), and the SHA-256 of all.
/// </summary>
internal static class CheckpointFile
{
    private const int ChunkElements = 1 << 18;
    private const int LargestHeader = 1 << 24;

    private static ReadOnlySpan<byte> Magic => "NVCKPT03"u8;

    /// <summary>Writes what a session is. The file appears whole or not at all.</summary>
    /// <exception cref="InputException">The disk is full, or the folder cannot be written.</exception>
    public static void Write(string path, CheckpointHeader header, Session session, IReadOnlyList<ParameterVector> kept)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header, TrainingJsonContext.Default.CheckpointHeader);
        AtomicFile.Write(
            path,
            stream =>
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                void Put(ReadOnlySpan<byte> bytes)
                {
                    hash.AppendData(bytes);
                    stream.Write(bytes);
                }

                Put(Magic);
                Span<byte> length = stackalloc byte[sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
                Put(length);
                Put(json);
                Put(MemoryMarshal.AsBytes<long>(session.Optimizer.Steps));
                float[] chunk = new float[ChunkElements];
                foreach (ParameterVector vector in Vectors(session, kept))
                {
                    for (long first = 0; first < vector.Length; first += ChunkElements)
                    {
                        Span<float> piece = chunk.AsSpan(0, (int)Math.Min(ChunkElements, vector.Length - first));
                        vector.Read(piece, first);
                        Put(MemoryMarshal.AsBytes(piece));
                    }
                }
                stream.Write(hash.GetHashAndReset());
            },
            FileLength(json.Length, header));
    }

    /// <summary>Reads the header of a file after checking that the whole file is as it was written.</summary>
    /// <exception cref="InputException">It is torn, changed, or no checkpoint.</exception>
    public static CheckpointHeader ReadHeader(string path)
    {
        using Stream stream = Open(path);
        (CheckpointHeader header, long bodyOffset) = ParseHeader(stream, path);
        long expected = FileLength(bodyOffset - Magic.Length - sizeof(long), header);
        if (stream.Length != expected)
        {
            throw new InputException(
                FormattableString.Invariant($"{path}: {stream.Length} bytes; expected {expected}: the checkpoint is torn"));
        }
        stream.Position = 0;
        if (!StoredHash(stream).AsSpan().SequenceEqual(ComputedHash(stream)))
            throw new InputException($"{path}: the checksum does not fit: the checkpoint is damaged");
        return header;
    }

    /// <summary>Puts a session into the state of a file that <see cref="ReadHeader"/> accepted.</summary>
    /// <exception cref="InputException">It belongs to another model or other options.</exception>
    public static void Restore(string path, Session session, IReadOnlyList<ParameterVector> kept)
    {
        using Stream stream = Open(path);
        (CheckpointHeader header, long bodyOffset) = ParseHeader(stream, path);
        (int tensors, long parameters) = (session.TrainableTensors.Count, session.Parameters.Length);
        if (header.Tensors != tensors || header.Parameters != parameters || header.Vectors.Count != kept.Count)
        {
            throw new InputException(FormattableString.Invariant(
                $"{path}: {header.Tensors} tensors, {header.Parameters} parameters, {header.Vectors.Count} vectors of the method; the run has {tensors}, {parameters} and {kept.Count}"));
        }
        stream.Position = bodyOffset;
        long[] steps = new long[header.Tensors];
        stream.ReadExactly(MemoryMarshal.AsBytes(steps.AsSpan()));
        session.Optimizer.Steps = steps;
        float[] chunk = new float[ChunkElements];
        foreach (ParameterVector vector in Vectors(session, kept))
        {
            for (long first = 0; first < vector.Length; first += ChunkElements)
            {
                Span<float> piece = chunk.AsSpan(0, (int)Math.Min(ChunkElements, vector.Length - first));
                stream.ReadExactly(MemoryMarshal.AsBytes(piece));
                vector.Write(piece, first);
            }
        }
    }

    private static ParameterVector[] Vectors(Session session, IReadOnlyList<ParameterVector> kept) =>
        [session.Parameters, session.Optimizer.FirstMoment, session.Optimizer.SecondMoment, .. kept];

    private static long FileLength(long headerLength, CheckpointHeader header)
    {
        int vectorCount = 3 + header.Vectors.Count;
        long start = Magic.Length + sizeof(long) + headerLength;
        long counts = (long)header.Tensors * sizeof(long);
        return checked(start + counts + (vectorCount * header.Parameters * sizeof(float)) + SHA256.HashSizeInBytes);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return File.OpenRead(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {InputText.OneLine(exception.Message)}", exception);
        }
    }

    private static (CheckpointHeader Header, long BodyOffset) ParseHeader(Stream stream, string path)
    {
        Span<byte> start = stackalloc byte[Magic.Length + sizeof(long)];
        bool isWhole = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length;
        if (!isWhole || !start.StartsWith(Magic)) throw new InputException($"{path}: is no checkpoint of this version");
        long length = BinaryPrimitives.ReadInt64LittleEndian(start[Magic.Length..]);
        if (length is < 2 or > LargestHeader || length > stream.Length - start.Length)
            throw new InputException($"{path}: the header is damaged");
        byte[] json = new byte[length];
        stream.ReadExactly(json);
        try
        {
            CheckpointHeader? header = JsonSerializer.Deserialize(json, TrainingJsonContext.Default.CheckpointHeader);
            bool isSane = header is { Step: >= 0, Tensors: >= 0, MetricsBytes: >= 0, ReplayBytes: >= 0, TamperBytes: >= 0, Parameters: >= 0 }
                && header.Parameters <= stream.Length;
            return isSane ? (header!, start.Length + length) : throw new InputException($"{path}: the header is damaged");
        }
        catch (JsonException exception)
        {
            throw new InputException($"{path}: the header is damaged", exception);
        }
    }

    private static byte[] StoredHash(Stream stream)
    {
        byte[] stored = new byte[SHA256.HashSizeInBytes];
        stream.Position = stream.Length - stored.Length;
        stream.ReadExactly(stored);
        stream.Position = 0;
        return stored;
    }

    private static byte[] ComputedHash(Stream stream)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        long left = stream.Length - SHA256.HashSizeInBytes;
        while (left > 0)
        {
            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, left));
            stream.ReadExactly(piece);
            hash.AppendData(piece);
            left -= piece.Length;
        }
        return hash.GetHashAndReset();
    }
}
