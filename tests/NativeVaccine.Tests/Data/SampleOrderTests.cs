using NativeVaccine.Data;

namespace NativeVaccine.Tests.Data;

public class SampleOrderTests
{
    [Theory]
    [InlineData(30, 4, 1, 3, 24)]
    [InlineData(30, 4, 2, 4, 16)]
    [InlineData(10, 10, 1, 1, 1)]
    [InlineData(3, 10, 4, 2, 2)]
    [InlineData(1, 1, 1, 5, 5)]
    public void EveryEpochSeesEverySampleOnce(int samples, int batch, int accumulate, int epochs, int steps)
    {
        var order = new SampleOrder(samples, batch, accumulate, epochs, seed: 43);
        Assert.Equal(steps, order.TotalSteps);
        Assert.Equal(steps, epochs * order.StepsPerEpoch);
        for (int epoch = 0; epoch < epochs; epoch++)
        {
            IEnumerable<int> seen = Enumerable.Range(epoch * order.StepsPerEpoch, order.StepsPerEpoch)
                .SelectMany(step => order.Batch(step)).SelectMany(micro => micro);
            Assert.Equal(Enumerable.Range(0, samples), seen.Order());
        }
    }

    [Fact]
    public void LastMicroBatchesAreKeptThoughTheyAreSmaller()
    {
        var order = new SampleOrder(30, batchSize: 4, accumulate: 2, epochs: 1, seed: 1);
        Assert.Equal([4, 4], order.Batch(0).Select(micro => micro.Length));
        Assert.Equal([4, 2], order.Batch(3).Select(micro => micro.Length));
    }

    [Fact]
    public void AStepIsTheSameWhereverOneBegins()
    {
        var whole = new SampleOrder(17, 3, 2, 4, seed: 7);
        IReadOnlyList<int[]>[] all = [.. Enumerable.Range(0, whole.TotalSteps).Select(whole.Batch)];
        for (int step = whole.TotalSteps - 1; step >= 0; step--)
            Assert.Equal(all[step], new SampleOrder(17, 3, 2, 4, seed: 7).Batch(step));
    }

    [Fact]
    public void EpochsAndSeedsDiffer()
    {
        var order = new SampleOrder(50, 50, 1, 2, seed: 7);
        Assert.NotEqual(order.Batch(0)[0], order.Batch(1)[0]);
        Assert.NotEqual(order.Batch(0)[0], new SampleOrder(50, 50, 1, 2, seed: 8).Batch(0)[0]);
    }

    [Theory]
    [InlineData(0, 1, 1, 1)]
    [InlineData(1, 0, 1, 1)]
    [InlineData(1, 1, -1, 1)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(1000000, 1, 1, 1000000)]
    public void RefusesWhatGivesNoRun(int samples, int batch, int accumulate, int epochs) =>
        Assert.Throws<InputException>(() => new SampleOrder(samples, batch, accumulate, epochs, seed: 0));

    [Fact]
    public void StepsOutsideTheRunDoNotExist()
    {
        var order = new SampleOrder(4, 2, 1, 1, seed: 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => order.Batch(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => order.Batch(-1));
    }

    [Fact]
    public void APoolIsWalkedThroughAndShuffledAnew()
    {
        var order = new PoolOrder(12, seed: 43, SampleKind.Harmful);
        int[][] rounds = [.. Enumerable.Range(0, 48).Select(position => Assert.Single(order.Take(position, 1))).Chunk(12)];
        Assert.All(rounds, static round => Assert.Equal(Enumerable.Range(0, 12), round.Order()));
        Assert.Equal(4, rounds.Select(static round => string.Join(',', round)).Distinct().Count());
        Assert.Equal([rounds[1][10], rounds[1][11], rounds[2][0]], new PoolOrder(12, seed: 43, SampleKind.Harmful).Take(22, 3));
        Assert.NotEqual(rounds[0], new PoolOrder(12, seed: 43, SampleKind.Guide).Take(0, 12));
        Assert.Throws<InputException>(() => new PoolOrder(0, seed: 43, SampleKind.Harmful));
    }
}
