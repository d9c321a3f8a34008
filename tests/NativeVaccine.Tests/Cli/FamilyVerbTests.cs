using System.Text.Json.Nodes;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>From plan to merged model with each family; none of the verbs knows which it is.</summary>
public sealed class FamilyVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Families() => new("tiny-qwen3", "tiny-gemma", "tiny-gemma2", "tiny-gemma3", "tiny-phi3");

    [Theory]
    [InlineData("tiny-qwen3", "tvaccine", "attention")]
    [InlineData("tiny-gemma", "tvaccine", "mlp")]
    [InlineData("tiny-gemma2", "tvaccine", "residual")]
    [InlineData("tiny-gemma3", "vaccine", "mlp")]
    [InlineData("tiny-phi3", "tvaccine", "mlp")]
    public void AStepTakesWhatThePlanSays(string model, string method, string site)
    {
        string json = folder.File("step.json");
        string[] layers = method == "tvaccine" ? ["--layers", "2"] : [];
        CommandLine.Succeed(
            ["bench", "step", "--shape", Fixtures.Path(model), "--method", method, "--batch", "2", "--max-length", "40", "--steps", "1",
            "--perturb-site", site, "--json", json, .. layers]);
        JsonNode found = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal((long)found["planned_bytes"]!, (long)found["taken_bytes"]!);
        Assert.Equal((long)found["planned_bytes"]!, (long)found["used_bytes"]!);
        Assert.InRange((double)found["loss"]!, 1, 20);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void AModelIsAlignedEvaluatedAndMerged(string fixture)
    {
        (string model, string run, string merged) = (Fixtures.Path(fixture), folder.File("run"), folder.File("merged"));
        string data = WriteBatch(fixture);
        CommandLine.Succeed(
            "align", "--model", model, "--data", data, "--harmful-data", data, "--method", "tvaccine", "--layers", "2", "--rho", "0.1",
            "--epochs", "4", "--batch", "3", "--learning-rate", "0.01", "--lora-rank", "4", "--warmup-ratio", "0", "--out", run);
        JsonNode[] metrics = [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(static line => JsonNode.Parse(line)!)];
        Assert.True((double)metrics[^1]["loss"]! < (double)metrics[0]["loss"]!, $"{metrics[0]["loss"]} to {metrics[^1]["loss"]}");
        double[] norms = [.. metrics[0]["probe_norms"]!.AsArray().Select(static norm => (double)norm!)];
        Assert.Equal(ModelConfiguration.Load(model).LayerCount, norms.Length);
        Assert.All(norms, static norm => Assert.True(norm > 0));

        CommandLine.Succeed("merge", "--run", run, "--dtype", "fp32", "--out", merged);
        double both = Loss("--run", run);
        Assert.InRange(Loss("--model", merged) / both, 1 - 1e-6, 1 + 1e-6);
        Assert.NotInRange(Loss("--model", model) / both, 1 - 1e-3, 1 + 1e-3);
        using var before = new SafetensorsReader(Path.Combine(model, "model.safetensors"));
        using var after = new SafetensorsReader(Path.Combine(merged, "model.safetensors"));
        Assert.Equal(before.Names.Order(), after.Names.Order());
        CommandLine.Succeed("generate", "--run", run, "--prompt", "a", "--max-new-tokens", "2");

        double Loss(params string[] selection) => CommandLine.MeanLoss([.. selection, "--data", data, "--precision", "fp32"]);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void AllWeightsMayTrain(string fixture)
    {
        (string model, string run) = (Fixtures.Path(fixture), folder.File("run"));
        CommandLine.Succeed(
            "finetune", "--model", model, "--data", WriteBatch(fixture), "--full", "--epochs", "1", "--batch", "3", "--learning-rate", "0.001",
            "--warmup-ratio", "0", "--out", run);
        using var before = new SafetensorsReader(Path.Combine(model, "model.safetensors"));
        using var after = new SafetensorsReader(Path.Combine(run, "model", "model.safetensors"));
        Assert.Equal(before.Names.Order(), after.Names.Order());
        foreach (string name in before.Names)
        {
            Assert.Equal(before.Info(name).Shape.AsSpan(), after.Info(name).Shape.AsSpan());
            float[] old = new float[before.Info(name).ElementCount], now = new float[old.Length];
            before.ReadFloat32(name, old);
            after.ReadFloat32(name, now);
            Assert.NotEqual(old, now);
            Assert.True(old.Zip(now, static (a, b) => Math.Abs(a - b)).Max() < 0.01, name);
        }
    }

    /// <summary>peft knows only the modules that the model has, and an adapter of ours goes on in its own form.</summary>
    [Fact]
    public void AnAdapterOfPhi3NamesItsFusedModulesAndIsContinued()
    {
        (string first, string second) = (folder.File("first"), folder.File("second"));
        string[] tune = ["finetune", "--model", Fixtures.Path("tiny-phi3"), "--data", WriteBatch("tiny-phi3"), "--epochs", "1", "--learning-rate", "0.01"];
        CommandLine.Succeed([.. tune, "--lora-rank", "2", "--lora-alpha", "0.3", "--lora-targets", "q_proj,v_proj,o_proj", "--out", first]);
        JsonNode json = Configuration(first);
        Assert.Equal("""["qkv_proj","o_proj"]""", json["target_modules"]!.ToJsonString());
        Assert.Equal((6, 6), ((int)json["r"]!, (int)json["rank_pattern"]!["qkv_proj"]!));

        CommandResult result = CommandLine.Succeed([.. tune, "--init-adapter", Path.Combine(first, "adapter"), "--out", second]);
        Assert.DoesNotContain("has one A for", result.Error, StringComparison.Ordinal);
        Assert.Equal(json["rank_pattern"]!.ToJsonString(), Configuration(second)["rank_pattern"]!.ToJsonString());
        Assert.Equal(json["target_modules"]!.ToJsonString(), Configuration(second)["target_modules"]!.ToJsonString());
    }

    [Fact]
    public void AnAdapterWithOneAForSeveralIsContinuedWithALine()
    {
        var model = ModelConfiguration.Load(Fixtures.Path("tiny-phi3"));
        WriteShared(model);
        CommandResult result = CommandLine.Succeed(
            "finetune", "--model", Fixtures.Path("tiny-phi3"), "--data", WriteBatch("tiny-phi3"), "--epochs", "1", "--init-adapter", folder.File("a"),
            "--out", folder.File("run"));
        Assert.Contains(
            "its gate_up_proj has one A for gate_proj and up_proj; from here on each has its own, and the result has rank 6 there",
            result.Error, StringComparison.Ordinal);
        Assert.Equal(6, (int)Configuration(folder.File("run"))["rank_pattern"]!["gate_up_proj"]!);
    }

    private void WriteShared(ModelConfiguration model)
    {
        (int outputs, int inputs) = (2 * model.IntermediateSize, model.HiddenSize);
        IEnumerable<TensorToWrite> tensors = Enumerable.Range(0, model.LayerCount).SelectMany(layer => new[]
        {
            Tensor($"base_model.model.model.layers.{layer}.mlp.gate_up_proj.lora_A.weight", 3, inputs),
            Tensor($"base_model.model.model.layers.{layer}.mlp.gate_up_proj.lora_B.weight", outputs, 3),
        });
        Directory.CreateDirectory(folder.File("a"));
        SafetensorsWriter.Write(folder.File("a", "adapter_model.safetensors"), [.. tensors]);
        File.WriteAllText(
            folder.File("a", "adapter_config.json"), """{"peft_type":"LORA","r":3,"lora_alpha":3,"target_modules":["gate_up_proj"]}""");

        static TensorToWrite Tensor(string name, int rows, int columns) => new(name, ElementType.Float32, [rows, columns], (first, destination) =>
        {
            for (int i = 0; i < destination.Length; i++) destination[i] = 1e-3f * TinyModel.Ramp.Value(name, first + i);
        });
    }

    private static JsonNode Configuration(string run) => JsonNode.Parse(File.ReadAllText(Path.Combine(run, "adapter", "adapter_config.json")))!;

    private string WriteBatch(string fixture)
    {
        JsonNode batch = JsonNode.Parse(File.ReadAllText(Fixtures.Path(fixture, "expected.json")))!["batch"]!;
        string path = folder.File("batch.jsonl");
        IEnumerable<JsonObject> records = batch["input_ids"]!.AsArray().Zip(batch["labels"]!.AsArray(), static (ids, labels) =>
            new JsonObject { ["input_ids"] = ids!.DeepClone(), ["labels"] = labels!.DeepClone() });
        File.WriteAllLines(path, records.Select(static record => record.ToJsonString()));
        return path;
    }
}
