using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class ModelMergerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(ElementType.Float32, 0)]
    [InlineData(ElementType.Float16, 1.0 / 2048)]
    [InlineData(ElementType.BFloat16, 1.0 / 256)]
    public void A_merged_folder_opens_and_has_both_adapters_in_it(ElementType type, double relativeTolerance)
    {
        using ModelFolder source = ModelFolder.Open(Fixtures.Path("tiny-llama"));
        string[] names = ["adapter-all", "adapter-qv"];
        Adapter[] adapters = [.. names.Select(name => Adapter.Load(Fixtures.Path(name), source.Configuration))];
        ModelMerger.Merge(source, adapters, folder.File("merged"), type, maximumShardBytes: 2_000_000);

        using ModelFolder merged = ModelFolder.Open(folder.File("merged"));
        Assert.Equal(type, merged.Configuration.StoredType);
        Assert.True(File.Exists(folder.File("merged", "model.safetensors.index.json")));
        foreach (string file in new[] { "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json" })
            Assert.Equal(File.ReadAllBytes(Fixtures.Path("tiny-llama", file)), File.ReadAllBytes(folder.File("merged", file)));
        Assert.Empty(Directory.GetFiles(folder.File("merged"), "expected*"));

        var expected = new MergedWeights(source, adapters);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(merged.Configuration))
        {
            float[] wanted = new float[weight.ElementCount];
            float[] found = new float[weight.ElementCount];
            expected.ReadFloat32(weight.Name, wanted);
            merged.ReadFloat32(weight.Name, found);
            for (int i = 0; i < wanted.Length; i++)
            {
                // 2^-25 is half of fp16's smallest step.
                double tolerance = (relativeTolerance * Math.Abs(wanted[i])) + (type == ElementType.Float16 ? 1.0 / (1 << 25) : 0);
                Assert.True(Math.Abs(found[i] - (double)wanted[i]) <= tolerance, $"{weight.Name}[{i}]: {found[i]}, expected {wanted[i]}");
            }
        }
    }

    [Fact]
    public void Without_adapters_the_bytes_stay()
    {
        using ModelFolder source = ModelFolder.Open(Fixtures.Path("tiny-gqa"));
        ModelMerger.Merge(source, [], folder.File("copy"), ElementType.BFloat16);
        using ModelFolder copy = ModelFolder.Open(folder.File("copy"));
        foreach (ExpectedWeight weight in ExpectedWeight.Of(source.Configuration))
        {
            byte[] wanted = new byte[source.Info(weight.Name).ByteLength];
            byte[] found = new byte[wanted.Length];
            source.ReadBytes(weight.Name, wanted);
            copy.ReadBytes(weight.Name, found);
            Assert.Equal(wanted, found);
        }
        Assert.True(File.Exists(folder.File("copy", "tokenizer.json")));
    }

    /// <summary>What one of its own files has: fused modules are parted and joined again.</summary>
    [Theory]
    [InlineData("tiny-qwen2", ElementType.Float16)]
    [InlineData("tiny-qwen3", ElementType.BFloat16)]
    [InlineData("tiny-gemma", ElementType.BFloat16)]
    [InlineData("tiny-gemma2", ElementType.BFloat16)]
    [InlineData("tiny-gemma3", ElementType.BFloat16)]
    [InlineData("tiny-phi3", ElementType.Float16)]
    public void A_merged_folder_has_the_tensors_of_the_source(string fixture, ElementType type)
    {
        using (ModelFolder source = ModelFolder.Open(Fixtures.Path(fixture))) ModelMerger.Merge(source, [], folder.File("copy"), type);
        using var wanted = new SafetensorsReader(Fixtures.Path(fixture, "model.safetensors"));
        using var found = new SafetensorsReader(folder.File("copy", "model.safetensors"));
        Assert.Equal(wanted.Names.Order(), found.Names.Order());
        foreach (string name in wanted.Names)
        {
            Assert.Equal(wanted.Info(name).Shape.AsSpan(), found.Info(name).Shape.AsSpan());
            byte[] bytes = new byte[wanted.Info(name).ByteLength], copied = new byte[bytes.Length];
            wanted.ReadBytes(name, bytes);
            found.ReadBytes(name, copied);
            Assert.Equal(bytes, copied);
        }
    }

    [Fact]
    public void An_output_folder_in_use_is_refused_and_left_alone()
    {
        TinyModel.Write(folder.File("m"));
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        Directory.CreateDirectory(folder.File("out"));
        ModelMerger.Merge(model, [], folder.File("out"), ElementType.Float32);
        byte[] before = File.ReadAllBytes(folder.File("out", "model.safetensors"));
        Refusal.Of(() => ModelMerger.Merge(model, [], folder.File("out"), ElementType.BFloat16), folder.File("out"), "not empty");
        Assert.Equal(before, File.ReadAllBytes(folder.File("out", "model.safetensors")));
        Refusal.Of(() => ModelMerger.Merge(model, [], folder.File("m", "config.json"), ElementType.BFloat16), "is a file");
    }

    [Fact]
    public void A_failure_half_way_leaves_nothing()
    {
        TinyModel.Write(folder.File("m"));
        Refusal.Of(() => ModelWriter.Write(folder.File("out"), TinyModel.Configuration, new FailsAtTheHead()), "the head is gone");
        Assert.Equal([folder.File("m")], Directory.GetFileSystemEntries(folder.Root));
    }

    private sealed class FailsAtTheHead : IWeightSource
    {
        public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
        {
            if (name == WeightNames.Head) throw new InputException("the head is gone");
            destination.Clear();
        }
    }
}
