using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;
using NativeVaccine.Numerics;

namespace NativeVaccine.Models;

/// <summary>Fills <paramref name="destination"/> with the elements of a tensor from index <paramref name="firstElement"/> on.</summary>
public delegate void TensorFill(long firstElement, Span<float> destination);

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Type">What it is stored as: F32, F16 or BF16.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Fill">Called for one piece after the other, in order; for several tensors at once.</param>
public sealed record TensorToWrite(string Name, ElementType Type, ImmutableArray<long> Shape, TensorFill Fill)
{
    /// <summary>The product of <see cref="Shape"/>.</summary>
    public long ElementCount => Shape.Aggregate(1L, static (product, size) => checked(product * size));

    /// <summary>Bytes that it takes in the file.</summary>
    public long ByteLength => checked(ElementCount * (Type.BitSize() / 8));
}

/// <summary>Writes a safetensors file tensor by tensor, holding a piece of one at a time; the file appears whole or not at all.</summary>
public static class SafetensorsWriter
{
    /// <summary>Few enough that what is read, merged, hashed and rounded stays in a core's cache.</summary>
    private const int ChunkElements = 1 << 15;

    /// <summary>More than this are not taken at once for the sake of whole rows.</summary>
    private const int MostElements = 1 << 17;
    private static readonly TimeSpan FlushEvery = TimeSpan.FromMilliseconds(200);

    private delegate void TakeBytes(ReadOnlySpan<byte> bytes, long first);

    /// <summary>Writes <paramref name="tensors"/> in the order given, with the metadata that transformers and peft expect.</summary>
    /// <exception cref="InputException">The disk is full, the file cannot be written, or a number is too large for F16.</exception>
    public static void Write(string path, IReadOnlyList<TensorToWrite> tensors)
    {
        byte[] header = Header(tensors);
        long length = header.Length + tensors.Sum(static tensor => tensor.ByteLength);
        AtomicFile.Write(path, stream => Write(stream, path, header, tensors), length);
    }

    private static void Write(Stream stream, string path, byte[] header, IReadOnlyList<TensorToWrite> tensors)
    {
        stream.Write(header);
        if (stream is not FileStream { CanSeek: true } file)
        {
            foreach (TensorToWrite tensor in tensors) Write(tensor, path, (bytes, _) => stream.Write(bytes));
            return;
        }
        file.Flush();
        long[] offsets = new long[tensors.Count];
        long end = file.Position;
        for (int i = 0; i < offsets.Length; i++)
        {
            offsets[i] = end;
            end += tensors[i].ByteLength;
        }
        SafeFileHandle handle = file.SafeFileHandle;
        FlushWhile(handle, () => Workers.ForEach(
            Enumerable.Range(0, tensors.Count),
            i => Write(tensors[i], path, (bytes, first) => RandomAccess.Write(handle, bytes, offsets[i] + first))));
    }

    /// <summary>Lets the disk work beside the processors: flushed once at the end, gigabytes would take as long again.</summary>
    private static void FlushWhile(SafeFileHandle handle, Action write)
    {
        using var isWritten = new ManualResetEventSlim();
        var flushing = Task.Run(() =>
        {
            while (!isWritten.Wait(FlushEvery)) RandomAccess.FlushToDisk(handle);
        });
        try
        {
            write();
        }
        finally
        {
            isWritten.Set();
            Task.WaitAny(flushing);  // before its handle is closed
        }
        flushing.GetAwaiter().GetResult();
    }

    /// <summary>Hands out the bytes of a tensor piece by piece, each with the index of its first.</summary>
    private static void Write(TensorToWrite tensor, string path, TakeBytes take)
    {
        int chunk = Chunk(tensor);
        float[] values = ArrayPool<float>.Shared.Rent(chunk);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(chunk * sizeof(float));
        try
        {
            long count = tensor.ElementCount;
            int size = tensor.Type.BitSize() / 8;
            for (long first = 0; first < count; first += chunk)
            {
                Span<float> piece = values.AsSpan(0, (int)Math.Min(chunk, count - first));
                tensor.Fill(first, piece);
                if (tensor.Type == ElementType.Float16) RequireFitsFloat16(piece, path, tensor.Name, first);
                Span<byte> stored = bytes.AsSpan(0, piece.Length * size);
                ElementConversion.FromFloat32(tensor.Type, piece, stored);
                take(stored, first * size);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(values);
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Elements of a piece: as many rows as are merged at once, unless they are too long.</summary>
    private static int Chunk(TensorToWrite tensor)
    {
        const int longestRow = MostElements / LoraMatrices.RowsAtATime;
        if (tensor.Shape is not [.., > 0 and <= longestRow]) return ChunkElements;
        int rows = LoraMatrices.RowsAtATime * (int)tensor.Shape[^1];
        return Math.Max(1, ChunkElements / rows) * rows;
    }

    /// <summary>Length and JSON, padded with spaces so that the data begins at a multiple of 8.</summary>
    private static byte[] Header(IReadOnlyList<TensorToWrite> tensors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.GetSpan(sizeof(ulong))[..sizeof(ulong)].Clear();
        buffer.Advance(sizeof(ulong));
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            long offset = 0;
            foreach (TensorToWrite tensor in tensors)
            {
                WriteEntry(json, tensor, offset);
                offset += tensor.ByteLength;
            }
            json.WriteEndObject();
        }
        int padding = -buffer.WrittenCount & 7;
        buffer.GetSpan(padding)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        byte[] header = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - sizeof(ulong));
        return header;
    }

    private static void WriteEntry(Utf8JsonWriter json, TensorToWrite tensor, long offset)
    {
        json.WriteStartObject(tensor.Name);
        json.WriteString("dtype", tensor.Type.SafetensorsName());
        json.WriteStartArray("shape");
        foreach (long size in tensor.Shape) json.WriteNumberValue(size);
        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(offset);
        json.WriteNumberValue(offset + tensor.ByteLength);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void RequireFitsFloat16(ReadOnlySpan<float> values, string path, string tensor, long firstElement)
    {
        const float firstThatRoundsToInfinity = 65520;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]) || MathF.Abs(values[i]) < firstThatRoundsToInfinity) continue;
            string where = $"{path}: tensor {InputText.Quote(tensor)}";
            throw new InputException(string.Create(
                CultureInfo.InvariantCulture,
                $"{where}: element {firstElement + i} is {values[i]}, too large for fp16; expected bf16 or fp32 as the type to write"));
        }
    }
}
