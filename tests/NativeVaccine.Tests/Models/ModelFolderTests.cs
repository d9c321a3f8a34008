using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class ModelFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("micro-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-qwen3")]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-phi3")]
    public void Fixtures_open_and_all_their_weights_are_finite(string fixture)
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path(fixture));
        Assert.Empty(model.IgnoredTensors);
        long count = 0;
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model.Configuration))
        {
            float[] values = new float[weight.ElementCount];
            model.ReadFloat32(weight.Name, values);
            Assert.Contains(values, static value => value != 0);
            Assert.Equal(model.Configuration.StoredType, model.Info(weight.Name).Type);
            count += values.Length;
        }
        Assert.Equal(model.Configuration.ParameterCount, count);
    }

    [Fact]
    public void A_part_of_a_fused_tensor_is_its_rows()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-phi3"));
        using var file = new SafetensorsReader(Fixtures.Path("tiny-phi3", "model.safetensors"));
        const string fused = "model.layers.1.self_attn.qkv_proj.weight";
        byte[] whole = new byte[192 * 96 * 2], rows = new byte[48 * 96 * 2];
        file.ReadBytes(fused, whole);
        model.ReadBytes(WeightNames.Weight(1, Projection.Key), rows);
        Assert.Equal(whole[(96 * 96 * 2)..(144 * 96 * 2)], rows);
        float[] values = new float[192 * 96], part = new float[100];
        file.ReadFloat32(fused, values);
        model.ReadFloat32(WeightNames.Weight(1, Projection.Value), part, 7);
        Assert.Equal(values[((144 * 96) + 7)..((144 * 96) + 107)], part);
        Assert.Equal(fused, model.Info(WeightNames.Weight(1, Projection.Value)).Name);
        Refusal.Of(() => model.Info(fused), "has no tensor");
    }

    [Fact]
    public void Another_configuration_may_stand_in_for_the_folders_own()
    {
        ModelConfiguration linear = ModelConfiguration.Load(Fixtures.Path("tiny-llama-linear-rope"));
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-llama"), linear);
        Assert.Equal(RopeScalingKind.Linear, model.Configuration.RopeScaling.Kind);
    }

    [Theory]
    [InlineData(ElementType.Float32, long.MaxValue, 1)]
    [InlineData(ElementType.Float16, long.MaxValue, 1)]
    [InlineData(ElementType.BFloat16, 100, 4)]
    public void A_written_folder_reads_the_same(ElementType type, long maximumShardBytes, int files)
    {
        ModelConfiguration written = TinyModel.Configuration with { StoredType = type, QueryKeyValueBias = true, OutputBias = true };
        TinyModel.Write(folder.File("m"), written, maximumShardBytes);
        Assert.Equal(files, Directory.GetFiles(folder.File("m"), "*.safetensors").Length);
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        Assert.Equal(type, model.Configuration.StoredType);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model.Configuration))
        {
            float[] values = new float[weight.ElementCount];
            model.ReadFloat32(weight.Name, values);
            for (int i = 0; i < values.Length; i++) Assert.Equal(TinyModel.Ramp.Value(weight.Name, i), values[i]);
        }
        Assert.Equal([folder.File("m")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void An_equal_head_and_old_rotary_tables_are_silent_and_other_tensors_are_named()
    {
        string path = folder.File("m");
        ModelConfiguration tied = TinyModel.Configuration with { TieWordEmbeddings = true };
        TinyModel.Write(path, tied);
        Rewrite(path, tied, Zeros(WeightNames.Head, 5, 4), Zeros("model.layers.0.self_attn.rotary_emb.inv_freq", 1));
        using (ModelFolder model = ModelFolder.Open(path))
        {
            Assert.True(model.Configuration.TieWordEmbeddings);
            Assert.Empty(model.IgnoredTensors);
            Assert.Empty(model.Notices);
        }
        Rewrite(path, tied, Zeros("score.weight", 1), Zeros("model.layers.0.mlp.up_proj.bias", 6));
        using (ModelFolder model = ModelFolder.Open(path))
        {
            string notice = Assert.Single(model.Notices);
            const string expected = "tensors that Llama does not use: 2 (model.layers.0.mlp.up_proj.bias, score.weight); biases";
            Assert.Contains(expected, notice, StringComparison.Ordinal);
        }
        Refusal.Of(() => ModelFolder.Open(path, TinyModel.Configuration).Dispose(), "'lm_head.weight' is missing; expected shape (5, 4)");
        Rewrite(path, tied, Zeros(WeightNames.Head, 4, 5));
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), "'lm_head.weight' has shape (4, 5); expected (5, 4)");
    }

    [Fact]
    public void A_tied_model_with_another_head_in_its_files_uses_that()
    {
        string path = folder.File("m");
        TinyModel.Write(path, TinyModel.Configuration with { TieWordEmbeddings = true });
        TinyModel.Write(folder.File("untied"));
        File.Copy(folder.File("untied", "model.safetensors"), Path.Combine(path, "model.safetensors"), overwrite: true);
        using ModelFolder model = ModelFolder.Open(path);
        Assert.False(model.Configuration.TieWordEmbeddings);
        Assert.Contains("lm_head.weight differs from the embedding; it is used", Assert.Single(model.Notices), StringComparison.Ordinal);

        ModelMerger.Merge(model, [], folder.File("merged"), ElementType.Float32);
        using ModelFolder merged = ModelFolder.Open(folder.File("merged"));
        Assert.Empty(merged.Notices);
        float[] head = new float[20];
        merged.ReadFloat32(WeightNames.Head, head);
        Assert.Equal([.. Enumerable.Range(0, 20).Select(static i => TinyModel.Ramp.Value(WeightNames.Head, i))], head);
    }

    [Fact]
    public void Tensors_that_the_index_does_not_name_are_there_all_the_same()
    {
        string path = folder.File("m");
        TinyModel.Write(path, maximumShardBytes: 400);
        string index = Path.Combine(path, "model.safetensors.index.json");
        using (ModelFolder model = ModelFolder.Open(path)) Assert.Empty(model.Notices);
        JsonObject json = JsonNode.Parse(File.ReadAllText(index))!.AsObject();
        json["weight_map"]!.AsObject().Remove("model.norm.weight");
        File.WriteAllText(index, json.ToJsonString());
        using (ModelFolder model = ModelFolder.Open(path)) Assert.Equal(4, model.Info("model.norm.weight").ElementCount);
    }

    [Fact]
    public void Wrong_shapes_types_and_missing_tensors_are_refused()
    {
        string path = folder.File("m");
        TinyModel.Write(path);
        Refusal.Of(
            () => ModelFolder.Open(path, TinyModel.Configuration with { IntermediateSize = 7 }).Dispose(),
            "model.safetensors", "'model.layers.0.mlp.gate_proj.weight' has shape (6, 4); expected (7, 4)");
        Refusal.Of(
            () => ModelFolder.Open(path, TinyModel.Configuration with { LayerCount = 2 }).Dispose(),
            "'model.layers.1.input_layernorm.weight' is missing");

        byte[] bytes = File.ReadAllBytes(Path.Combine(path, "model.safetensors"));
        int position = bytes.AsSpan().IndexOf("\"F32\""u8);
        "\"I32\""u8.CopyTo(bytes.AsSpan(position));
        File.WriteAllBytes(Path.Combine(path, "model.safetensors"), bytes);
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), "'model.embed_tokens.weight' is I32; expected F32, F16 or BF16");
    }

    [Fact]
    public void NaN_in_weights_is_refused_with_tensor_and_index()
    {
        string path = folder.File("m");
        ModelWriter.Write(path, TinyModel.Configuration, new WithNaN());
        using ModelFolder model = ModelFolder.Open(path);
        float[] values = new float[16];
        const string name = "model.layers.0.self_attn.q_proj.weight";
        Refusal.Of(() => model.ReadFloat32(name, values), "model.safetensors", $"'{name}': NaN in weights, at element 13");
        Refusal.Of(() => model.ReadFloat32(name, values.AsSpan(0, 5), 10), "at element 13");
        model.ReadFloat32(name, values.AsSpan(0, 13));
    }

    [Fact]
    public void A_broken_set_of_shards_is_refused()
    {
        string path = folder.File("m");
        TinyModel.Write(path, maximumShardBytes: 200);
        string index = Path.Combine(path, "model.safetensors.index.json");
        string first = Directory.GetFiles(path, "*.safetensors").Order().First();
        string original = File.ReadAllText(index);

        File.Move(first, first + ".away");
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), $"{first}: no such file", index);
        File.Move(first + ".away", first);

        JsonObject json = JsonNode.Parse(original)!.AsObject();
        json["weight_map"]!["model.norm.weight"] = Path.GetFileName(first);
        File.WriteAllText(index, json.ToJsonString());
        ModelFolder.Open(path).Dispose();  // another file has it, as transformers finds it, too
        foreach (string name in json["weight_map"]!.AsObject().Select(static entry => entry.Key).ToArray())
            json["weight_map"]![name] = Path.GetFileName(first);
        File.WriteAllText(index, json.ToJsonString());
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), $"is missing ({index} says that it is in {first}, but it is not); expected shape");

        string[] elsewhereNames = ["../m/x.safetensors", "/etc/x.safetensors", "a\\\\x.safetensors", "x\\u0000.safetensors", "x.bin"];
        foreach (string elsewhere in elsewhereNames)
        {
            File.WriteAllText(index, $$$"""{"weight_map":{"model.norm.weight":"{{{elsewhere}}}"}}""");
            Refusal.Of(() => ModelFolder.Open(path).Dispose(), index, "weight_map.model.norm.weight is", "file in the same folder");
        }
        File.WriteAllText(index, "{\"weight_map\":\n3}");
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), index, "weight_map is 3");
        File.WriteAllText(index, "{\"weight_map\":\n{");
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), $"{index}:2");
        File.Delete(index);
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), path, "has no weights; expected model.safetensors");
        File.WriteAllText(Path.Combine(path, "pytorch_model.bin"), "");
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), "pytorch_model.bin: is empty");
    }

    [Fact]
    public void An_index_may_name_what_nobody_needs_and_counts_for_nothing_beside_a_single_file()
    {
        string path = folder.File("m");
        TinyModel.Write(path, maximumShardBytes: 400);
        string index = Path.Combine(path, "model.safetensors.index.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(index))!;
        string file = (string)json["weight_map"]!["model.norm.weight"]!;
        json["weight_map"]!["model.layers.0.self_attn.rotary_emb.inv_freq"] = file;
        json["weight_map"]!["vision.weight"] = file;
        File.WriteAllText(index, json.ToJsonString());
        using (ModelFolder model = ModelFolder.Open(path)) Assert.Empty(model.IgnoredTensors);

        File.WriteAllText(index, """{"weight_map":{"model.norm.weight":"gone.safetensors"}}""");
        Refusal.Of(() => ModelFolder.Open(path).Dispose(), "gone.safetensors");
        TinyModel.Write(folder.File("single"));
        File.Copy(folder.File("single", "model.safetensors"), Path.Combine(path, "model.safetensors"));
        ModelFolder.Open(path).Dispose();
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    public void A_pointer_of_git_lfs_is_named_as_such(string file)
    {
        TinyModel.Write(folder.File("m"));
        File.WriteAllText(folder.File("m", file), "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7160096\n");
        Refusal.Of(() => ModelFolder.Open(folder.File("m")).Dispose(), folder.File("m", file), "is a Git LFS pointer");
    }

    [Fact]
    public void Mutations_of_the_index_are_read_or_refused()
    {
        string path = folder.File("m");
        TinyModel.Write(path, TinyModel.Configuration, maximumShardBytes: 400);
        string index = Path.Combine(path, "model.safetensors.index.json");
        Mutation.Run(File.ReadAllBytes(index), 10_000, seed: 3, damaged =>
        {
            Mutation.Put(index, damaged);
            ModelFolder.Open(path, TinyModel.Configuration).Dispose();
        });
    }

    private static void Rewrite(string path, ModelConfiguration configuration, params TensorToWrite[] more) => SafetensorsWriter.Write(
        Path.Combine(path, "model.safetensors"),
        [.. ExpectedWeight.Of(configuration).Select(static weight => Zeros(weight.Name, [.. weight.Shape])), .. more]);

    private static TensorToWrite Zeros(string name, params long[] shape) =>
        new(name, ElementType.Float32, [.. shape], static (_, destination) => destination.Clear());

    private sealed class WithNaN : IWeightSource
    {
        public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
        {
            destination.Clear();
            if (name.EndsWith("q_proj.weight", StringComparison.Ordinal)) destination[13] = float.NaN;
        }
    }
}
