using System.Text.Json.Nodes;
using NativeVaccine.Models;
using NativeVaccine.Tests.Cli;

namespace NativeVaccine.Tests.Models;

/// <summary>Adapters of a model whose q, k and v, and gate and up, are one matrix each (Phi-3), against arithmetic written out.</summary>
public sealed class FusedAdapterTests : IDisposable
{
    private const string Qkv = "self_attn.qkv_proj";
    private const string GateUp = "mlp.gate_up_proj";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Two query heads and one key and value head of 2: 4, 2 and 2 rows; gate and up have 6 each.</summary>
    private static ModelConfiguration Model { get; } = TinyModel.Configuration with { Family = ModelFamily.Phi3, LayerCount = 2 };

    [Theory]
    [InlineData("[\"qkv_proj\",\"gate_up_proj\",\"o_proj\",\"down_proj\"]")]
    [InlineData("\"all-linear\"")]
    [InlineData("\".*(qkv|o|gate_up|down)_proj\"")]
    public void A_merged_weight_is_W_plus_B_times_A(string targets)
    {
        WriteModel();
        WritePeft(rank: 3, alpha: 6, targets, Qkv, "self_attn.o_proj", GateUp, "mlp.down_proj");
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        Adapter adapter = Adapter.Load(folder.File("a"), model);
        UniformLora form = adapter.RequireUniform("");
        Assert.Equal((3, 6.0, 7), (form.Rank, form.Alpha, form.Targets.Count));
        Assert.Empty(adapter.Notices);
        ModelMerger.Merge(model, [adapter], folder.File("merged"), ElementType.Float32);

        using var before = new SafetensorsReader(folder.File("m", "model.safetensors"));
        using var merged = new SafetensorsReader(folder.File("merged", "model.safetensors"));
        using var file = new SafetensorsReader(folder.File("a", "adapter_model.safetensors"));
        Assert.Equal(before.Names.Order(), merged.Names.Order());
        for (int layer = 0; layer < 2; layer++)
        {
            foreach (string module in new[] { Qkv, "self_attn.o_proj", GateUp, "mlp.down_proj" })
            {
                float[] a = Read(file, $"base_model.model.model.layers.{layer}.{module}.lora_A.weight");
                float[] b = Read(file, $"base_model.model.model.layers.{layer}.{module}.lora_B.weight");
                float[] weight = Read(before, $"model.layers.{layer}.{module}.weight");
                AssertSum(weight, Product(b, a, 3), scale: 2, Read(merged, $"model.layers.{layer}.{module}.weight"));
            }
        }
    }

    [Fact]
    public void What_is_written_is_one_module_with_the_matrices_along_a_diagonal()
    {
        Adapter adapter = TinyModel.Adapter(Model, rank: 2, targets: [.. Projections.All]);
        adapter.Save(folder.File("a"));

        JsonObject json = JsonNode.Parse(File.ReadAllText(folder.File("a", "adapter_config.json")))!.AsObject();
        Assert.Equal("""["qkv_proj","o_proj","gate_up_proj","down_proj"]""", json["target_modules"]!.ToJsonString());
        Assert.Equal((6, 9), ((int)json["r"]!, (int)json["lora_alpha"]!));
        Assert.Equal("""{"qkv_proj":6,"gate_up_proj":6}""", json["rank_pattern"]!.ToJsonString());
        Assert.False(json.ContainsKey("alpha_pattern"));
        using var file = new SafetensorsReader(folder.File("a", "adapter_model.safetensors"));
        Assert.Equal(16, file.Names.Count);
        for (int layer = 0; layer < 2; layer++)
        {
            RequireBlocks(file, $"{layer}.{Qkv}", adapter, layer, Projection.Query, Projection.Key, Projection.Value);
            RequireBlocks(file, $"{layer}.{GateUp}", adapter, layer, Projection.Gate, Projection.Up);
            RequireBlocks(file, $"{layer}.self_attn.o_proj", adapter, layer, Projection.Output);
            RequireBlocks(file, $"{layer}.mlp.down_proj", adapter, layer, Projection.Down);
        }
    }

