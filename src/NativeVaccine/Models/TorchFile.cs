using System.Numerics;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// Reads a file of PyTorch's torch.save since version 1.6 that holds a dictionary of tensors: a zip archive of a pickle and of the tensors'
/// storages, which lie in it uncompressed. Nothing of the pickle is run: see <see cref="PickleReader"/>.
/// </summary>
public sealed class TorchFile : TensorFile
{
    /// <summary>Of such files in model folders.</summary>
    public const string Extension = ".bin";

    private const string PickleName = "data.pkl";

    /// <summary>A model of 405B parameters has one of 200 KB.</summary>
    private const int LongestPickle = 1 << 24;

    private readonly Lock gate = new();
    private (TensorInfo? Tensor, byte[] Stored) spread = (null, []);

    /// <summary>Opens a file and reads its pickle.</summary>
    /// <exception cref="InputException">Missing, not readable, of another form, or asking for something to be run.</exception>
    public TorchFile(string path) : base(path, handle => Read(handle, path))
    {
    }

    /// <summary>
    /// Elements of a view that do not lie one after the other (a transposed matrix) are gathered from the part of the storage that the view
    /// spans, which is kept until another such tensor is read.
    /// </summary>
    private protected override void ReadStored(TensorInfo info, Span<byte> destination, long firstByte)
    {
        if (info is not StridedView view)
        {
            base.ReadStored(info, destination, firstByte);
            return;
        }
        byte[] stored;
        lock (gate)
        {
            if (spread.Tensor != info)
            {
                byte[] span = new byte[view.SpanBytes];
                InputFile.ReadExactly(Handle, Path, span, info.Offset);
                spread = (info, span);
            }
            stored = spread.Stored;
        }
        view.Gather(stored, destination, firstByte);
    }

    private static Dictionary<string, TensorInfo> Read(SafeFileHandle handle, string path)
    {
        Dictionary<string, ZipEntry> entries = ZipDirectory.Read(handle, path);
        string[] pickles = [.. entries.Keys.Where(static name => name == PickleName || name.EndsWith($"/{PickleName}", StringComparison.Ordinal))];
        if (pickles.Length != 1)
            throw new InputException($"{path}: has {pickles.Length} entries {PickleName}; expected a file by torch.save, which has one");
        string folder = pickles[0][..^PickleName.Length];
        if (entries.TryGetValue($"{folder}byteorder", out ZipEntry order) && Bytes(handle, path, order, 16) is var text && !text.SequenceEqual("little"u8))
            throw new InputException($"{path}: its byteorder is not little; expected a file written on a little-endian machine");
        byte[] pickle = Bytes(handle, path, entries[pickles[0]], LongestPickle);
        var tensors = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach ((string name, PickledTensor tensor) in PickleReader.Read(pickle, path))
        {
            if (!entries.TryGetValue($"{folder}data/{tensor.Storage.Key}", out ZipEntry entry))
                throw Defect(path, name, $"its storage {InputText.Quote(tensor.Storage.Key)} is not in the file");
            tensors.Add(name, Place(path, name, tensor, entry));
        }
        return tensors;
    }

    private static byte[] Bytes(SafeFileHandle handle, string path, ZipEntry entry, int most)
    {
        if (entry.Length > most) throw new InputException($"{path}: an entry has {entry.Length} bytes; expected at most {most}");
        byte[] bytes = new byte[entry.Length];
        InputFile.ReadExactly(handle, path, bytes, entry.Offset);
        return bytes;
    }

    /// <summary>Checks that all elements of a tensor lie in its storage, and that the storage lies in the file.</summary>
    private static TensorInfo Place(string path, string name, PickledTensor tensor, ZipEntry entry)
    {
        int size = tensor.Storage.Type.BitSize() / 8;
        if (tensor.Storage.Count > entry.Length / size)
            throw Defect(path, name, $"its storage shall have {tensor.Storage.Count} elements of {size} bytes, but has {entry.Length} bytes");
        BigInteger count = 1, last = tensor.Offset;
        foreach ((long length, long stride) in tensor.Shape.Zip(tensor.Strides))
        {
            count *= length;
            last += (BigInteger)Math.Max(length - 1, 0) * stride;
        }
        if (count * size > long.MaxValue) throw Defect(path, name, $"shape {TensorInfo.Describe(tensor.Shape)} is too large");
        if (count > 0 && last >= tensor.Storage.Count)
            throw Defect(path, name, $"element {last} is asked for of a storage of {tensor.Storage.Count}");
        long byteLength = (long)count * size;
        long offset = entry.Offset + (count > 0 ? tensor.Offset * size : 0);
        if (count == 0 || IsContiguous(tensor)) return new TensorInfo(name, tensor.Storage.Type, tensor.Shape, offset, byteLength);
        BigInteger span = (last - tensor.Offset + 1) * size;
        if (span > Array.MaxLength)
            throw Defect(path, name, $"its elements are spread over {span} bytes; expected them one after the other");
        return new StridedView(name, tensor.Storage.Type, tensor.Shape, offset, byteLength, tensor.Strides, (int)span);
    }

    private static bool IsContiguous(PickledTensor tensor)
    {
        long expected = 1;
        for (int i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            if (tensor.Shape[i] != 1 && tensor.Strides[i] != expected) return false;
            expected *= tensor.Shape[i];
        }
        return true;
    }

    private static InputException Defect(string path, string name, FormattableString what) =>
        new($"{path}: tensor {InputText.Quote(name)}: {FormattableString.Invariant(what)}");
}
