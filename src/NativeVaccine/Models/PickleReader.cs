using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using NativeVaccine.IO;

namespace NativeVaccine.Models;

/// <summary>An array of elements in a file of torch.save.</summary>
/// <param name="Type">What an element is.</param>
/// <param name="Key">Name of the entry that holds it.</param>
/// <param name="Count">Elements.</param>
internal sealed record PickledStorage(ElementType Type, string Key, long Count);

/// <summary>A view of a storage.</summary>
/// <param name="Storage">Where the elements lie.</param>
/// <param name="Offset">Index of the first element.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Strides">As many distances, in elements; none is negative.</param>
internal sealed record PickledTensor(PickledStorage Storage, long Offset, ImmutableArray<long> Shape, ImmutableArray<long> Strides);

/// <summary>
/// Reads a pickle (Python's Lib/pickletools.py) that describes a dictionary of tensors. It knows the instructions that this takes and the
/// few names that PyTorch writes for it; it calls nothing and makes nothing but these values, and refuses everything else.
/// </summary>
internal sealed class PickleReader
{
    private const int MostDimensions = 16;
    private static readonly object Mark = new();
    private static readonly object OrderedDictionary = new();
    private static readonly object RebuildTensor = new();
    private static readonly object RebuildParameter = new();

    private static readonly Dictionary<string, object> Names = new(StringComparer.Ordinal)
    {
        ["collections OrderedDict"] = OrderedDictionary,
        ["torch._utils _rebuild_tensor_v2"] = RebuildTensor,
        ["torch._utils _rebuild_parameter"] = RebuildParameter,
        ["torch FloatStorage"] = ElementType.Float32,
        ["torch HalfStorage"] = ElementType.Float16,
        ["torch BFloat16Storage"] = ElementType.BFloat16,
        ["torch DoubleStorage"] = ElementType.Float64,
        ["torch BoolStorage"] = ElementType.Boolean,
        ["torch ByteStorage"] = ElementType.UInt8,
        ["torch CharStorage"] = ElementType.Int8,
        ["torch ShortStorage"] = ElementType.Int16,
        ["torch IntStorage"] = ElementType.Int32,
        ["torch LongStorage"] = ElementType.Int64,
    };

    private readonly byte[] bytes;
    private readonly string path;
    private readonly Stack<object?> stack = [];
    private readonly Dictionary<long, object?> memo = [];
    private int position;

    private PickleReader(byte[] bytes, string path) => (this.bytes, this.path) = (bytes, path);

    /// <summary>The tensors by their names.</summary>
    /// <param name="bytes">The pickle.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InputException">It is broken, holds something else, or asks for something to be run.</exception>
    public static Dictionary<string, PickledTensor> Read(byte[] bytes, string path)
    {
        var reader = new PickleReader(bytes, path);
        if (reader.Run() is not Dictionary<string, object?> values) throw reader.Defect("holds no dictionary; expected one of tensors");
        var tensors = new Dictionary<string, PickledTensor>(StringComparer.Ordinal);
        foreach ((string name, object? value) in values)
        {
            if (value is not PickledTensor tensor)
                throw reader.Defect($"holds something else than a tensor under {InputText.Quote(name)}; expected a dictionary of tensors");
            tensors.Add(name, tensor);
        }
        return tensors;
    }

