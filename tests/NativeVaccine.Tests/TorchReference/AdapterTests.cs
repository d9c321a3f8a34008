using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>LoRA in the reference against what peft computed.</summary>
public sealed class AdapterTests
{
    [Theory]
    [InlineData("adapter-all", ReferencePrecision.Fp32)]
    [InlineData("adapter-all", ReferencePrecision.Fp64)]
    [InlineData("adapter-qv", ReferencePrecision.Fp32)]
    [InlineData("adapter-qv", ReferencePrecision.Fp64)]
    public void LogitsLossAndGradientsAreThoseOfPeft(string adapter, ReferencePrecision precision)
    {
        using var expected = new ExpectedFile(adapter);
        using ReferenceModel model = Load(adapter, precision);

        ReferenceResult result = model.Run([Sample(expected)]);

        Near.Equal("logits", expected.Tensors["logits"].Values, result.Logits[0], 1e-4, 1e-4);
        Near.Equal("loss", expected.Root.GetProperty("loss_on_all_but_first").GetDouble(), result.MeanLoss, 0, 1e-5);
        string[] gradients = [.. expected.Tensors.Keys.Where(name => name.StartsWith("gradient.", StringComparison.Ordinal))];
        Assert.Equal(gradients.Select(KeyOf).Order(), model.LoraNames.Order());
        foreach (string gradient in gradients)
            Near.EqualToLargest(gradient, expected.Tensors[gradient].Values, result.Gradients[KeyOf(gradient)], 1e-4);
    }

    [Theory]
    [InlineData("adapter-all")]
    [InlineData("adapter-qv")]
    public void MergedWeightsAndLogitsAreThoseOfPeft(string adapter)
    {
        using var expected = new ExpectedFile(adapter);
        using ReferenceModel model = Load(adapter, ReferencePrecision.Fp64);

        model.MergeLora();

        Assert.Empty(model.LoraNames);
        const string weight = "model.layers.0.self_attn.q_proj.weight";
        Near.Equal(weight, expected.Tensors["merged." + weight].Values, model.Read(weight), 1e-6, 1e-6);
        Near.Equal("logits", expected.Tensors["merged_logits"].Values, model.Run([Sample(expected)]).Logits[0], 1e-4, 1e-4);
    }

    private static string KeyOf(string gradient) => ReferenceLora.Key(gradient["gradient.".Length..]);

    private static ReferenceSample Sample(ExpectedFile expected)
    {
        int[] ids = [.. expected.Root.GetProperty("input_ids").EnumerateArray().Select(id => id.GetInt32())];
        return new ReferenceSample(ids, ids);
    }

    private static ReferenceModel Load(string adapter, ReferencePrecision precision) => new(
        ReferenceConfiguration.Load(Fixtures.Path("tiny-llama")),
        ReferenceWeights.Load(Fixtures.Path("tiny-llama")),
        ReferenceLora.Load(Fixtures.Path(adapter)),
        precision);
}
