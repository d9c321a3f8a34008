using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

public sealed class GarbageCollectionTests
{
    private static readonly ReferenceConfiguration Small = new()
    {
        VocabularySize = 40, HiddenSize = 16, IntermediateSize = 24, LayerCount = 2, HeadCount = 2, KeyValueHeadCount = 1, HeadSize = 8,
    };

    [Fact]
    public async Task CollectionsOnOtherThreadsChangeNothing()
    {
        using var model = new ReferenceModel(
            Small, ReferenceWeights.Random(Small, 1), ReferenceLora.Random(Small, 2, 4, ReferenceConfiguration.Projections, 2));
        ReferenceSample[] batch = [new([3, 5, 7, 9, 11], [-100, 5, 7, 9, 11]), new([2, 4], [2, 4])];
        var everywhere = model.Sites.ToDictionary(site => site, _ => Enumerable.Repeat(0.5, 7 * Small.HiddenSize).ToArray());
        var options = new ReferenceRunOptions { Perturbations = everywhere, AddedGradients = everywhere };
        using var stop = new CancellationTokenSource();
        Task collecting = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });

        double[] losses = [.. Enumerable.Range(0, 100).Select(_ => model.Run(batch, options).LossSum + model.ForwardPadded(batch).Sum)];

        await stop.CancelAsync();
        await collecting;
        Assert.All(losses, loss => Assert.Equal(losses[0], loss));
    }
}
