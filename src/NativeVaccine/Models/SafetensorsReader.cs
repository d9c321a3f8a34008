using System.Buffers;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// Reads one safetensors file. The header is checked whole when the file is opened; elements are read in pieces when asked for, so a
/// tensor may be larger than memory or than a span. Reading is positioned (not mapped: a file that shrinks under a mapping kills the
/// process, here it is an error) and may be done by several threads at once.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const int ChunkBytes = 1 << 18;
    private readonly SafeFileHandle handle;
    private readonly SafetensorsHeader header;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="InputException">Missing, not readable, or not a well-formed safetensors file.</exception>
    public SafetensorsReader(string path)
    {
        Path = path;
        handle = InputFile.Open(path);
        try
        {
            header = SafetensorsHeader.Read(handle, path);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => header.Tensors.Keys;

    /// <summary>The strings that the writer left in the header, such as format = pt.</summary>
    public IReadOnlyDictionary<string, string> Metadata => header.Metadata;

    /// <summary>True if the file has a tensor of this name.</summary>
    public bool Contains(string name) => header.Tensors.ContainsKey(name);

    /// <summary>Describes a tensor.</summary>
    /// <exception cref="InputException">The file has no tensor of this name.</exception>
    public TensorInfo Info(string name) => header.Tensors.TryGetValue(name, out TensorInfo? info)
        ? info
        : throw new InputException($"{Path}: has no tensor {InputText.Quote(name)}");

    /// <summary>Reads elements of a tensor of F32, F16 or BF16 as floats.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstElement">Index of the first element to read, in row-major order.</param>
    /// <exception cref="InputException">No such tensor, of another type, or the file has become shorter.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has fewer elements.</exception>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        TensorInfo info = Info(name);
        if (!info.Type.IsWeight())
            throw new InputException($"{Path}: tensor {InputText.Quote(name)} is {info.Type.SafetensorsName()}; expected F32, F16 or BF16");
        RequireRange(info, firstElement, destination.Length, info.ElementCount);
        int elementSize = info.Type.BitSize() / 8;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(ChunkBytes, (long)destination.Length * elementSize));
        try
        {
            long offset = info.Offset + (firstElement * elementSize);
            while (!destination.IsEmpty)
            {
                int count = Math.Min(destination.Length, ChunkBytes / elementSize);
                Span<byte> bytes = buffer.AsSpan(0, count * elementSize);
                InputFile.ReadExactly(handle, Path, bytes, offset);
                ElementConversion.ToFloat32(info.Type, bytes, destination[..count]);
                destination = destination[count..];
                offset += bytes.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a tensor's bytes as they are stored.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstByte">Index of the first byte of the tensor to read.</param>
    /// <exception cref="InputException">No such tensor, or the file has become shorter.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has fewer bytes.</exception>
    public void ReadBytes(string name, Span<byte> destination, long firstByte = 0)
    {
        TensorInfo info = Info(name);
        RequireRange(info, firstByte, destination.Length, info.ByteLength);
        InputFile.ReadExactly(handle, Path, destination, info.Offset + firstByte);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private static void RequireRange(TensorInfo info, long first, int count, long available)
    {
        if (first >= 0 && first <= available - count) return;
        string problem = string.Create(CultureInfo.InvariantCulture, $"{count} from there are not in {info.Name}, which has {available}");
        throw new ArgumentOutOfRangeException(nameof(first), first, problem);
    }
}
