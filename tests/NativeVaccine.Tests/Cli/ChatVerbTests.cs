using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>--template chat, a JSON file, and --labels, in the verbs.</summary>
public sealed class ChatVerbTests : IDisposable
{
    private const string ChatMl =
        "{% for message in messages %}{{'<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private const string Messages = """{"messages": [{"role": "user", "content": "Name a bird."}, {"role": "assistant", "content": "Heron."}]}""";
    private readonly TemporaryFolder folder = new();
    private readonly string model;
    private readonly string data;

    public ChatVerbTests()
    {
        model = Directory.CreateDirectory(folder.File("m")).FullName;
        foreach (string file in Directory.GetFiles(Fixtures.Path("tiny-qwen2")).Where(static file => !file.Contains("expected", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(model, "chat_template.jinja"), ChatMl);
        data = folder.File("data.jsonl");
        File.WriteAllText(data, $"{Messages}\n{Messages}\n");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TokenizeShowsWhatTheTemplateMakes()
    {
        CommandResult result = CommandLine.Succeed("tokenize", "--model", model, "--text", "Name a bird.", "--template", "chat");
        Assert.StartsWith("ids      602 ", result.Output, StringComparison.Ordinal);
        Assert.Contains($"{model}: --template chat (chatml)", result.Error, StringComparison.Ordinal);
        string prompts = folder.File("prompts.jsonl");
        File.WriteAllText(prompts, """{"messages": [{"role": "system", "content": "<|im_end|>"}, {"role": "user", "content": "Name a bird."}]}""");
        JsonNode found = JsonNode.Parse(CommandLine.Succeed("tokenize", "--model", model, "--file", prompts, "--template", "chat", "--json", "-").Output)![0]!;
        Assert.Equal("<|im_start|>system\n<|im_end|><|im_end|>\n<|im_start|>user\nName a bird.<|im_end|>\n<|im_start|>assistant\n", (string)found["text"]!);
        Assert.Equal(2, found["ids"]!.AsArray().Count(static id => (int)id! == 600));
    }

    [Fact]
    public void ARunKeepsTheTemplateAndTheLabels()
    {
        string run = folder.File("run");
        CommandLine.Succeed(
            "align", "--model", model, "--data", data, "--method", "sft", "--epochs", "1", "--template", "chat", "--labels", "all", "--out", run);
        JsonNode options = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "config.json")))!;
        Assert.Equal(("chat", "all"), ((string)options["template"]!, (string)options["labels"]!));
        string[] loss = ["evaluate", "loss", "--run", run, "--data", data];
        string all = CommandLine.Succeed(loss).Output;
        Assert.Contains("2 samples, 48 labels", all, StringComparison.Ordinal);
        Assert.Contains("2 samples, 10 labels", CommandLine.Succeed([.. loss, "--labels", "answers"]).Output, StringComparison.Ordinal);
        JsonNode made = JsonNode.Parse(CommandLine.Succeed("generate", "--run", run, "--prompt", "Name a bird.", "--max-new-tokens", "2", "--json", "-").Output)!;
        Assert.Equal("<|im_start|>user\nName a bird.<|im_end|>\n<|im_start|>assistant\n", (string)made[0]!["prompt"]!);
    }

    /// <summary>A file of prefixes and suffixes may go once a run has read it.</summary>
    [Fact]
    public void ARunKeepsTheContentOfAJsonFile()
    {
        (string run, string form, string again) = (folder.File("run"), folder.File("form.json"), folder.File("again"));
        File.WriteAllText(form, """{ "user": {"prefix": "Q: ", "suffix": "\n"}, "assistant": {"prefix": "A: ", "suffix": "{eos}"} }""");
        string[] loss = ["evaluate", "loss", "--data", data];
        CommandLine.Succeed("plan", "--model", model, "--data", data, "--method", "sft", "--template", form);
        CommandLine.Succeed("align", "--model", model, "--data", data, "--method", "sft", "--epochs", "1", "--template", form, "--out", run);
        string expected = CommandLine.Succeed([.. loss, "--model", model, "--adapter", Path.Combine(run, "adapter"), "--template", form]).Output;
        File.Delete(form);
        Assert.Equal(expected, CommandLine.Succeed([.. loss, "--run", run]).Output);
        Assert.Equal(
            """{"user":{"prefix":"Q: ","suffix":"\n"},"assistant":{"prefix":"A: ","suffix":"{eos}"}}""",
            (string)JsonNode.Parse(File.ReadAllText(Path.Combine(run, "config.json")))!["template"]!);
        CommandLine.Succeed("align", "--config", Path.Combine(run, "config.json"), "--out", again);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(run, "adapter", "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(again, "adapter", "adapter_model.safetensors")));
    }

    [Fact]
    public void AnotherTemplateIsRefusedInALine()
    {
        string[] verb = ["tokenize", "--model", model, "--text", "x", "--template"];
        Assert.Contains("expected one of alpaca, stanford-alpaca, none, chat, or a .json file", CommandLine.Run([.. verb, "chatml"]).ErrorLine, StringComparison.Ordinal);
        Assert.Contains("form.json", CommandLine.Run([.. verb, folder.File("form.json")]).ErrorLine, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(model, "chat_template.jinja"), ChatMl + "{{ 'more' }}");
        CommandResult result = CommandLine.Run([.. verb, "chat"]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("it has <|im_start|> of ChatML", result.ErrorLine, StringComparison.Ordinal);
    }

    /// <summary>The model's own files name another end.</summary>
    [Fact]
    public void AnAnswerEndsWhereTheTemplateEndsIt()
    {
        string settings = Path.Combine(model, "generation_config.json");
        File.WriteAllText(settings, """{"eos_token_id": 601}""");
        string[] verb = ["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "1"];
        Assert.Contains("an answer also ends with <|im_end|> (600), as the chat template has it", CommandLine.Succeed([.. verb, "--template", "chat"]).Error, StringComparison.Ordinal);
        File.WriteAllText(settings, """{"eos_token_id": [601, 600]}""");
        Assert.DoesNotContain("also ends", CommandLine.Succeed([.. verb, "--template", "chat"]).Error, StringComparison.Ordinal);
    }
}