    [Theory]
    [InlineData(Projection.Query, Projection.Key, Projection.Value, Projection.Output, Projection.Gate, Projection.Up, Projection.Down)]
    [InlineData(Projection.Query, Projection.Value)]
    [InlineData(Projection.Up, Projection.Down)]
    public void What_we_wrote_comes_back_as_it_was(params Projection[] targets)
    {
        Adapter adapter = TinyModel.Adapter(Model, targets: targets);
        foreach (Projection target in targets) adapter[1, target].B.AsSpan().Clear(); // a layer that never trained
        adapter.Save(folder.File("a"));
        Adapter back = Adapter.Load(folder.File("a"), Model);
        Assert.False(back.SharesA);
        UniformLora form = back.RequireUniform("");
        Assert.Equal((2, 3.0), (form.Rank, form.Alpha));
        Assert.Equal(targets, form.Targets);
        foreach (AdapterModule module in adapter.Modules)
        {
            Assert.Equal(module.Matrices.A, back[module.Layer, module.Projection].A);
            Assert.Equal(module.Matrices.B, back[module.Layer, module.Projection].B);
        }
    }

    [Fact]
    public void What_is_not_trained_yet_comes_back_by_its_ranks()
    {
        foreach (Projection[] targets in new Projection[][]
            { [Projection.Query, Projection.Key, Projection.Output], [Projection.Query, Projection.Key, Projection.Value], [Projection.Gate, Projection.Up] })
        {
            Adapter adapter = TinyModel.Adapter(Model, targets: targets);
            foreach (AdapterModule module in adapter.Modules) module.Matrices.B.AsSpan().Clear();
            adapter.Save(folder.File("a"));
            UniformLora form = Adapter.Load(folder.File("a"), Model).RequireUniform("");
            Assert.Equal((2, 3.0), (form.Rank, form.Alpha));
            Assert.Equal(targets, form.Targets);
        }
        // One of peft's own stays what it is: one A for all three.
        WritePeft(rank: 3, alpha: 6, "[\"qkv_proj\"]", Qkv);
        Assert.True(Adapter.Load(folder.File("a"), Model).SharesA);
    }

