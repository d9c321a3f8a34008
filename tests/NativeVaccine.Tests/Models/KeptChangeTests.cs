using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class KeptChangeTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Changes of this size beside weights of 0.02, simulated in Python: the share, and |D - C| / |C|.</summary>
    [Theory]
    [InlineData(1e-5f, 0.282)]  // 0.90
    [InlineData(2e-5f, 0.510)]  // 0.80: what a model of 3.2B parameters had, whose loss kept 0.47
    [InlineData(4e-5f, 0.811)]  // 0.61
    [InlineData(1e-4f, 0.988)]  // 0.32
    [InlineData(1e-3f, 1.000)]  // 0.03
    public void A_small_change_is_lost_in_weights_of_bf16(float size, double expected)
    {
        const int count = 100_000;
        KeptChange kept = Kept(Rounded(Normal(1, count, 0.02f)), Normal(2, count, size));
        Assert.InRange(kept.Share, expected - 0.01, expected + 0.01);
        Assert.Equal(("w", kept.Share), kept.Worst!.Value);
        Assert.Equal(kept.Share < 0.9, kept.Describe("go away")!.StartsWith("warning: ./a: ", StringComparison.Ordinal));
        Assert.Equal(kept.Share < 0.9, kept.Describe("go away")!.EndsWith("; go away", StringComparison.Ordinal));
    }

    /// <summary>Where the base is rounded in the same step, the change is not lost: elements move up as often as they should.</summary>
    [Fact]
    public void Rounding_of_the_base_itself_is_no_loss()
    {
        const int count = 400_000;
        Assert.InRange(Kept(Normal(1, count, 0.02f), Normal(2, count, 4e-5f)).Share, 0.97, 1);
    }

    [Fact]
    public void Every_adapter_of_a_chain_is_measured_by_itself_and_the_values_stay()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-gqa"));
        Adapter[] adapters = [Small(model.Configuration, 1e-5f, seed: 1), Small(model.Configuration, 2e-5f, seed: 2)];
        var plain = new MergedWeights(model, adapters);
        var measured = new MergedWeights(model, adapters);
        Assert.Empty(plain.MeasureRounding(ElementType.Float32));
        IReadOnlyList<KeptChange> kept = measured.MeasureRounding(ElementType.BFloat16);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model.Configuration))
        {
            float[] expected = new float[weight.ElementCount];
            float[] found = new float[weight.ElementCount];
            plain.ReadFloat32(weight.Name, expected);
            int cut = found.Length / 3;
            measured.ReadFloat32(weight.Name, found.AsSpan(0, cut));
            measured.ReadFloat32(weight.Name, found.AsSpan(cut), cut);
            Assert.Equal(expected, found);
        }
        Assert.Equal(["adapter 1", "adapter 2"], kept.Select(static change => change.Adapter));
        Assert.InRange(kept[0].Share, 0.1, kept[1].Share);
        Assert.InRange(kept[1].Share, 0.2, 0.7);
        Assert.Contains("self_attn.q_proj.weight", kept[1].Worst!.Value.Weight, StringComparison.Ordinal);
        Assert.Null(new KeptChange("none", ElementType.BFloat16).Describe(""));
    }

    /// <summary>All are added before the one rounding, so what a larger change carries over the step is not lost.</summary>
    [Fact]
    public void A_small_change_beside_a_large_one_is_not_lost()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-gqa"));
        Adapter[] adapters = [Small(model.Configuration, 1e-5f, seed: 1), Small(model.Configuration, 1e-2f, seed: 2)];
        Assert.All(
            ModelMerger.Merge(model, adapters, folder.File("m"), ElementType.BFloat16),
            static kept => Assert.InRange(kept.Share, 0.8, 1));
    }

    [Fact]
    public void Merge_tells_what_it_kept()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-gqa"));
        Adapter[] adapters = [Small(model.Configuration, 1e-5f)];
        Assert.InRange(ModelMerger.Merge(model, adapters, folder.File("bf16"), ElementType.BFloat16).Single().Share, 0, 0.5);
        Assert.InRange(ModelMerger.Merge(model, adapters, folder.File("fp16"), ElementType.Float16).Single().Share, 0.5, 1);
        Assert.Empty(ModelMerger.Merge(model, adapters, folder.File("fp32"), ElementType.Float32));
    }

    /// <summary>B A has elements of about this size in the queries, and the keys are not changed.</summary>
    private static Adapter Small(ModelConfiguration model, float size, int seed = 1)
    {
        var adapter = new Adapter(model, 1, 1, 0, [Projection.Query, Projection.Key]);
        for (int layer = 0; layer < adapter.LayerCount; layer++)
        {
            LoraMatrices matrices = adapter[layer, Projection.Query];
            Normal((1000 * seed) + layer, matrices.A.Length, size).CopyTo(matrices.A, 0);
            Normal((1000 * seed) + 500 + layer, matrices.B.Length, 1).CopyTo(matrices.B, 0);
        }
        return adapter;
    }

    private static float[] Normal(int seed, int count, float deviation)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = deviation * (float)(radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        return values;
    }

    private static KeptChange Kept(float[] weights, float[] change)
    {
        var kept = new KeptChange("./a", ElementType.BFloat16);
        float[] with = [.. weights.Zip(change, static (weight, added) => weight + added)];
        const int block = 1000;  // not a multiple of a vector
        for (int i = 0; i < with.Length; i += block) kept.Add("w", weights.AsSpan(i, block), with.AsSpan(i, block), with.AsSpan(i, block));
        return kept;
    }

    private static float[] Rounded(float[] values)
    {
        byte[] bytes = new byte[values.Length * 2];
        float[] rounded = new float[values.Length];
        ElementConversion.FromFloat32(ElementType.BFloat16, values, bytes);
        ElementConversion.ToFloat32(ElementType.BFloat16, bytes, rounded);
        return rounded;
    }
}
