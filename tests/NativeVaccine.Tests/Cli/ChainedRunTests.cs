using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>What a run and its adapter tell those that use them, and what may not be written over.</summary>
public sealed class ChainedRunTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AnAdapterOnOtherWeightsThanItsOwnIsNamed()
    {
        (string run, string merged) = (folder.File("run"), folder.File("merged"));
        string adapter = Path.Combine(run, "adapter");
        Align(run);
        Assert.DoesNotContain("other weights", Evaluate("--run", run).Error, StringComparison.Ordinal);
        CommandResult merging = CommandLine.Succeed("merge", "--run", run, "--out", merged);
        Assert.DoesNotContain("other weights", merging.Error, StringComparison.Ordinal);

        string expected = $"adapter {adapter} was trained on other weights than those of {merged}; expected the model {Model}";
        Assert.Contains(expected, Evaluate("--model", merged, "--adapter", adapter).Error, StringComparison.Ordinal);
        Assert.Contains(
            expected,
            CommandLine.Succeed("merge", "--model", merged, "--adapter", adapter, "--out", folder.File("twice")).Error,
            StringComparison.Ordinal);
        CommandResult attack = CommandLine.Succeed(
            "finetune", "--model", merged, "--adapter", adapter, "--data", $"{Samples}#align", "--epochs", "1", "--out", folder.File("attack"));
        Assert.Contains(expected, attack.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunGivesItsLengthAndAnAdapterItsTemplate()
    {
        (string run, string attack) = (folder.File("run"), folder.File("attack"));
        string adapter = Path.Combine(run, "adapter");
        string records = folder.File("records.jsonl");
        File.WriteAllText(records, """{"instruction": "Name a river.", "input": "", "output": "The Elbe, which comes from afar."}""" + "\n");
        CommandLine.Succeed(
            "align", "--model", Model, "--data", records, "--method", "sft", "--epochs", "1", "--template", "none", "--max-length", "12", "--out", run);

        string[] evaluate = ["evaluate", "loss", "--data", records];
        string expected = CommandLine.Succeed([.. evaluate, "--model", Model, "--adapter", adapter, "--template", "none", "--max-length", "12"]).Output;
        Assert.Equal(expected, CommandLine.Succeed([.. evaluate, "--run", run]).Output);
        Assert.Equal(expected, CommandLine.Succeed([.. evaluate, "--model", Model, "--adapter", adapter, "--max-length", "12"]).Output);
        CommandLine.Succeed("finetune", "--run", run, "--data", records, "--epochs", "1", "--out", attack);
        JsonNode options = JsonNode.Parse(File.ReadAllText(Path.Combine(attack, "config.json")))!;
        Assert.Equal(("none", 12), ((string)options["template"]!, (int)options["max_length"]!));
    }

    /// <summary>The adapters that were merged before all weights were trained are not lost.</summary>
    [Fact]
    public void AModelTrainedInFullNamesTheChainUnderIt()
    {
        (string run, string full, string again) = (folder.File("run"), folder.File("full"), folder.File("again"));
        string records = folder.File("records.jsonl");
        File.WriteAllText(records, """{"instruction": "Name a river.", "input": "", "output": "The Elbe, which comes from afar."}""" + "\n");
        Align(run);
        CommandLine.Succeed("finetune", "--run", run, "--data", records, "--epochs", "1", "--template", "none", "--full", "--out", full);
        CommandLine.Succeed("finetune", "--run", full, "--data", records, "--epochs", "1", "--full", "--out", again);
        string model = Path.Combine(full, "model");
        string json = folder.File("result.json");

        foreach (string[] given in new string[][] { ["--run", full], ["--model", model] })
        {
            CommandLine.Succeed(["evaluate", "loss", .. given, "--data", records, "--json", json]);
            JsonNode source = JsonNode.Parse(File.ReadAllText(json))!["source"]!;
            Assert.Equal((model, "none"), ((string)source["model"]!, (string)source["template"]!));
            JsonNode under = source["model_trained_on"]!;
            Assert.Equal(Model, (string)under["model"]!);
            Assert.Equal([Path.Combine(run, "adapter")], under["adapters"]!.AsArray().Select(static adapter => (string)adapter!["path"]!));
            Assert.NotEqual((string)source["model_hash"]!, (string)under["model_hash"]!);
        }

        CommandLine.Succeed("evaluate", "loss", "--run", again, "--data", records, "--json", json);
        JsonNode last = JsonNode.Parse(File.ReadAllText(json))!["source"]!["model_trained_on"]!;
        Assert.Equal((model, 0), ((string)last["model"]!, last["adapters"]!.AsArray().Count));
        Assert.Equal(Path.Combine(run, "adapter"), (string)last["model_trained_on"]!["adapters"]![0]!["path"]!);
    }

    [Fact]
    public void AResultDoesNotTakeThePlaceOfWhatIsRead()
    {
        string run = folder.File("run");
        Align(run);
        string data = folder.File("data.jsonl");
        File.Copy(Samples, data);
        byte[] before = File.ReadAllBytes(data);
        string weights = Path.Combine(run, "adapter", "adapter_model.safetensors");
        byte[] trained = File.ReadAllBytes(weights);

        CommandResult own = CommandLine.Run("evaluate", "loss", "--run", run, "--data", $"{data}#align", "--json", data);
        CommandResult part = CommandLine.Run("evaluate", "loss", "--run", run, "--data", $"{data}#align", "--json", weights);

        Assert.Equal((ExitCode.BadInput, ExitCode.BadInput), (own.ExitCode, part.ExitCode));
        Assert.Contains($"{data}: is what --data reads", own.ErrorLine, StringComparison.Ordinal);
        Assert.Contains($"{weights}: belongs to --run {run}", part.ErrorLine, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(data));
        Assert.Equal(trained, File.ReadAllBytes(weights));
        foreach (int _ in new[] { 1, 2 })
            CommandLine.Succeed("evaluate", "loss", "--run", run, "--data", $"{data}#align", "--json", Path.Combine(run, "loss.json"));
    }

    private static CommandResult Evaluate(params string[] model) => CommandLine.Succeed(["evaluate", "loss", "--data", $"{Samples}#align", .. model]);

    private static void Align(string run, params string[] more) => CommandLine.Succeed(
        ["align", "--model", Model, "--data", $"{Samples}#align", "--method", "sft", "--epochs", "2", "--learning-rate", "0.05", "--out", run, .. more]);
}
