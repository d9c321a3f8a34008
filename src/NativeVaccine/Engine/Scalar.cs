using NativeVaccine.Interop;

namespace NativeVaccine.Engine;

/// <summary>
/// A number that the engine has computed or will: a loss, a dot product, a norm. It stays on the device until <see cref="Value"/> is
/// read, so that asking for it makes nobody wait.
/// </summary>
public sealed class Scalar
{
    private readonly ScalarRing ring;
    private readonly bool squareRoot;
    private double? value;

    internal Scalar(ScalarRing ring, long position, bool squareRoot = false)
    {
        this.ring = ring;
        this.squareRoot = squareRoot;
        Position = position;
    }

    /// <summary>The number; the first reading waits for the engine.</summary>
    /// <exception cref="InvalidOperationException">
    /// It was not read before the session had computed thousands of others, and its place was used again.
    /// </exception>
    public double Value => value ??= Read();

    internal long Position { get; }

    /// <summary>Where the square of this norm lies, for the device to go on with.</summary>
    /// <exception cref="ArgumentException">It is no norm, or another session's.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="Value"/>.</exception>
    internal int SquareSlot(ScalarRing session)
    {
        if (!ReferenceEquals(ring, session)) throw new ArgumentException("the norm belongs to another session");
        if (!squareRoot) throw new ArgumentException("the scalar is no norm; expected one that Norm() gave");
        ring.Require(Position);
        return ScalarRing.Slot(Position);
    }

    private double Read()
    {
        Span<double> read = stackalloc double[1];
        ring.Read(Position, read);
        return squareRoot ? Math.Sqrt(read[0]) : read[0];
    }
}

/// <summary>
/// Hands out the session's numbered scalars, round and round. A position counts all that were ever handed out, so it tells whether its
/// slot still belongs to it.
/// </summary>
internal sealed class ScalarRing(SessionHandle session)
{
    /// <summary>VACCINE_SCALARS.</summary>
    public const int Slots = 4096;

    private long next;

    /// <summary>The number by which the engine knows a position.</summary>
    public static int Slot(long position) => (int)(position % Slots);

    /// <summary>Takes <paramref name="count"/> neighbouring slots.</summary>
    public long Take(int count = 1)
    {
        if (Slot(next) + count > Slots) next += Slots - Slot(next);
        long position = next;
        next += count;
        return position;
    }

    /// <summary>Reads neighbours in one call; waits.</summary>
    public void Read(long position, Span<double> values)
    {
        Require(position);
        NativeMethods.ScalarsRead(session, Slot(position), values.Length, values).ThrowIfFailed();
    }

    /// <exception cref="InvalidOperationException">The slot was handed out again.</exception>
    public void Require(long position)
    {
        if (next <= position + Slots) return;
        throw new InvalidOperationException(
            $"the scalar is stale: {next - position - 1} newer ones were computed before it was read; expected at most {Slots - 1}");
    }
}
