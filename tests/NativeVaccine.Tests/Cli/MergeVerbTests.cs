using System.Text.Json.Nodes;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

public sealed class MergeVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void It_writes_what_most_weights_are_stored_as_and_changes_nothing_else()
    {
        CopyModel("tiny-llama", ("torch_dtype", "float16"), ("eos_token_id", null), ("bos_token_id", null));
        File.Delete(folder.File("m", "generation_config.json"));
        Merge("--adapter", Fixtures.Path("adapter-qv"));
        using ModelFolder merged = ModelFolder.Open(folder.File("out"));
        Assert.Equal(ElementType.Float32, merged.StoredType);
        JsonNode expected = JsonNode.Parse(File.ReadAllText(folder.File("m", "config.json")))!;
        expected["torch_dtype"] = "float32";
        JsonNode written = JsonNode.Parse(File.ReadAllText(folder.File("out", "config.json")))!;
        Assert.True(JsonNode.DeepEquals(expected, written), written.ToJsonString());
        Assert.False(File.Exists(folder.File("out", "generation_config.json")));
    }

    /// <summary>As transformers 5 writes a folder: tokenizer.json alone.</summary>
    [Fact]
    public void A_tokenizer_model_is_made_where_there_is_a_tokenizer_json_of_its_kind_alone()
    {
        CopyModel("tiny-llama");
        File.Delete(folder.File("m", "tokenizer.model"));
        File.Copy(Fixtures.Path("tokenizers-json", "llama-prepend", "tokenizer.json"), folder.File("m", "tokenizer.json"));
        string error = CommandLine.Succeed(
            "merge", "--model", folder.File("m"), "--out", folder.File("out"), "--adapter", Fixtures.Path("adapter-qv")).Error;
        Assert.Contains("wrote a tokenizer.model beside tokenizer.json; both give the same tokens for ", error, StringComparison.Ordinal);
        Assert.True(File.Exists(folder.File("out", "tokenizer.model")));
        Assert.True(File.Exists(folder.File("out", "tokenizer.json")));
        Assert.False(File.Exists(folder.File("m", "tokenizer.model")));
    }

    [Fact]
    public void Without_an_adapter_there_is_nothing_to_do()
    {
        CommandResult result = CommandLine.Run("merge", "--model", Fixtures.Path("tiny-llama"), "--out", folder.File("out"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("expected --adapter", result.ErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));
    }

    [Fact]
    public void Merge_tells_what_rounding_loses_and_verbs_that_only_run_a_model_lose_nothing()
    {
        ModelConfiguration model = ModelConfiguration.Load(Fixtures.Path("tiny-llama"));
        var adapter = new Adapter(model, 1, 1, 0, [Projection.Query]);
        foreach (AdapterModule module in adapter.Modules)
        {
            Array.Fill(module.Matrices.A, 1e-3f);
            Array.Fill(module.Matrices.B, 1e-3f);
        }
        adapter.Save(folder.File("a"));
        CopyModel("tiny-llama");
        Merge("--adapter", Fixtures.Path("adapter-qv"), "--dtype", "bf16");

        string[] options = ["--model", folder.File("out"), "--adapter", folder.File("a")];
        string bf16 = CommandLine.Succeed(["merge", .. options, "--out", folder.File("bf16")]).Error;
        Assert.Contains($"warning: {folder.File("a")}: ", bf16, StringComparison.Ordinal);
        Assert.Contains("of its change is left after rounding to bf16 (least in model.layers.", bf16, StringComparison.Ordinal);
        Assert.Contains("--dtype fp32 keeps it", bf16, StringComparison.Ordinal);
        string fp32 = CommandLine.Succeed(["merge", .. options, "--dtype", "fp32", "--out", folder.File("fp32")]).Error;
        Assert.DoesNotContain("rounding", fp32, StringComparison.Ordinal);

        string data = folder.File("data.jsonl");
        File.WriteAllText(data, "{\"input_ids\":[1,2,3],\"labels\":[1,2,3]}\n");
        options = ["--model", folder.File("out"), "--adapter", Fixtures.Path("adapter-all")];
        CommandLine.Succeed(["merge", .. options, "--dtype", "fp32", "--out", folder.File("exact")]);
        CommandLine.Succeed(["merge", .. options, "--out", folder.File("rounded")]);
        double exact = Loss("--model", folder.File("exact"));
        Assert.InRange(Loss([.. options, "--precision", "bf16"]) / exact, 1 - 1e-6, 1 + 1e-6);
        Assert.InRange(Loss(options) / exact, 1 - 1e-6, 1 + 1e-6);
        Assert.NotInRange(Loss("--model", folder.File("rounded")) / exact, 1 - 1e-6, 1 + 1e-6);

        double Loss(params string[] options) => CommandLine.MeanLoss([.. options, "--data", data]);
    }

    [Fact]
    public void What_the_model_does_not_use_is_named_by_every_verb()
    {
        CopyModel("tiny-llama", ("a_new_idea", 3));
        string data = folder.File("data.jsonl");
        File.WriteAllText(data, "{\"input_ids\":[1,2,3],\"labels\":[1,2,3]}\n");
        string[][] verbs =
        [
            ["merge", "--adapter", Fixtures.Path("adapter-qv"), "--out", folder.File("out")],
            ["evaluate", "loss", "--data", data],
            ["plan", "--data", data, "--method", "sft"],
            ["align", "--data", data, "--method", "sft", "--epochs", "1", "--out", folder.File("run")],
        ];
        foreach (string[] verb in verbs)
        {
            string error = CommandLine.Succeed([.. verb, "--model", folder.File("m")]).Error;
            Assert.Contains("field a_new_idea is not known to this program", error, StringComparison.Ordinal);
        }
    }

    private void Merge(params string[] more) =>
        CommandLine.Succeed(["merge", "--model", folder.File("m"), "--out", folder.File("out"), .. more]);

    private void CopyModel(string fixture, params (string Field, JsonNode? Value)[] changes)
    {
        Directory.CreateDirectory(folder.File("m"));
        foreach (string file in Directory.GetFiles(Fixtures.Path(fixture))) File.Copy(file, folder.File("m", Path.GetFileName(file)));
        string configuration = folder.File("m", "config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(configuration))!.AsObject();
        foreach ((string field, JsonNode? value) in changes)
        {
            if (value is null) json.Remove(field);
            else json[field] = value;
        }
        File.WriteAllText(configuration, json.ToJsonString());
    }
}
