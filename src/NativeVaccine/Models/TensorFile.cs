using System.Buffers;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// A file of named tensors. What it holds is checked whole when the file is opened; elements are read in pieces when asked for, so a
/// tensor may be larger than memory or than a span. Reading is positioned (not mapped: a file that shrinks under a mapping kills the
/// process, here it is an error) and may be done by several threads at once.
/// </summary>
public abstract class TensorFile : IDisposable
{
    private const int ChunkBytes = 1 << 18;
    private readonly Dictionary<string, TensorInfo> tensors;

    /// <summary>Opens the file and reads what it holds.</summary>
    /// <exception cref="InputException">Missing, not readable, or not well-formed.</exception>
    private protected TensorFile(string path, Func<SafeFileHandle, Dictionary<string, TensorInfo>> read)
    {
        Path = path;
        Handle = InputFile.Open(path);
        try
        {
            tensors = read(Handle);
        }
        catch
        {
            Handle.Dispose();
            throw;
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => tensors.Keys;

    /// <summary>The open file.</summary>
    private protected SafeFileHandle Handle { get; }

    /// <summary>Opens a file of the kind that its name tells: PyTorch's own for .bin, else safetensors.</summary>
    /// <exception cref="InputException">Missing, not readable, or not well-formed.</exception>
    public static TensorFile Open(string path) => path.EndsWith(TorchFile.Extension, StringComparison.OrdinalIgnoreCase)
        ? new TorchFile(path)
        : new SafetensorsReader(path);

    /// <summary>True if the file has a tensor of this name.</summary>
    public bool Contains(string name) => tensors.ContainsKey(name);

    /// <summary>Describes a tensor.</summary>
    /// <exception cref="InputException">The file has no tensor of this name.</exception>
    public TensorInfo Info(string name) => tensors.TryGetValue(name, out TensorInfo? info)
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
            long first = firstElement * elementSize;
            while (!destination.IsEmpty)
            {
                int count = Math.Min(destination.Length, ChunkBytes / elementSize);
                Span<byte> bytes = buffer.AsSpan(0, count * elementSize);
                ReadStored(info, bytes, first);
                ElementConversion.ToFloat32(info.Type, bytes, destination[..count]);
                destination = destination[count..];
                first += bytes.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a tensor's bytes as they are stored, elements in row-major order.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="firstByte">Index of the first byte of the tensor to read.</param>
    /// <exception cref="InputException">No such tensor, or the file has become shorter.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tensor has fewer bytes.</exception>
    public void ReadBytes(string name, Span<byte> destination, long firstByte = 0)
    {
        TensorInfo info = Info(name);
        RequireRange(info, firstByte, destination.Length, info.ByteLength);
        ReadStored(info, destination, firstByte);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Handle.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Reads a run of a tensor's bytes, which is known to lie in it.</summary>
    private protected virtual void ReadStored(TensorInfo info, Span<byte> destination, long firstByte) =>
        InputFile.ReadExactly(Handle, Path, destination, info.Offset + firstByte);

    private static void RequireRange(TensorInfo info, long first, int count, long available)
    {
        if (first >= 0 && first <= available - count) return;
        string problem = string.Create(CultureInfo.InvariantCulture, $"{count} from there are not in {info.Name}, which has {available}");
        throw new ArgumentOutOfRangeException(nameof(first), first, problem);
    }
}
