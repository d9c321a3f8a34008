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
        UniformLora form = adapter.RequireUniform("");
        Assert.Equal((rank, alpha, targets), (form.Rank, form.Alpha, form.Targets.Count));
        Assert.Equal((8, 0.0, 8 * targets), (adapter.LayerCount, adapter.Dropout, adapter.Modules.Count));
        Assert.All(adapter.Modules, module => Assert.Equal(alpha / rank, module.Scale));
        Assert.Empty(adapter.Notices);
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

    [Theory]
    [InlineData(9, 37)]
    [InlineData(6, 64)]
    [InlineData(11, 16)]
    [InlineData(5, 3)]
    public void A_merge_has_the_same_bits_however_it_is_cut(int outputs, int inputs)
    {
        var random = new Random(1);
        var matrices = new LoraMatrices(5, outputs, inputs);
        foreach (float[] values in new[] { matrices.A, matrices.B })
        {
            for (int i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
        }
        float[] weights = [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.NextSingle())];
        float[] expected = [.. weights];
        for (int i = 0; i < expected.Length; i++)
        {
            float sum = 0;
            for (int k = 0; k < matrices.Rank; k++)
                sum = MathF.FusedMultiplyAdd(matrices.B[(i / inputs * matrices.Rank) + k], matrices.A[(k * inputs) + (i % inputs)], sum);
            expected[i] = MathF.FusedMultiplyAdd(0.3f, sum, expected[i]);
        }
        for (int size = 1; size <= weights.Length; size++)
        {
            float[] merged = [.. weights];
            for (int first = 0; first < merged.Length; first += size)
                matrices.AddTo(merged.AsSpan(first, Math.Min(size, merged.Length - first)), 0.3f, first);
            Assert.Equal(expected, merged);
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
    [InlineData("task_type", "\"SEQ_CLS\"", "task_type is 'SEQ_CLS'; expected CAUSAL_LM")]
    [InlineData("bias", "\"all\"", "bias is 'all'; expected none")]
    [InlineData("init_lora_weights", "\"loftq\"", "init_lora_weights is \"loftq\"")]
    [InlineData("init_lora_weights", "\"corda\"", "init_lora_weights is \"corda\"")]
    [InlineData("init_lora_weights", "\"lora_ga\"", "init_lora_weights is \"lora_ga\"")]
    [InlineData("init_lora_weights", "\"a_new_idea\"", "init_lora_weights is \"a_new_idea\"; expected true, false, gaussian")]
    [InlineData("alora_invocation_tokens", "[1, 2]", "alora_invocation_tokens is [1,2]; expected null, false or nothing: aLoRA")]
    [InlineData("arrow_config", "{\"top_k\":3}", "arrow_config is {\"top_k\":3}")]
    [InlineData("use_qalora", "true", "use_qalora is true")]
    [InlineData("use_bdlora", "{\"blocks\":2}", "use_bdlora is")]
    [InlineData("lora_bias", "true", "lora_bias is true")]
    [InlineData("target_parameters", "[\"w\"]", "target_parameters is [\"w\"]")]
    [InlineData("fan_in_fan_out", "true", "fan_in_fan_out is true")]
    [InlineData("a_new_idea", "3", "a_new_idea is 3; expected no such field: this program does not know it")]
    [InlineData("target_modules", "[\"q_proj\",\"v_proj\",\"lm_head\"]", "and not lm_head")]
    [InlineData("target_modules", "[]", "target_modules is []; expected names of q_proj")]
    [InlineData("target_modules", "[\"w1\"]", "target_modules is [\"w1\"]; expected names of q_proj")]
    [InlineData("target_modules", "3", "target_modules is 3; expected a list of strings")]
    [InlineData("target_modules", "\"all-linear\"", "self_attn.k_proj.lora_A.weight' is missing; expected shape (2, 4)")]
    [InlineData("target_modules", "[\"v_proj\",\"k_proj\"]", "self_attn.k_proj.lora_A.weight' is missing; expected shape (2, 4)")]
    [InlineData("target_modules", "[\"q_proj\"]", "v_proj.lora_A.weight' is no LoRA matrix of target_modules")]
    [InlineData("target_modules", "\".*(q|v_proj\"", "target_modules: '.*(q|v_proj': expected a regular expression that is well-formed")]
    [InlineData("target_modules", "\".*(?=q).*\"", "expected a regular expression without backreferences, lookaround")]
    [InlineData("target_modules", "\"(?<n>.*)\"", "expected a regular expression without (?<")]
    [InlineData("exclude_modules", "[\"v_proj\"]", "v_proj.lora_A.weight' is no LoRA matrix of target_modules")]
    [InlineData("layers_to_transform", "[1]", "target_modules is [\"q_proj\",\"v_proj\"]; expected names of q_proj")]
    [InlineData("layers_to_transform", "\"0\"", "layers_to_transform is \"0\"")]
    [InlineData("rank_pattern", "{\"v_proj\":4}", "v_proj.lora_A.weight' has shape (2, 4); expected (4, 4) by the rank")]
    [InlineData("rank_pattern", "{\"v_proj\":0}", "rank_pattern.v_proj is 0")]
    [InlineData("alpha_pattern", "{\"v_proj\":\"4\"}", "alpha_pattern.v_proj is \"4\"")]
    [InlineData("alpha_pattern", "{\"a{,3}\":4}", "alpha_pattern: 'a{,3}': expected a regular expression without {,")]
    [InlineData("r", "3", "q_proj.lora_A.weight' has shape (2, 4); expected (3, 4)")]
    [InlineData("r", "0", "r is 0")]
    [InlineData("rank_pattern", "{\"v_proj\":null}", "rank_pattern.v_proj is null")]
    [InlineData("alpha_pattern", "{\"v_proj\":1e300}", "alpha_pattern.v_proj is 1e300; expected a positive number of fp32, at most 1048576")]
    [InlineData("lora_alpha", "null", "adapter_config.json: lora_alpha is null")]
    [InlineData("lora_alpha", "1e308", "adapter_config.json: lora_alpha is 1e308; expected a positive number of fp32, at most 1048576")]
    [InlineData("lora_alpha", "1e39", "lora_alpha is 1e39")]
    [InlineData("lora_alpha", "1e12", "lora_alpha is 1e12")]
    [InlineData("lora_alpha", "1e-50", "lora_alpha is 1e-50")]
    [InlineData("lora_alpha", "0", "lora_alpha is 0")]
    [InlineData("lora_dropout", "1", "lora_dropout is 1")]
    public void What_is_not_lora_for_this_model_is_refused(string field, string value, string expected)
    {
        TinyModel.Adapter(targets: [Projection.Query, Projection.Value]).Save(folder.File("a"));
        Set((field, value));
        Refusal.Of(() => Load(), folder.File("a"), expected);
    }

    /// <summary>The rules of peft 0.21.2 (check_target_module_exists, get_pattern_key); the adapter has rank 2 and alpha 3.</summary>
    [Theory]
    [InlineData("target_modules", "[\"self_attn.q_proj\",\"model.layers.0.self_attn.v_proj\",\"w1\"]", 3, 3)]
    [InlineData("target_modules", "\"model\\\\.layers\\\\.\\\\d+\\\\.self_attn\\\\.(?P<which>q|v)_proj\"", 3, 3)]
    [InlineData("exclude_modules", "[\"lm_head\",\"_proj\"]", 3, 3)]
    [InlineData("exclude_modules", "\"v_proj\"", 3, 3)]
    [InlineData("layers_to_transform", "0", 3, 3)]
    [InlineData("layers_pattern", "\"layers\"", 3, 3)]
    [InlineData("rank_pattern", "{\"k_proj\":4,\"proj\":7,\"attn.q_proj\":7}", 3, 3)]
    [InlineData("alpha_pattern", "{\"q_proj|w\":5,\".*_proj\":7}", 5, 7)]
    [InlineData("alpha_pattern", "{\"model.layers.0.self_attn.q_proj\":5}", 5, 3)]
    [InlineData("init_lora_weights", "\"gaussian\"", 3, 3)]
    [InlineData("init_lora_weights", "false", 3, 3)]
    [InlineData("eva_config", "{\"rho\":2.0}", 3, 3)]
    [InlineData("a_new_idea", "null", 3, 3)]
    public void Modules_are_those_that_peft_finds(string field, string value, double queryAlpha, double valueAlpha)
    {
        TinyModel.Adapter(targets: [Projection.Query, Projection.Value]).Save(folder.File("a"));
        Set((field, value));
        Assert.Equal([(Projection.Query, queryAlpha), (Projection.Value, valueAlpha)], Load().Modules.Select(Form));
        Set(("use_rslora", "true"));
        Assert.All(Load().Modules, static module => Assert.Equal(module.Alpha / Math.Sqrt(2), module.Scale));

        static (Projection, double) Form(AdapterModule module) => (module.Projection, module.Alpha);
    }

    /// <summary>peft passes over them in silence.</summary>
    [Theory]
    [InlineData("rank_pattern", "{\"q_porj\":4,\"k_proj\":4}", "rank_pattern: keys that fit no module of the adapter, and so change nothing, as in peft: 2 (q_porj, k_proj)")]
    [InlineData("alpha_pattern", "{\"q_proj\":3,\"layers.1.self_attn.q_proj\":4}", "alpha_pattern: keys that fit no module of the adapter, and so change nothing, as in peft: 1 (layers.1.self_attn.q_proj)")]
    [InlineData("target_modules", "[\"q_proj\",\"v_proj\",\"w1\"]", "target_modules: names that fit no module of the adapter, and so change nothing, as in peft: 1 (w1)")]
    [InlineData("layers_to_transform", "[0,7]", "layers_to_transform: numbers that fit no module of the adapter, and so change nothing, as in peft: 1 (7)")]
    [InlineData("alpha_pattern", "{\"q_proj\":3,\".*proj\":3,\"self_attn.v_proj\":3}", null)]
    public void What_fits_no_module_is_named(string field, string value, string? expected)
    {
        TinyModel.Adapter(targets: [Projection.Query, Projection.Value]).Save(folder.File("a"));
        Set((field, value));
        Assert.Equal(
            expected is null ? [] : [$"{folder.File("a", "adapter_config.json")}: {expected}"],
            Load().Notices);
    }

    [Fact]
    public void Layers_are_chosen_by_number_except_for_whole_paths()
    {
        ModelConfiguration three = TinyModel.Configuration with { LayerCount = 3 };
        TinyModel.Adapter(three, targets: [Projection.Query]).Save(folder.File("a"));
        Rewrite(static name => name.Contains("layers.1", StringComparison.Ordinal) ? null : name);
        Set(("layers_to_transform", "[2, 9]"), ("target_modules", "[\"q_proj\",\"model.layers.0.self_attn.q_proj\"]"));
        Assert.Equal([0, 2], Adapter.Load(folder.File("a"), three).Modules.Select(static module => module.Layer));
        Set(("layers_pattern", "[\"blocks\"]"));
        Refusal.Of(() => Adapter.Load(folder.File("a"), three), "layers.2.self_attn.q_proj.lora_A.weight' is no LoRA matrix");
        Set(("layers_pattern", "[\"blocks\",\"layers\"]"));
        Assert.Equal([0, 2], Adapter.Load(folder.File("a"), three).Modules.Select(static module => module.Layer));
        Set(("target_modules", "\".*q_proj\""));
        Refusal.Of(() => Adapter.Load(folder.File("a"), three), "layers_to_transform is [2,9]; expected nothing beside a");
    }

    [Fact]
    public void Weights_beside_the_matrices_must_be_those_of_the_model_and_the_rest_is_named()
    {
        TinyModel.Write(folder.File("m"));
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        const string embedding = "base_model.model.model.embed_tokens.weight";
        TensorFill fill = (first, to) => model.ReadFloat32(WeightNames.Embedding, to, first);
        var own = new TensorToWrite(embedding, ElementType.Float32, [5, 4], fill);
        WriteWith(own);
        Assert.Empty(Adapter.Load(folder.File("a"), model).Notices);
        Refusal.Of(() => Load(), embedding, "is a whole weight; expected a model");
        WriteWith(own with { Fill = static (_, to) => to.Fill(0.5f) });
        Refusal.Of(() => Adapter.Load(folder.File("a"), model), embedding, "differs from the model's own");
        WriteWith(own with { Shape = [6, 4], Fill = static (_, to) => to.Fill(0.5f) });
        Refusal.Of(() => Adapter.Load(folder.File("a"), model), embedding, "differs from the model's own");
        WriteWith(own with { Name = "base_model.model.lm_head.weight" });
        Refusal.Of(() => Adapter.Load(folder.File("a"), model), "lm_head.weight", "differs from the model's own");
        TinyModel.Write(folder.File("tied"), TinyModel.Configuration with { TieWordEmbeddings = true });
        using (ModelFolder tied = ModelFolder.Open(folder.File("tied")))
        {
            WriteWith(own with { Name = "base_model.model.lm_head.weight" });
            Assert.Empty(Adapter.Load(folder.File("a"), tied).Notices);
        }
        foreach (string name in new[] { "lora_magnitude_vector", "lora_B.bias", "lora_a_new_idea" })
        {
            WriteWith(own with { Name = $"base_model.model.model.layers.0.self_attn.q_proj.{name}" });
            Refusal.Of(() => Adapter.Load(folder.File("a"), model), name, "is no matrix of LoRA on a linear module");
        }
        WriteWith(own with { Name = "base_model.model.score.weight" });
        Assert.Contains("base_model.model.score.weight", Adapter.Load(folder.File("a"), model).Notices.Single(), StringComparison.Ordinal);

        void WriteWith(TensorToWrite extra)
        {
            TinyModel.Adapter(targets: [Projection.Query]).Save(folder.File("a"));
            Rewrite(static name => name, extra);
        }
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
        Assert.Equal([Projection.Query], Load().RequireUniform("").Targets);
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
        Refusal.Of(() => Load(), "adapter_model.bin: is no zip archive");
        File.Delete(folder.File("a", "adapter_model.bin"));
        Refusal.Of(() => Load(), "adapter_model.safetensors: no such file");
    }

    [Theory]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    public void A_pointer_of_git_lfs_is_named_as_such(string file)
    {
        TinyModel.Adapter(targets: [Projection.Query]).Save(folder.File("a"));
        File.WriteAllText(folder.File("a", file), "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 7160096\n");
        Refusal.Of(() => Load(), folder.File("a", file), "is a Git LFS pointer");
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
        Assert.Equal((3, Projection.Down), (Load().Modules.Single().Matrices.Rank, Load().Modules.Single().Projection));
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

    private void Set(params (string Field, string Value)[] changes)
    {
        string file = folder.File("a", "adapter_config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        foreach ((string field, string value) in changes) json[field] = JsonNode.Parse(value);
        File.WriteAllText(file, json.ToJsonString());
    }

    /// <summary>Writes the tensors again under other names, without those whose name becomes null.</summary>
    private void Rewrite(Func<string, string?> rename, params TensorToWrite[] more)
    {
        string path = folder.File("a", "adapter_model.safetensors");
        string copy = folder.File("copy.safetensors");
        using (var reader = new SafetensorsReader(path))
        {
            IEnumerable<TensorToWrite> tensors = reader.Names.Where(name => rename(name) is not null).Select(name => new TensorToWrite(
                rename(name)!,
                ElementType.Float32,
                reader.Info(name).Shape,
                (first, destination) => reader.ReadFloat32(name, destination, first)));
            SafetensorsWriter.Write(copy, [.. tensors, .. more]);
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