    private object? Run()
    {
        while (true)
        {
            int at = position;
            byte code = Next(1)[0];
            switch (code)
            {
                case (byte)'.': return Pop();
                case 0x80: RequireProtocol(Next(1)[0]); break;
                case 0x95: Next(8); break;                                             // FRAME
                case (byte)'(': stack.Push(Mark); break;
                case (byte)'}': stack.Push(new Dictionary<string, object?>(StringComparer.Ordinal)); break;
                case (byte)'N': stack.Push(null); break;
                case 0x88: stack.Push(true); break;
                case 0x89: stack.Push(false); break;
                case (byte)'K': stack.Push((long)Next(1)[0]); break;
                case (byte)'M': stack.Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Next(2))); break;
                case (byte)'J': stack.Push((long)BinaryPrimitives.ReadInt32LittleEndian(Next(4))); break;
                case 0x8A: stack.Push(LongNumber()); break;
                case (byte)'X': stack.Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Next(4)))); break;
                case 0x8C: stack.Push(Text(Next(1)[0])); break;
                case (byte)')': stack.Push(Array.Empty<object?>()); break;
                case 0x85: stack.Push(PopMany(1)); break;
                case 0x86: stack.Push(PopMany(2)); break;
                case 0x87: stack.Push(PopMany(3)); break;
                case (byte)'t': stack.Push(PopToMark()); break;
                case (byte)'q': memo[Next(1)[0]] = Top(); break;
                case (byte)'r': memo[BinaryPrimitives.ReadUInt32LittleEndian(Next(4))] = Top(); break;
                case 0x94: memo[memo.Count] = Top(); break;
                case (byte)'h': stack.Push(Remembered(Next(1)[0])); break;
                case (byte)'j': stack.Push(Remembered(BinaryPrimitives.ReadUInt32LittleEndian(Next(4)))); break;
                case (byte)'c': stack.Push(Named(Line(), Line())); break;
                case 0x93: stack.Push(StackNamed()); break;
                case (byte)'R': Reduce(); break;
                case (byte)'Q': stack.Push(Storage(Pop())); break;
                case (byte)'s': SetItems(PopMany(2)); break;
                case (byte)'u': SetItems(PopToMark()); break;
                case (byte)'b': DropState(); break;
                default:
                    throw Defect(string.Create(CultureInfo.InvariantCulture, $"has instruction 0x{code:X2} at {at}, which a dictionary of tensors does not take"));
            }
        }
    }

    private void RequireProtocol(byte protocol)
    {
        if (protocol > 5) throw Defect(string.Create(CultureInfo.InvariantCulture, $"is of protocol {protocol}; expected at most 5"));
    }

    private ReadOnlySpan<byte> Next(long count)
    {
        if (count > bytes.Length - position) throw Defect("is cut short");
        ReadOnlySpan<byte> next = bytes.AsSpan(position, (int)count);
        position += (int)count;
        return next;
    }

    private string Line()
    {
        int length = bytes.AsSpan(position).IndexOf((byte)'\n');
        if (length < 0) throw Defect("is cut short");
        return Text(length + 1)[..^1];
    }

    private string Text(long length)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Next(length));
        }
        catch (ArgumentException)
        {
            throw Defect("has a text that is not UTF-8");
        }
    }

    private long LongNumber()
    {
        ReadOnlySpan<byte> number = Next(Next(1)[0]);
        if (number.Length > sizeof(long)) throw Defect("has a number of more than 64 bits");
        long value = 0;
        for (int i = number.Length - 1; i >= 0; i--) value = (value << 8) | number[i];
        int unused = 8 * (sizeof(long) - number.Length);
        return number.Length is 0 or sizeof(long) ? value : value << unused >> unused;
    }

    private object? Pop()
    {
        if (!stack.TryPop(out object? value) || value == Mark) throw Defect("takes a value that is not there");
        return value;
    }

    private object? Top()
    {
        if (!stack.TryPeek(out object? value) || value == Mark) throw Defect("takes a value that is not there");
        return value;
    }

    private object?[] PopMany(int count)
    {
        object?[] values = new object?[count];
        for (int i = count - 1; i >= 0; i--) values[i] = Pop();
        return values;
    }

    private object?[] PopToMark()
    {
        var values = new List<object?>();
        while (true)
        {
            if (!stack.TryPop(out object? value)) throw Defect("takes values that are not there");
            if (value == Mark) break;
            values.Add(value);
        }
        values.Reverse();
        return [.. values];
    }

    private object? Remembered(long key) => memo.TryGetValue(key, out object? value) ? value : throw Defect("takes a value that is not there");

    private object StackNamed() => PopMany(2) is [string module, string name] ? Named(module, name) : throw Defect("names something without a name");

    private object Named(string module, string name) => Names.TryGetValue($"{module} {name}", out object? known)
        ? known
        : throw Defect($"wants {InputText.Quote($"{module}.{name}")}, which a dictionary of tensors does not take; nothing was run");

    private void Reduce()
    {
        object?[] called = PopMany(2);
        if (called[1] is not object?[] arguments) throw Defect("calls something without arguments");
        stack.Push(called[0] switch
        {
            var name when name == OrderedDictionary && arguments.Length == 0 => new Dictionary<string, object?>(StringComparer.Ordinal),
            var name when name == RebuildTensor => Tensor(arguments),
            var name when name == RebuildParameter && arguments is [PickledTensor tensor, ..] => tensor,
            _ => throw Defect("calls something that a dictionary of tensors does not take; nothing was run"),
        });
    }

    private PickledTensor Tensor(object?[] arguments)
    {
        if (arguments is not [PickledStorage storage, long offset, object?[] shape, object?[] strides, ..] || offset < 0
            || shape.Length != strides.Length || shape.Length > MostDimensions)
        {
            throw Defect("has a tensor that is none");
        }
        return new PickledTensor(storage, offset, Sizes(shape), Sizes(strides));
    }

    private ImmutableArray<long> Sizes(object?[] values)
    {
        if (!Array.TrueForAll(values, static value => value is long and >= 0)) throw Defect("has a tensor whose sizes are none");
        return [.. values.Cast<long>()];
    }

    /// <summary>What torch.save refers to storages by: ("storage", its type, its key, its device, its elements).</summary>
    private PickledStorage Storage(object? value) => value is object?[] and ["storage", ElementType type, string key, string, long and >= 0 and var count]
        ? new PickledStorage(type, key, count)
        : throw Defect("refers to something else than a storage");

    private void SetItems(object?[] items)
    {
        if (Top() is not Dictionary<string, object?> target || items.Length % 2 != 0) throw Defect("sets items of something else than a dictionary");
        for (int i = 0; i < items.Length; i += 2)
        {
            if (items[i] is not string name) throw Defect("has a key that is no text");
            target[name] = items[i + 1];
        }
    }

    /// <summary>state_dict() notes version numbers of modules beside its tensors; they say nothing about values.</summary>
    private void DropState()
    {
        Pop();
        if (Top() is not Dictionary<string, object?>) throw Defect("sets a state of something else than a dictionary");
    }

    private InputException Defect(string what) => new($"{path}: its pickle {what}");
}
