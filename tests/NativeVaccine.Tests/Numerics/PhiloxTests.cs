using NativeVaccine.Numerics;

namespace NativeVaccine.Tests.Numerics;

public class PhiloxTests
{
    /// <summary>The known answers that the authors publish with their code (Random123, kat_vectors, philox4x32 with 10 rounds).</summary>
    [Theory]
    [InlineData(
        new uint[] { 0, 0, 0, 0 }, new uint[] { 0, 0 },
        new uint[] { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 })]
    [InlineData(
        new uint[] { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, new uint[] { 0xffffffff, 0xffffffff },
        new uint[] { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd })]
    [InlineData(
        new uint[] { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, new uint[] { 0xa4093822, 0x299f31d0 },
        new uint[] { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 })]
    public void BlockGivesThePublishedAnswers(uint[] counter, uint[] key, uint[] expected)
    {
        Philox.Words block = Philox.Block(new(counter[0], counter[1], counter[2], counter[3]), new(key[0], key[1]));
        Assert.Equal(new Philox.Words(expected[0], expected[1], expected[2], expected[3]), block);
    }

    [Fact]
    public void StreamIsTheBlocksOfItsCounters()
    {
        var stream = new PhiloxStream(0x1122334455667788, purpose: 9, step: 0x0000000700000005);
        var key = new Philox.Key(0x55667788, 0x11223344);
        for (uint position = 0; position < 3; position++)
        {
            Philox.Words block = Philox.Block(new(position, 9, 5, 7), key);
            Assert.Equal(block, new Philox.Words(stream.NextUInt32(), stream.NextUInt32(), stream.NextUInt32(), stream.NextUInt32()));
        }
    }

    [Fact]
    public void DoublesFillTheUnitInterval()
    {
        var stream = new PhiloxStream(1, 2, 3);
        double[] numbers = [.. Enumerable.Range(0, 20_000).Select(_ => stream.NextDouble())];
        Assert.All(numbers, number => Assert.InRange(number, 0, 1 - double.Epsilon));
        Assert.InRange(numbers.Average(), 0.49, 0.51);
        Assert.InRange(numbers.Min(), 0, 0.001);
        Assert.InRange(numbers.Max(), 0.999, 1);
    }

    [Fact]
    public void GaussianNumbersHaveTheirMoments()
    {
        var stream = new PhiloxStream(1, 2, 3);
        double[] numbers = [.. Enumerable.Range(0, 40_000).Select(_ => stream.NextGaussian())];
        Assert.InRange(numbers.Average(), -0.02, 0.02);
        Assert.InRange(numbers.Average(number => number * number), 0.97, 1.03);
        Assert.InRange(numbers.Average(number => number * number * number * number), 2.8, 3.2);
    }

    [Fact]
    public void WholeNumbersAreUnbiased()
    {
        const int Draws = 30_000;
        var stream = new PhiloxStream(5, 0, 0);
        int[] counts = new int[3];
        for (int draw = 0; draw < Draws; draw++)
            counts[stream.NextInt(3)]++;
        Assert.All(counts, count => Assert.InRange(count, (Draws / 3) - 400, (Draws / 3) + 400));
        Assert.Equal(0, stream.NextInt(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.NextInt(0));
    }

    /// <summary>
    /// 2^32 is two and two thirds of the maximum: without rejection, a multiple of three would come in three of eight draws.
    /// </summary>
    [Fact]
    public void WholeNumbersAreUnbiasedForLargeMaxima()
    {
        const int Draws = 30_000;
        var stream = new PhiloxStream(5, 0, 0);
        int multiples = Enumerable.Range(0, Draws).Count(_ => stream.NextInt(0x60000000) % 3 == 0);
        Assert.InRange(multiples, (Draws / 3) - 400, (Draws / 3) + 400);
    }

    [Fact]
    public void PermutationsAreEquallyLikely()
    {
        const int Draws = 12_000;
        var counts = new Dictionary<string, int>();
        for (ulong step = 0; step < Draws; step++)
        {
            int[] order = new PhiloxStream(3, 1, step).Permutation(3);
            string name = string.Join(',', order);
            counts[name] = counts.GetValueOrDefault(name) + 1;
        }

        Assert.Equal(6, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, (Draws / 6) - 200, (Draws / 6) + 200));
    }
}
