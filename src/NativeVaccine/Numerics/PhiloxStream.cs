using System.Diagnostics.CodeAnalysis;

namespace NativeVaccine.Numerics;

/// <summary>
/// The random numbers of one purpose at one step of a run: Philox4x32-10 with the seed as its key and (position, purpose, step) as its
/// counter. Two streams that differ in seed, purpose or step share no number, and a stream made again gives the same numbers again: a
/// resumed run needs no generator state. Not safe for use by several threads at once.
/// </summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of random numbers is what the literature calls it.")]
public sealed class PhiloxStream(ulong seed, uint purpose, ulong step)
{
    private readonly Philox.Key key = new((uint)seed, (uint)(seed >> 32));
    private Philox.Words block;
    private uint blocksDrawn;
    private int wordsLeft;

    /// <summary>Thirty-two random bits.</summary>
    public uint NextUInt32()
    {
        if (wordsLeft == 0)
        {
            block = Philox.Block(new Philox.Words(blocksDrawn, purpose, (uint)step, (uint)(step >> 32)), key);
            blocksDrawn = checked(blocksDrawn + 1);
            wordsLeft = 4;
        }

        return wordsLeft-- switch
        {
            4 => block.X,
            3 => block.Y,
            2 => block.Z,
            _ => block.W,
        };
    }

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public double NextDouble()
    {
        ulong high = NextUInt32() >> 5;
        ulong low = NextUInt32() >> 6;
        return ((high << 26) | low) * (1.0 / (1UL << 53));
    }

    /// <summary>A whole number in [0, <paramref name="maximum"/>), every one equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maximum"/> is not positive.</exception>
    public int NextInt(int maximum)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maximum);
        // Lemire, "Fast Random Integer Generation in an Interval" (2019): the products below the threshold would favour some results.
        uint threshold = unchecked((uint)-maximum) % (uint)maximum;
        ulong product;
        do
        {
            product = (ulong)NextUInt32() * (uint)maximum;
        }
        while ((uint)product < threshold);
        return (int)(product >> 32);
    }

    /// <summary>
    /// A number of the normal distribution with mean 0 and variance 1 (Box and Muller; the second of each pair is not used).
    /// </summary>
    public double NextGaussian()
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        return radius * Math.Cos(Math.Tau * NextDouble());
    }

    /// <summary>The numbers 0 to <paramref name="count"/> - 1 in random order (Fisher and Yates), every order equally likely.</summary>
    public int[] Permutation(int count)
    {
        int[] order = new int[count];
        for (int i = 0; i < count; i++)
        {
            int j = NextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }

        return order;
    }
}
