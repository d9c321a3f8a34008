using System.Text.Json.Nodes;
using NativeVaccine.Models;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Models;

/// <summary>Chains of adapters: what PiSSA stands on, and one adapter in the place of all.</summary>
public sealed class AdapterSumTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(16, "adapter-all", "adapter-all")]
    [InlineData(11, "adapter-all", "adapter-qv")]
    [InlineData(10, "adapters/patterns", "adapters/layers")]
    [InlineData(11, "adapters/pissa", "adapter-qv")]
    [InlineData(8, "adapters/pissa")]
    public void One_adapter_does_what_the_chain_does(int rank, params string[] names)
    {
        string model = Fixtures.Path("tiny-llama");
        string[] adapters = [.. names.SelectMany(static name => new[] { "--adapter", Fixtures.Path(name.Split('/')) })];
        CommandLine.Succeed(["export", "peft", "--model", model, .. adapters, "--out", folder.File("one")]);
        using ModelFolder weights = ModelFolder.Open(model);
        List<Adapter> chain = Adapter.LoadChain(names.Select(static name => Fixtures.Path(name.Split('/'))), weights);
        Adapter one = Adapter.Load(folder.File("one"), weights);
        Assert.Equal(rank, one.RequireUniform("").Rank);
        AssertSame(new MergedWeights(weights, chain), new MergedWeights(weights, [one]), weights.Configuration);
    }

    [Fact]
    public void Where_the_scales_are_equal_the_matrices_are_the_same_bits()
    {
        ModelConfiguration model = ModelConfiguration.Load(Fixtures.Path("tiny-llama"));
        var all = Adapter.Load(Fixtures.Path("adapter-all"), model);
        var sum = AdapterSum.Of([all, all], model);
        LoraMatrices part = all[3, Projection.Down], whole = sum[3, Projection.Down];
        Assert.Equal([.. part.A, .. part.A], whole.A);
        for (int row = 0; row < part.Outputs; row++)
        {
            float[] b = part.B[(row * 8)..((row + 1) * 8)];
            Assert.Equal([.. b, .. b], whole.B[(row * 16)..((row + 1) * 16)]);
        }
    }

    [Fact]
    public void Pissa_takes_its_parts_of_what_it_stands_on()
    {
        using ModelFolder model = ModelFolder.Open(Fixtures.Path("tiny-llama"));
        string[] names = [Fixtures.Path("adapter-all"), Fixtures.Path("adapters", "pissa")];
        List<Adapter> chain = Adapter.LoadChain(names, model);
        ModelMerger.Merge(model, [chain[0]], folder.File("merged"), ElementType.Float32);
        using ModelFolder merged = ModelFolder.Open(folder.File("merged"));
        var alone = Adapter.Load(names[1], merged);
        AssertSame(new MergedWeights(merged, [alone]), new MergedWeights(model, chain), model.Configuration);

        float[] onTheModel = Adapter.Load(names[1], model)[0, Projection.Query].A;
        Assert.Contains(onTheModel.Zip(chain[1][0, Projection.Query].A), static pair => MathF.Abs(pair.First - pair.Second) > 1e-3f);
        Refusal.Of(() => Adapter.Load(names[1], model.Configuration), names[1], "is of PiSSA", "expected a model with weights");
    }

    [Fact]
    public void Pissa_of_a_rank_that_the_weights_do_not_have_is_refused()
    {
        TinyModel.Write(folder.File("m"));
        TinyModel.Adapter(rank: 5, targets: [Projection.Query]).Save(folder.File("a"));
        string file = folder.File("a", "adapter_config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        json["init_lora_weights"] = "pissa";
        File.WriteAllText(file, json.ToJsonString());
        using ModelFolder model = ModelFolder.Open(folder.File("m"));
        Refusal.Of(() => Adapter.Load(folder.File("a"), model), folder.File("a"), "rank 5; expected at most 4");
    }

    [Fact]
    public void What_is_written_has_only_fields_that_peft_of_today_knows()
    {
        var known = JsonNode.Parse(File.ReadAllText(Fixtures.Path("adapters", "rslora", "adapter_config.json")))!.AsObject();
        TinyModel.Adapter(targets: [Projection.Query]).Save(folder.File("a"));
        JsonObject written = JsonNode.Parse(File.ReadAllText(folder.File("a", "adapter_config.json")))!.AsObject();
        Assert.Empty(written.Select(static field => field.Key).Except(known.Select(static field => field.Key)));
    }

    [Fact]
    public void Without_an_adapter_there_is_nothing_to_export()
    {
        CommandResult result = CommandLine.Run("export", "peft", "--model", Fixtures.Path("tiny-llama"), "--out", folder.File("out"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("export peft: expected --adapter", result.ErrorLine, StringComparison.Ordinal);
    }

    private static void AssertSame(MergedWeights expected, MergedWeights actual, ModelConfiguration model)
    {
        foreach (ExpectedWeight weight in ExpectedWeight.Of(model))
        {
            float[] wanted = new float[weight.ElementCount], found = new float[weight.ElementCount];
            expected.ReadFloat32(weight.Name, wanted);
            actual.ReadFloat32(weight.Name, found);
            Near.Equal(weight.Name, wanted, [.. found.Select(static value => (double)value)], 2e-6, 0);
        }
    }
}
