namespace NativeVaccine.Numerics;

/// <summary>
/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011):
/// a keyed bijection of 128-bit counters. It has no state, so any number of a run can be drawn again from where it stands.
/// </summary>
public static class Philox
{
    private const uint FirstMultiplier = 0xD2511F53;
    private const uint SecondMultiplier = 0xCD9E8D57;
    private const uint FirstWeyl = 0x9E3779B9;
    private const uint SecondWeyl = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>Four 32-bit words of the counter, or of the result.</summary>
    public readonly record struct Words(uint X, uint Y, uint Z, uint W);

    /// <summary>Two 32-bit words of the key.</summary>
    public readonly record struct Key(uint X, uint Y);

    /// <summary>The random block that belongs to <paramref name="counter"/> under <paramref name="key"/>.</summary>
    public static Words Block(Words counter, Key key)
    {
        (uint x, uint y, uint z, uint w) = counter;
        (uint keyX, uint keyY) = key;
        for (int round = 0; round < Rounds; round++)
        {
            ulong first = (ulong)FirstMultiplier * x;
            ulong second = (ulong)SecondMultiplier * z;
            (x, y, z, w) = ((uint)(second >> 32) ^ y ^ keyX, (uint)second, (uint)(first >> 32) ^ w ^ keyY, (uint)first);
            unchecked
            {
                keyX += FirstWeyl;
                keyY += SecondWeyl;
            }
        }

        return new Words(x, y, z, w);
    }
}
