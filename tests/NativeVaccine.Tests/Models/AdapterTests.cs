using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class AdapterTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("adapter-all", 8, 4, 7)]
    [InlineData("adapter-qv", 3, 16, 2)]
    public void Fixtures_load(string fixture, int rank, double alpha, int targets)
    {
        Adapter adapter = Adapter.Load(Fixtures.Path(fixture), ModelConfiguration.Load(Fixtures.Path("tiny-llama")));
        Assert.Equal((rank, alpha, 0.0, alpha / rank), (adapter.Rank, adapter.Alpha, adapter.Dropout, adapter.Scale));
        Assert.Equal((targets, 8), (adapter.Targets.Count, adapter.LayerCount));
        Assert.Equal("tiny-llama", adapter.BaseModel);
    }

    [Theory]
    [InlineData("adapter-all")]
    [InlineData("adapter-qv")]
    public void A_saved_adapter_has_the_same_tensors_and_settings(string fixture)
    {
        ModelConfiguration model = ModelConfiguration.Load(Fixtures.Path("tiny-llama"));
        Adapter.Load(Fixtures.Path(fixture), model).Save(folder.File("a"));

        JsonNode expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path(fixture, "adapter_config.json")))!;
        JsonNode actual = JsonNode.Parse(File.ReadAllText(folder.File("a", "adapter_config.json")))!;
        Assert.True(JsonNode.DeepEquals(expected, actual), actual.ToJsonString());
        using var expectedFile = new SafetensorsReader(Fixtures.Path(fixture, "adapter_model.safetensors"));
        using var actualFile = new SafetensorsReader(folder.File("a", "adapter_model.safetensors"));
        Assert.Equal(expectedFile.Names.Order(), actualFile.Names.Order());
        foreach (string name in expectedFile.Names)
        {
            Assert.Equal(expectedFile.Info(name).Shape.ToArray(), actualFile.Info(name).Shape.ToArray());
            Assert.Equal(Bytes(expectedFile, name), Bytes(actualFile, name));
        }
    }

    [Theory]
    [InlineData("adapter-all")]
    [InlineData("adapter-qv")]
    public void The_merged_weight_is_that_of_peft(string fixture)
    {
        const string name = "model.layers.0.self_attn.q_proj.weight";
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-llama"));
        using var expectedFile = new SafetensorsReader(Fixtures.Path(fixture, "expected.safetensors"));
        float[] expected = new float[128 * 128];
        expectedFile.ReadFloat32($"merged.{name}", expected);
        var merged = new MergedWeights(model, [Adapter.Load(Fixtures.Path(fixture), model.Configuration)]);
        float[] actual = new float[expected.Length];
        merged.ReadFloat32(name, actual);
        AssertClose(expected, actual);

        // The same from pieces that fit neither rows nor vectors.
        for (int first = 0; first < actual.Length; first += 1000)
        {
            float[] piece = new float[Math.Min(1000, actual.Length - first)];
            merged.ReadFloat32(name, piece, first);
            Assert.Equal(actual[first..(first + piece.Length)], piece);
        }
    }

    [Fact]
    public void Matrices_wider_than_a_block_are_added_whole()
    {
        const int rank = 3, outputs = 5, inputs = 1100;
        var matrices = new LoraMatrices(rank, outputs, inputs);
        for (int i = 0; i < matrices.A.Length; i++) matrices.A[i] = (i % 17) - 8;
        for (int i = 0; i < matrices.B.Length; i++) matrices.B[i] = (i % 5) - 2;
        float[] weights = [.. Enumerable.Repeat(1f, outputs * inputs)];
        matrices.AddTo(weights, 0.5f);
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < inputs; i++)
            {
                float sum = 0;
                for (int k = 0; k < rank; k++) sum += matrices.B[(o * rank) + k] * matrices.A[(k * inputs) + i];
                Assert.Equal(1 + (0.5f * sum), weights[(o * inputs) + i]);
            }
        }
    }

    [Fact]
    public void Names_with_the_adapters_name_in_them_are_accepted()
    {
        TinyModel.Adapter(targets: [Projection.Value]).Save(folder.File("a"));
        Rewrite(static name => name.Replace(".weight", ".default.weight", StringComparison.Ordinal));
        Adapter adapter = Load();
        Assert.Equal(0.5f, adapter[0, Projection.Value].A[1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => adapter[0, Projection.Query]);
    }

    [Theory]
    [InlineData("peft_type", "\"IA3\"", "peft_type is 'IA3'; expected LORA")]
    [InlineData("use_rslora", "true", "use_rslora is true")]
    [InlineData("use_dora", "true", "use_dora is true")]
    [InlineData("modules_to_save", "[\"lm_head\"]", "modules_to_save is [\"lm_head\"]")]
    [InlineData("rank_pattern", "{\"q_proj\":4}", "rank_pattern is {\"q_proj\":4}")]
    [InlineData("alpha_pattern", "{\"q_proj\":4}", "alpha_pattern")]
    [InlineData("layers_to_transform", "[0]", "layers_to_transform is [0]")]
    [InlineData("bias", "\"all\"", "bias is 'all'; expected none")]
    [InlineData("fan_in_fan_out", "true", "fan_in_fan_out is true")]
    [InlineData("target_modules", "[\"q_proj\",\"w1\"]", "target_modules: 'w1' is unknown; expected some of q_proj")]
    [InlineData("target_modules", "\"all-linear\"", "target_modules is \"all-linear\"; expected a list of strings")]
    [InlineData("target_modules", "[]", "target_modules: none given")]
    [InlineData("target_modules", "[\"v_proj\",\"v_proj\"]", "'v_proj' is given twice")]
    [InlineData("target_modules", "[\"v_proj\",\"k_proj\"]", "self_attn.k_proj.lora_A.weight' is missing; expected shape (2, 4)")]
    [InlineData("target_modules", "[\"q_proj\"]", "v_proj.lora_A.weight' is no LoRA matrix of target_modules")]
    [InlineData("r", "3", "q_proj.lora_A.weight' has shape (2, 4); expected (3, 4)")]
    [InlineData("r", "0", "r is 0")]
    [InlineData("lora_alpha", "null", "lora_alpha is missing")]
    [InlineData("lora_dropout", "1", "lora_dropout is 1")]
    public void What_is_not_plain_lora_for_this_model_is_refused(string field, string value, string expected)
    {
        TinyModel.Adapter(targets: [Projection.Query, Projection.Value]).Save(folder.File("a"));
        string file = folder.File("a", "adapter_config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        json[field] = JsonNode.Parse(value);
        File.WriteAllText(file, json.ToJsonString());
        Refusal.Of(() => Load(), folder.File("a"), expected);
    }

    [Fact]
    public void Fields_of_newer_versions_that_are_switched_off_are_accepted()
    {
        TinyModel.Adapter(targets: [Projection.Query]).Save(folder.File("a"));
        string file = folder.File("a", "adapter_config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        foreach (string field in new[] { "use_rslora", "use_dora", "lora_bias" }) json[field] = false;
        foreach (string field in new[] { "rank_pattern", "alpha_pattern" }) json[field] = new JsonObject();
        foreach (string field in new[] { "exclude_modules", "layer_replication", "modules_to_save" }) json[field] = null;
        File.WriteAllText(file, json.ToJsonString());
        Assert.Equal([Projection.Query], Load().Targets);
    }

    [Fact]
    public void Missing_files_and_layers_are_refused()
    {
        Refusal.Of(() => Load(), "no such folder");
        TinyModel.Adapter(targets: [Projection.Query]).Save(folder.File("a"));
        ModelConfiguration deeper = TinyModel.Configuration with { LayerCount = 2 };
        Refusal.Of(() => Adapter.Load(folder.File("a"), deeper), "layers.1.self_attn.q_proj.lora_A.weight' is missing");
        TinyModel.Adapter(deeper, targets: [Projection.Query]).Save(folder.File("a"));
        Refusal.Of(() => Load(), "layers.1.self_attn.q_proj.lora_A.weight' is no LoRA matrix of target_modules in 1 layers");
        File.Move(folder.File("a", "adapter_model.safetensors"), folder.File("a", "adapter_model.bin"));
        Refusal.Of(() => Load(), "adapter_model.bin; expected adapter_model.safetensors");
        File.Delete(folder.File("a", "adapter_model.bin"));
        Refusal.Of(() => Load(), "adapter_model.safetensors: no such file");
    }

    [Fact]
    public void NaN_is_refused()
    {
        Adapter adapter = TinyModel.Adapter(targets: [Projection.Query]);
        adapter[0, Projection.Query].B[3] = float.NegativeInfinity;
        adapter.Save(folder.File("a"));
        Refusal.Of(() => Load(), "q_proj.lora_B.weight': infinity in weights, at element 3");
    }

    [Fact]
    public void Saving_over_an_adapter_replaces_it_and_leaves_other_files()
    {
        TinyModel.Adapter(rank: 2, targets: [Projection.Query]).Save(folder.File("a"));
        File.WriteAllText(folder.File("a", "README.md"), "mine");
        TinyModel.Adapter(rank: 3, targets: [Projection.Down]).Save(folder.File("a"));
        Assert.Equal((3, Projection.Down), (Load().Rank, Load().Targets.Single()));
        Assert.Equal("mine", File.ReadAllText(folder.File("a", "README.md")));
        Assert.Equal([folder.File("a")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Mutations_of_the_settings_are_read_or_refused() => Mutate("adapter_config.json", seed: 4);

    [Fact]
    public void Mutations_of_the_matrices_are_read_or_refused() => Mutate("adapter_model.safetensors", seed: 5);

    private void Mutate(string file, int seed)
    {
        TinyModel.Adapter(targets: [Projection.Query, Projection.Down]).Save(folder.File("a"));
        string path = folder.File("a", file);
        Mutation.Run(File.ReadAllBytes(path), 10_000, seed, damaged =>
        {
            Mutation.Put(path, damaged);
            Load();
        });
    }

    private Adapter Load() => Adapter.Load(folder.File("a"), TinyModel.Configuration);

    private void Rewrite(Func<string, string> rename)
    {
        string path = folder.File("a", "adapter_model.safetensors");
        string copy = folder.File("copy.safetensors");
        using (var reader = new SafetensorsReader(path))
        {
            IEnumerable<TensorToWrite> tensors = reader.Names.Select(name => new TensorToWrite(
                rename(name),
                ElementType.Float32,
                reader.Info(name).Shape,
                (first, destination) => reader.ReadFloat32(name, destination, first)));
            SafetensorsWriter.Write(copy, [.. tensors]);
        }
        File.Move(copy, path, overwrite: true);
    }

    private static byte[] Bytes(SafetensorsReader reader, string name)
    {
        byte[] bytes = new byte[reader.Info(name).ByteLength];
        reader.ReadBytes(name, bytes);
        return bytes;
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        float largest = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MathF.Abs(actual[i] - expected[i]) <= 1e-6f * largest, $"element {i}: {actual[i]}, expected {expected[i]}");
    }
}