    [Fact]
    public void A_chain_is_one_adapter_of_the_same_sum()
    {
        WriteModel();
        WritePeft(rank: 3, alpha: 6, "[\"qkv_proj\"]", Qkv);
        TinyModel.Adapter(Model, targets: [Projection.Query, Projection.Down]).Save(folder.File("b"));
        string[] chain = ["--adapter", folder.File("a"), "--adapter", folder.File("b")];
        CommandLine.Succeed(["export", "peft", "--model", folder.File("m"), .. chain, "--out", folder.File("one")]);
        CommandLine.Succeed(["merge", "--model", folder.File("m"), .. chain, "--out", folder.File("two")]);
        CommandLine.Succeed("merge", "--model", folder.File("m"), "--adapter", folder.File("one"), "--out", folder.File("merged"));
        using var expected = new SafetensorsReader(folder.File("two", "model.safetensors"));
        using var found = new SafetensorsReader(folder.File("merged", "model.safetensors"));
        foreach (string name in expected.Names)
        {
            (float[] wanted, float[] actual) = (Read(expected, name), Read(found, name));
            for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], actual[i], 1e-5f * Math.Max(1, Math.Abs(wanted[i])));
        }
    }

    [Theory]
    [InlineData("target_modules", "[\"q_proj\"]", "target_modules is [\"q_proj\"]; expected names of qkv_proj, o_proj, gate_up_proj or down_proj")]
    [InlineData("init_lora_weights", "\"pissa\"", "init_lora_weights is \"pissa\"; expected no PiSSA on qkv_proj: it takes singular parts of a matrix")]
    [InlineData("r", "2", "qkv_proj.lora_A.weight' has shape (3, 4); expected (2, 4)")]
    public void What_does_not_fit_is_refused(string field, string value, string expected)
    {
        WriteModel();
        WritePeft(rank: 3, alpha: 6, "[\"qkv_proj\"]", Qkv);
        JsonObject json = JsonNode.Parse(File.ReadAllText(folder.File("a", "adapter_config.json")))!.AsObject();
        json[field] = JsonNode.Parse(value);
        File.WriteAllText(folder.File("a", "adapter_config.json"), json.ToJsonString());
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        Refusal.Of(() => Adapter.Load(folder.File("a"), model), folder.File("a"), expected);
    }

    [Fact]
    public void A_name_that_no_module_has_is_told()
    {
        WritePeft(rank: 3, alpha: 6, "[\"qkv_proj\",\"gate_proj\"]", Qkv);
        string notice = Assert.Single(Adapter.Load(folder.File("a"), Model).Notices);
        Assert.Contains("target_modules: names that fit no module of the adapter", notice, StringComparison.Ordinal);
        Assert.Contains("gate_proj", notice, StringComparison.Ordinal);
    }

    private void WriteModel() => TinyModel.Write(folder.File("m"), Model);

    /// <summary>As peft writes an adapter for Phi-3: one A for a whole module.</summary>
    private void WritePeft(int rank, double alpha, string targets, params string[] modules)
    {
        var tensors = new List<TensorToWrite>();
        for (int layer = 0; layer < 2; layer++)
        {
            foreach (string module in modules)
            {
                (int outputs, int inputs) = Model.ModuleShape(Model.Family.Modules.Single(known => module.EndsWith($".{known.Name}", StringComparison.Ordinal)));
                Add($"base_model.model.model.layers.{layer}.{module}.lora_A.weight", rank, inputs);
                Add($"base_model.model.model.layers.{layer}.{module}.lora_B.weight", outputs, rank);
            }
        }
        Directory.CreateDirectory(folder.File("a"));
        SafetensorsWriter.Write(folder.File("a", "adapter_model.safetensors"), tensors);
        File.WriteAllText(
            folder.File("a", "adapter_config.json"),
            FormattableString.Invariant($$"""{"peft_type":"LORA","r":{{rank}},"lora_alpha":{{alpha}},"target_modules":{{targets}}}"""));

        void Add(string name, int rows, int columns) => tensors.Add(new TensorToWrite(
            name, ElementType.Float32, [rows, columns], (first, destination) => new TinyModel.Ramp().ReadFloat32(name, destination, first)));
    }

    private static void RequireBlocks(SafetensorsReader file, string module, Adapter adapter, int layer, params Projection[] parts)
    {
        float[] a = Read(file, $"base_model.model.model.layers.{module}.lora_A.weight");
        float[] b = Read(file, $"base_model.model.model.layers.{module}.lora_B.weight");
        float[] filled = [.. parts.SelectMany(part => adapter[layer, part].A)];
        (int rank, int columns, int row) = (2, 6, 0);
        Assert.Equal([.. filled, .. new float[(columns * filled.Length / (rank * parts.Length)) - filled.Length]], a);
        for (int part = 0; part < parts.Length; part++)
        {
            LoraMatrices own = adapter[layer, parts[part]];
            for (int i = 0; i < own.Outputs; i++, row++)
            {
                for (int k = 0; k < columns; k++)
                    Assert.Equal(k / rank == part ? own.B[(i * rank) + (k % rank)] : 0, b[(row * columns) + k]);
            }
        }
        Assert.Equal(row * columns, b.Length);
    }

    private static float[] Read(SafetensorsReader file, string name)
    {
        float[] values = new float[file.Info(name).ElementCount];
        file.ReadFloat32(name, values);
        return values;
    }

    private static double[] Product(float[] b, float[] a, int rank)
    {
        (int outputs, int inputs) = (b.Length / rank, a.Length / rank);
        double[] product = new double[outputs * inputs];
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < inputs; i++)
            {
                for (int k = 0; k < rank; k++) product[(o * inputs) + i] += (double)b[(o * rank) + k] * a[(k * inputs) + i];
            }
        }
        return product;
    }

    private static void AssertSum(float[] weight, double[] product, double scale, float[] found)
    {
        Assert.Equal(weight.Length, found.Length);
        for (int i = 0; i < found.Length; i++) Assert.Equal(weight[i] + (scale * product[i]), found[i], 1e-4);
    }
}
