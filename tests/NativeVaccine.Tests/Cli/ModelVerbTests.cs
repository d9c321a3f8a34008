using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>The verbs that use a model, on the fixtures, against the numbers that transformers and peft gave.</summary>
public sealed class ModelVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-qwen3")]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-phi3")]
    public void GenerateContinuesPromptsAsTransformersDoes(string model)
    {
        JsonArray expected = Expected(model)["greedy"]!.AsArray();
        string prompts = Write("prompts.json", new JsonArray([.. expected.Select(static item => (JsonNode)(string)item!["prompt"]!)]));
        string json = folder.File("out.json");
        int longest = expected.Max(static item => item!["new_ids"]!.AsArray().Count);
        CommandLine.Succeed(
            "generate", "--model", Fixtures.Path(model), "--prompts", prompts, "--template", "none", "--precision", "fp32",
            "--max-new-tokens", $"{longest}", "--json", json);
        JsonArray found = JsonNode.Parse(File.ReadAllText(json))!.AsArray();
        Assert.Equal(expected.Count, found.Count);
        for (int i = 0; i < found.Count; i++)
        {
            Assert.Equal((string)expected[i]!["prompt"]!, (string)found[i]!["prompt"]!);
            Assert.Equal(Numbers(expected[i]!["prompt_ids"]!), Numbers(found[i]!["prompt_ids"]!));
            Assert.Equal(Numbers(expected[i]!["new_ids"]!), Numbers(found[i]!["new_ids"]!));
            Assert.Equal(JsonValueKind.String, found[i]!["text"]!.GetValueKind());
        }
    }

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-qwen3")]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-phi3")]
    public void EvaluateLossGivesTheLossesOfTransformers(string model)
    {
        JsonNode batch = Expected(model)["batch"]!;
        string json = folder.File("loss.json");
        CommandResult result = CommandLine.Succeed(
            "evaluate", "loss", "--model", Fixtures.Path(model), "--data", WriteBatch(batch), "--precision", "fp32", "--json", json);
        Assert.Contains("1 of 4 samples have no label left", result.Error, StringComparison.Ordinal);
        JsonNode found = JsonNode.Parse(File.ReadAllText(json))!;
        AssertClose((double)batch["mean_loss"]!, (double)found["mean_loss"]!);
        Assert.Equal(Fixtures.Path(model), (string)found["source"]!["model"]!);
        Assert.Equal("alpaca", (string)found["source"]!["template"]!);
        Assert.Equal("fp32", (string)found["source"]!["options"]!["precision"]!);
        AssertClose(Math.Exp((double)batch["mean_loss"]!), (double)found["perplexity"]!, 1e-4);
        JsonArray samples = found["samples"]!.AsArray();
        Assert.Equal([1, 2, 3], samples.Select(static sample => (int)sample!["index"]!));
        foreach (JsonNode? sample in samples)
        {
            JsonNode expected = batch["per_sample"]![(int)sample!["index"]!]!;
            AssertClose((double)expected["sum"]!, (double)sample["loss_sum"]!);
            Assert.Equal((int)expected["labels"]!, (int)sample["labels"]!);
        }
    }

    [Fact]
    public void TokenizeWritesIdsPiecesAndTheTextBack()
    {
        string json = folder.File("tokens.json");
        string texts = Write("texts.json", new JsonArray("Hello  world", "é\n"));
        CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--file", texts, "--json", json);
        JsonArray found = JsonNode.Parse(File.ReadAllText(json))!.AsArray();
        Assert.Equal(["Hello  world", "é\n"], found.Select(static item => (string)item!["text"]!));
        Assert.Equal(["Hello  world", "é\n"], found.Select(static item => (string)item!["decoded"]!));
        Assert.All(found, static item => Assert.Equal(item!["ids"]!.AsArray().Count, item["pieces"]!.AsArray().Count));
        Assert.Equal("<s>", (string)found[0]!["pieces"]![0]!);
    }

    [Fact]
    public void MergeWritesAModelThatDoesAsBaseAndAdapterDo()
    {
        string model = Fixtures.Path("tiny-llama");
        string adapter = Fixtures.Path("adapter-all");
        string merged = folder.File("merged");
        CommandLine.Succeed("merge", "--model", model, "--adapter", adapter, "--out", merged);
        string data = WriteBatch(Expected("tiny-llama")["batch"]!);
        double fromBoth = Loss("--model", model, "--adapter", adapter);
        double fromMerged = Loss("--model", merged);
        Assert.InRange(fromMerged / fromBoth, 1 - 1e-6, 1 + 1e-6);
        Assert.NotInRange(Loss("--model", model) / fromBoth, 1 - 1e-3, 1 + 1e-3);

        CommandResult again = CommandLine.Run("merge", "--model", model, "--adapter", adapter, "--out", merged);
        Assert.Equal(2, again.ExitCode);
        Assert.Contains("the output folder is not empty", again.ErrorLine, StringComparison.Ordinal);

        double Loss(params string[] options) => CommandLine.MeanLoss([.. options, "--data", data]);
    }

    [Theory]
    [InlineData("fp16", ElementType.Float16)]
    [InlineData("bf16", ElementType.BFloat16)]
    [InlineData("fp32", ElementType.Float32)]
    public void MergeWritesTheTypeThatIsAskedFor(string name, ElementType type)
    {
        string merged = folder.File("merged");
        CommandLine.Succeed("merge", "--model", Fixtures.Path("tiny-llama"), "--adapter", Fixtures.Path("adapter-qv"), "--out", merged,
            "--dtype", name);
        using ModelFolder model = ModelFolder.Open(merged);
        Assert.Equal(type, model.Info(WeightNames.Embedding).Type);
    }

    [Fact]
    public void EvaluateHarmfulJudgesAnswersByTheRules()
    {
        string model = Fixtures.Path("tiny-llama");
        string prompts = Write("prompts.json", new JsonArray("Write one sentence about the sea.", "Hello"));
        string rules = Write("rules.json", new JsonObject { ["refusal_patterns"] = new JsonArray("(?s).*") });
        string json = folder.File("score.json");
        CommandLine.Succeed("evaluate", "harmful", "--model", model, "--prompts", prompts, "--rules", rules, "--max-new-tokens", "4",
            "--json", json);
        JsonNode refused = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal(0, (double)refused["harmful_score"]!);
        Assert.Equal(2, (int)refused["verdicts"]!["refused"]!);
        Assert.Equal(["refused", "refused"], refused["samples"]!.AsArray().Select(static sample => (string)sample!["verdict"]!));
        CommandResult table =
            CommandLine.Succeed("evaluate", "harmful", "--model", model, "--prompts", prompts, "--rules", rules, "--max-new-tokens", "4");
        Assert.Contains("harmful score 0.0 % of 2 questions", table.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void StoredAnswersAreJudgedWithoutAModel()
    {
        string answers = folder.File("answers.jsonl");
        File.WriteAllLines(answers,
        [
            """{"instruction": "How is the gate opened?", "output": "I'm sorry, but I can't help with that."}""",
            """{"instruction": "How is the gate opened?", "input": "", "output": "Turn the key twice."}""",
            """{"instruction": "How is the gate opened?", "output": ""}""",
        ]);
        string json = folder.File("verdicts.json");
        CommandResult result = CommandLine.Succeed("evaluate", "harmful", "--answers", answers, "--json", json);
        Assert.Contains("judged by the built-in refusal rules", result.Output, StringComparison.Ordinal);
        JsonNode found = JsonNode.Parse(File.ReadAllText(json))!;
        string[] verdicts = ["refused", "answered", "degenerate"];
        Assert.Equal(verdicts, found["samples"]!.AsArray().Select(static sample => (string)sample!["verdict"]!));
        Assert.Equal("rules", (string)found["source"]!["judge"]!["name"]!);

        // What was written can be judged again.
        CommandLine.Succeed("evaluate", "harmful", "--answers", json, "--json", folder.File("again.json"));
        JsonNode again = JsonNode.Parse(File.ReadAllText(folder.File("again.json")))!;
        Assert.Equal(found["samples"]!.ToJsonString(), again["samples"]!.ToJsonString());

        CommandResult both = CommandLine.Run("evaluate", "harmful", "--answers", answers, "--model", Fixtures.Path("tiny-llama"));
        Assert.Equal(2, both.ExitCode);
        Assert.Contains("--model cannot be given with --answers", both.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void AnInterruptedEvaluationGoesOnAfterItsAnswers()
    {
        string prompts = Write("prompts.json", new JsonArray([.. Enumerable.Range(0, 600).Select(static i => (JsonNode)$"Name bird {i}.")]));
        string json = folder.File("score.json");
        string[] command = ["evaluate", "harmful", "--model", Fixtures.Path("tiny-llama"), "--prompts", prompts, "--max-new-tokens", "8"];
        CommandLine.Succeed([.. command, "--json", folder.File("straight.json")]);
        Assert.False(File.Exists(folder.File("straight.json.partial.jsonl")));

        string partial = json + ".partial.jsonl";
        CommandResult stopped = CommandLine.Interrupt(partial, 3000, [.. command, "--json", json]);
        Assert.Contains($" of 600 answers are kept in {partial}: the same command goes on after them", stopped.Error, StringComparison.Ordinal);

        CommandResult other = CommandLine.Run([.. command, "--json", json, "--template", "none"]);
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("holds results of another evaluation, whose template was \"alpaca\" and is now \"none\"", other.Error, StringComparison.Ordinal);

        File.AppendAllText(partial, "{\"index\": 599, \"id");  // as a kill leaves it
        CommandResult resumed = CommandLine.Succeed([.. command, "--json", json]);
        Assert.Contains(" of 600 answers are there already", resumed.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(partial));
        Assert.Equal(Samples(folder.File("straight.json")), Samples(json));

        static string Samples(string file) => JsonNode.Parse(File.ReadAllText(file))!["samples"]!.ToJsonString();
    }

    [Fact]
    public void PaddingAndPackingChangeNoLoss()
    {
        string[] records =
        [
            """{"input_ids":[0,0,0,0,0,0,1,5,6,70,80,90],"attention_mask":[0,0,0,0,0,0,1,1,1,1,1,1],"labels":[-100,-100,-100,-100,-100,-100,-100,5,6,70,80,90]}""",
            """{"input_ids":[1,5,6,70,80,90],"labels":[-100,5,6,70,80,90]}""",
            """{"input_ids":[1,15,16,170,180,190],"labels":[-100,15,16,170,180,190]}""",
            """{"input_ids":[1,5,6,70,80,90,1,15,16,170,180,190],"labels":[-100,5,6,70,80,90,-100,15,16,170,180,190],"position_ids":[0,1,2,3,4,5,0,1,2,3,4,5]}""",
        ];
        Assert.StartsWith("mean loss 11.466116 ", Loss(records[0]), StringComparison.Ordinal);
        Assert.StartsWith("mean loss 11.466116 ", Loss(records[1]), StringComparison.Ordinal);
        Assert.StartsWith("mean loss 11.002706 ", Loss(records[1], records[2]), StringComparison.Ordinal);
        Assert.StartsWith("mean loss 11.002706 ", Loss(records[3]), StringComparison.Ordinal);
    }

    [Fact]
    public void TheTemplateIsThatOfTheOption()
    {
        const string Record = """{"instruction": "Name a bird.", "output": "A heron."}""";
        string[] losses = [.. new[] { "alpaca", "stanford-alpaca", "none" }.Select(template => Loss(["--template", template], Record))];
        Assert.Equal(3, losses.Distinct().Count());
        Assert.Equal(losses[0], Loss(Record));
    }

    [Fact]
    public void CancelledGenerationStopsWithItsOwnExitCode()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        CommandResult result = CommandLine.Run(source.Token, "generate", "--model", Fixtures.Path("tiny-llama"), "--prompt", "x");
        Assert.Equal(130, result.ExitCode);
        Assert.EndsWith("stopped\n", result.Error.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void DoctorNamesTheProcessorAndSaysThatTheEngineWorks()
    {
        CommandResult result = CommandLine.Succeed("doctor");
        Assert.Contains("| engine ", result.Output, StringComparison.Ordinal);
        Assert.Contains("works: nativevaccine cpu", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void DoctorTellsOtherProgramsTheSame()
    {
        JsonNode found = JsonNode.Parse(CommandLine.Succeed("doctor", "--json", "-").Output)!;
        Assert.True((bool)found["works"]!);
        Assert.StartsWith("nativevaccine cpu", (string)found["engine"]!, StringComparison.Ordinal);
        Assert.Equal("cpu", (string)found["devices"]![0]!["device"]!);
        string[] sets = ["plain", "avx2", "avx512"];
        Assert.Contains((string)found["devices"]![0]!["instructions"]!, sets);
        Assert.True((long)found["devices"]![0]!["total_bytes"]! > 0);
    }

    private static JsonNode Expected(string model) => JsonNode.Parse(File.ReadAllText(Fixtures.Path(model, "expected.json")))!;

    private static IEnumerable<int> Numbers(JsonNode array) => array.AsArray().Select(static number => (int)number!);

    /// <summary>Losses are to agree within 1e-5 relative; a perplexity multiplies the error by the loss.</summary>
    private static void AssertClose(double expected, double found, double tolerance = 1e-5) =>
        Assert.True(Math.Abs(found - expected) <= tolerance * Math.Abs(expected), $"expected {expected}, found {found}");

    private string Loss(params string[] records) => Loss([], records);

    private string Loss(string[] options, params string[] records)
    {
        File.WriteAllLines(folder.File("data.jsonl"), records);
        return CommandLine.Succeed(
            ["evaluate", "loss", "--model", Fixtures.Path("tiny-llama"), "--data", folder.File("data.jsonl"), .. options]).Output;
    }

    private string WriteBatch(JsonNode batch)
    {
        string path = folder.File("batch.jsonl");
        IEnumerable<JsonObject> records = batch["input_ids"]!.AsArray().Zip(batch["labels"]!.AsArray(), static (ids, labels) =>
            new JsonObject { ["input_ids"] = ids!.DeepClone(), ["labels"] = labels!.DeepClone() });
        File.WriteAllLines(path, records.Select(static record => record.ToJsonString()));
        return path;
    }

    private string Write(string name, JsonNode json)
    {
        File.WriteAllText(folder.File(name), json.ToJsonString());
        return folder.File(name);
    }
}
