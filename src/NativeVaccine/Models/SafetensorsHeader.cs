using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>
/// The header of a safetensors file: 8 bytes of length, that many bytes of JSON, then the elements. All rules of the format are checked
/// (huggingface.co/docs/safetensors, "Format"): the tensors cover the rest of the file without gap or overlap, and each has as many
/// bytes as its shape and type say.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The limit of the reference implementation; it keeps a lying length from becoming a large allocation.</summary>
    private const long MaximumLength = 100_000_000;

    private const int LengthSize = 8;
    private const string MetadataKey = "__metadata__";
    private readonly string file;

    private SafetensorsHeader(string file) => this.file = file;

    public Dictionary<string, TensorInfo> Tensors { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads and checks the header of an open file.</summary>
    /// <exception cref="InputException">The file breaks a rule of the format.</exception>
    public static SafetensorsHeader Read(SafeFileHandle handle, string file)
    {
        var header = new SafetensorsHeader(file);
        long fileLength = RandomAccess.GetLength(handle);
        byte[] text = header.ReadText(handle, fileLength);
        using JsonDocument document = JsonFile.ParseObject(text, file);
        long dataStart = LengthSize + text.Length;
        foreach (JsonProperty entry in document.RootElement.EnumerateObject())
        {
            if (entry.NameEquals(MetadataKey)) header.ReadMetadata(entry.Value);
            else header.Tensors.Add(entry.Name, header.ReadTensor(entry.Name, entry.Value, dataStart, fileLength - dataStart));
        }
        header.RequireFullCover(dataStart, fileLength);
        return header;
    }

    private byte[] ReadText(SafeFileHandle handle, long fileLength)
    {
        if (fileLength < LengthSize) throw Defect($"{fileLength} bytes are too few for a safetensors file");
        Span<byte> lengthBytes = stackalloc byte[LengthSize];
        InputFile.ReadExactly(handle, file, lengthBytes, 0);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(lengthBytes);
        if (length > MaximumLength) throw Defect($"the header says it has {length} bytes; expected at most {MaximumLength}");
        if ((long)length > fileLength - LengthSize)
            throw Defect($"the header says it has {length} bytes, but {fileLength - LengthSize} follow; the file is cut short");
        byte[] text = new byte[length];
        InputFile.ReadExactly(handle, file, text, LengthSize);
        return text;
    }

    private void ReadMetadata(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object) throw Defect($"{MetadataKey} is not an object of strings");
        foreach (JsonProperty entry in element.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String) throw Defect($"{MetadataKey} is not an object of strings");
            Metadata.Add(entry.Name, entry.Value.GetString()!);
        }
    }

    private TensorInfo ReadTensor(string name, JsonElement element, long dataStart, long dataLength)
    {
        if (element.ValueKind != JsonValueKind.Object) throw TensorDefect(name, $"its entry is not an object");
        string typeName = Member(name, element, "dtype", JsonValueKind.String).GetString()!;
        if (!ElementTypes.TryParseSafetensors(typeName, out ElementType type))
            throw TensorDefect(name, $"dtype {InputText.Quote(typeName)} is unknown");
        ImmutableArray<long> shape = Sizes(name, Member(name, element, "shape", JsonValueKind.Array), "shape");
        ImmutableArray<long> offsets = Sizes(name, Member(name, element, "data_offsets", JsonValueKind.Array), "data_offsets");
        if (offsets.Length != 2) throw TensorDefect(name, $"data_offsets has {offsets.Length} numbers; expected 2");
        (long begin, long end) = (offsets[0], offsets[1]);
        if (begin > end || end > dataLength)
            throw TensorDefect(name, $"data_offsets {begin} to {end} lie outside the file, which has {dataLength} bytes after the header");
        long expected = ByteLength(name, shape, type);
        if (end - begin != expected)
            throw TensorDefect(name, $"{end - begin} bytes, but shape {TensorInfo.Describe(shape)} of {typeName} takes {expected}");
        return new TensorInfo(name, type, shape, dataStart + begin, expected);
    }

    private long ByteLength(string name, ImmutableArray<long> shape, ElementType type)
    {
        if (shape.Contains(0)) return 0;
        UInt128 bits = (UInt128)type.BitSize();
        foreach (long size in shape)
        {
            // Both factors are below 2^64, so the product cannot overflow 128 bits.
            bits *= (UInt128)size;
            if (bits > long.MaxValue) throw TensorDefect(name, $"shape {TensorInfo.Describe(shape)} is too large");
        }
        if (bits % 8 != 0) throw TensorDefect(name, $"shape {TensorInfo.Describe(shape)} does not fill whole bytes");
        return (long)(bits / 8);
    }

    private void RequireFullCover(long dataStart, long fileLength)
    {
        long end = dataStart;
        foreach (TensorInfo tensor in Tensors.Values.OrderBy(static tensor => tensor.Offset).ThenBy(static tensor => tensor.ByteLength))
        {
            if (tensor.Offset < end) throw TensorDefect(tensor.Name, $"it overlaps the tensor before it by {end - tensor.Offset} bytes");
            if (tensor.Offset > end) throw TensorDefect(tensor.Name, $"{tensor.Offset - end} bytes before it belong to no tensor");
            end = tensor.Offset + tensor.ByteLength;
        }
        if (end != fileLength) throw Defect($"{fileLength - end} bytes at the end belong to no tensor");
    }

    private JsonElement Member(string name, JsonElement entry, string key, JsonValueKind kind)
    {
        if (entry.TryGetProperty(key, out JsonElement value) && value.ValueKind == kind) return value;
        throw TensorDefect(name, $"{key} is missing or not {(kind == JsonValueKind.String ? "a string" : "a list")}");
    }

    private ImmutableArray<long> Sizes(string name, JsonElement list, string key)
    {
        // No model has tensors of more dimensions; the limit keeps a message about one short.
        const int maximumCount = 16;
        int count = list.GetArrayLength();
        if (count > maximumCount) throw TensorDefect(name, $"{key} has {count} numbers; expected at most {maximumCount}");
        var sizes = ImmutableArray.CreateBuilder<long>(count);
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long size) || size < 0)
                throw TensorDefect(name, $"{key} holds {InputText.Shorten(item.GetRawText())}; expected whole numbers from 0");
            sizes.Add(size);
        }
        return sizes.MoveToImmutable();
    }

    private InputException TensorDefect(string name, FormattableString what) =>
        Defect($"tensor {InputText.Quote(name)}: {FormattableString.Invariant(what)}");

    private InputException Defect(FormattableString what) => new($"{file}: {FormattableString.Invariant(what)}");
}
