using System.Buffers.Binary;

namespace NativeVaccine.Tokenization;

/// <summary>
/// Walks the fields of one protobuf message (wire format: protobuf.dev/programming-guides/encoding). Reads nothing outside its bytes and
/// allocates nothing.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string source)
{
    private const int VarintType = 0;
    private const int Fixed64Type = 1;
    private const int LengthDelimitedType = 2;
    private const int Fixed32Type = 5;

    private ReadOnlySpan<byte> rest = message;
    private readonly string source = source;

    /// <summary>The number of the field just read.</summary>
    public int Field { get; private set; }

    /// <summary>The value of a number field, or the bits of a fixed-size one.</summary>
    public ulong Number { get; private set; }

    /// <summary>The content of a length-delimited field (text, bytes or a message); empty for others.</summary>
    public ReadOnlySpan<byte> Content { get; private set; }

    /// <summary>The value of a 32-bit floating-point field.</summary>
    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)Number);

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="InputException">The bytes are no protobuf message.</exception>
    public bool Read()
    {
        if (rest.IsEmpty)
            return false;
        ulong tag = Varint();
        if (tag >> 3 is 0 or > int.MaxValue)
            throw Damaged();
        Field = (int)(tag >> 3);
        Content = default;
        Number = 0;
        switch ((int)(tag & 7))
        {
            case VarintType:
                Number = Varint();
                break;
            case Fixed64Type:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));
                break;
            case LengthDelimitedType:
                Content = Take(Varint());
                break;
            case Fixed32Type:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));
                break;
            default:
                throw Damaged();
        }

        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }

        throw Damaged();
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)rest.Length)
            throw Damaged();
        ReadOnlySpan<byte> taken = rest[..(int)count];
        rest = rest[(int)count..];
        return taken;
    }

    private readonly InputException Damaged() => new($"{source}: damaged or cut off: expected a SentencePiece model (protobuf)");
}
