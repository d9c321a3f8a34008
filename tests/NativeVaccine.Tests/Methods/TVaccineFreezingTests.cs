using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Engine;

namespace NativeVaccine.Tests.Methods;

/// <summary>
/// Which tensors train: in the paper the chosen layers, in the authors' code attention there and MLPs wherever a gradient comes.
/// </summary>
public sealed class TVaccineFreezingTests
{
    private static readonly SessionOptions Options = FixtureSession.Options with { Lora = new LoraOptions(2, 4, 0, Projections.All) };

    [Theory]
    [InlineData(26, new[] { 0, 5, 20 }, new[] { 0, 5, 20 })]
    [InlineData(27, new[] { 0, 5, 20 }, new[] { 0, 4, 5, 19, 20 })]
    [InlineData(32, new[] { 3, 4, 31 }, new[] { 2, 3, 4, 30, 31 })]
    [InlineData(32, new[] { 1 }, new[] { 0, 1 })]
    public void ModelsOfMoreThan26LayersHaveNeighbours(int layerCount, int[] chosen, int[] expected)
    {
        Assert.Equal(expected, TVaccineFreezing.NotRecomputed(LayerSet.Of(chosen), layerCount));
    }

    [Fact]
    public void TheFloorFollowsTheRuleOfNeighbours()
    {
        var chosen = LayerSet.Of(7, 12);

        Assert.Equal(7, TVaccineFreezing.Floor(BackwardFloor.Chosen, chosen, 32));
        Assert.Equal(6, TVaccineFreezing.Floor(BackwardFloor.Neighbours, chosen, 32));
        Assert.Equal(7, TVaccineFreezing.Floor(BackwardFloor.Neighbours, chosen, 26));
        Assert.Equal(0, TVaccineFreezing.Floor(BackwardFloor.None, chosen, 32));
    }

    [Fact]
    public void ThePaperTrainsTheChosenLayersWhole()
    {
        using var model = new FixtureSession("tiny-llama", Options);

        TensorSet set = TVaccineFreezing.Trainable(model.Session, FreezeScope.Layer, LayerSet.Of(2, 5), 2);

        Assert.Equal(2 * 7 * 2, set.Count);
        Assert.All(set.Tensors, static tensor => Assert.True(tensor.Layer is 2 or 5));
    }

    [Fact]
    public void TheReferenceTrainsTheirAttentionAndAllMlpsFromTheFloorUp()
    {
        using var model = new FixtureSession("tiny-llama", Options);

        TensorSet set = TVaccineFreezing.Trainable(model.Session, FreezeScope.Attention, LayerSet.Of(3, 5), 2);

        Assert.Equal((2 * 4 * 2) + (6 * 3 * 2), set.Count);
        Assert.All(set.Tensors, static tensor =>
            Assert.True(tensor.Projection!.Value.IsAttention() ? tensor.Layer is 3 or 5 : tensor.Layer >= 2, tensor.Name));
    }
}
