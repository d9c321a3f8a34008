using NativeVaccine.Models;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>A model's shape in our words and in the reference's.</summary>
internal sealed record BenchmarkShape(string Name, ModelConfiguration Configuration)
{
    /// <summary>1.0 M parameters, 0.06 M of them in the embedding and as many in the head: the demo's model.</summary>
    public static BenchmarkShape Small { get; } = new("1M", new ModelConfiguration
    {
        Family = ModelFamily.Llama,
        VocabularySize = 512,
        HiddenSize = 128,
        IntermediateSize = 384,
        LayerCount = 4,
        HeadCount = 4,
        KeyValueHeadCount = 4,
        HeadSize = 32,
        MaximumPositions = 4096,
        RmsNormEpsilon = 1e-5,
    });

    /// <summary>109.5 M parameters: width and depth of GPT-2 small, layers and vocabulary of Llama; the head is the embedding.</summary>
    public static BenchmarkShape Large { get; } = new("100M", new ModelConfiguration
    {
        Family = ModelFamily.Llama,
        VocabularySize = 32000,
        HiddenSize = 768,
        IntermediateSize = 2048,
        LayerCount = 12,
        HeadCount = 12,
        KeyValueHeadCount = 12,
        HeadSize = 64,
        MaximumPositions = 4096,
        RmsNormEpsilon = 1e-5,
        TieWordEmbeddings = true,
    });

    public ReferenceConfiguration Reference => new()
    {
        VocabularySize = Configuration.VocabularySize,
        HiddenSize = Configuration.HiddenSize,
        IntermediateSize = Configuration.IntermediateSize,
        LayerCount = Configuration.LayerCount,
        HeadCount = Configuration.HeadCount,
        KeyValueHeadCount = Configuration.KeyValueHeadCount,
        HeadSize = Configuration.HeadSize,
        NormEpsilon = Configuration.RmsNormEpsilon,
        TiedEmbeddings = Configuration.TieWordEmbeddings,
    };

    public BenchmarkShape WithLayers(int layers) => this with { Configuration = Configuration with { LayerCount = layers } };
}
