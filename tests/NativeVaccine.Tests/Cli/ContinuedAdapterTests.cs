using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>A run that continues an adapter (<c>--init-adapter</c>) has the adapter's form, and refuses another one.</summary>
public sealed class ContinuedAdapterTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("align")]
    [InlineData("finetune")]
    public void TheFormIsThatOfTheAdapterWhereNoneIsGiven(string verb)
    {
        string next = folder.File("next");
        string adapter = Begin();
        CommandResult tuned = CommandLine.Succeed([.. Continue(verb, adapter), "--out", next]);

        AssertForm(next);
        Assert.Contains("lora_rank 4, lora_alpha 6,", tuned.Error, StringComparison.Ordinal);
        if (verb == "finetune")
            Assert.Contains($"no adapter is merged: {adapter} is continued on the model itself", tuned.Error, StringComparison.Ordinal);
        CommandLine.Succeed([.. Continue(verb, adapter), "--lora-rank", "4", "--lora-alpha", "6", "--lora-targets", "v_proj,q_proj", "--out", folder.File("same")]);
    }

    [Theory]
    [InlineData("--lora-rank 8 (it has 4)", "--lora-rank", "8")]
    [InlineData("--lora-alpha 4 (it has 6)", "--lora-alpha", "4")]
    [InlineData("--lora-rank 2 (it has 4), --lora-targets q_proj (it has q_proj,v_proj)", "--lora-rank", "2", "--lora-targets", "q_proj")]
    public void AnotherFormIsRefusedBeforeThereIsAFolder(string expected, params string[] given)
    {
        string next = folder.File("next");
        string adapter = Begin();
        CommandResult[] refused =
        [
            CommandLine.Run([.. Continue("finetune", adapter), .. given, "--out", next]),
            CommandLine.Run([.. Continue("align", adapter), .. given, "--out", next]),
            CommandLine.Run([.. Plan(adapter), .. given]),
            CommandLine.Run([.. Plan(adapter), "--data", $"{Samples}#align", .. given]),
        ];
        foreach (CommandResult result in refused)
        {
            Assert.Equal(ExitCode.BadInput, result.ExitCode);
            Assert.EndsWith(
                $"--init-adapter {adapter} is of another form than {expected}; expected its own, which it has where none is given",
                result.ErrorLine,
                StringComparison.Ordinal);
        }
        Assert.False(Directory.Exists(next));
    }

    [Fact]
    public void ThePlanIsThatOfTheAdaptersForm()
    {
        string adapter = Begin();
        Assert.Equal(
            PlannedBytes("--lora-rank", "4", "--lora-targets", "q_proj,v_proj"),
            PlannedBytes("--init-adapter", adapter));
        Assert.NotEqual(PlannedBytes(), PlannedBytes("--init-adapter", adapter));
    }

    [Fact]
    public void AnInterruptedRunGoesOnInTheForm()
    {
        (string whole, string cut) = (folder.File("whole"), folder.File("cut"));
        string adapter = Begin();
        CommandLine.Succeed([.. Continue("finetune", adapter), "--out", whole]);
        using (var cancelled = new CancellationTokenSource())
        {
            cancelled.Cancel();
            CommandResult stopped = CommandLine.Run(cancelled.Token, [.. Continue("finetune", adapter), "--out", cut]);
            Assert.Equal(ExitCode.Cancelled, stopped.ExitCode);
        }
        AssertForm(cut);
        CommandLine.Succeed("finetune", "--resume", cut);
        Assert.Equal(Weights(whole), Weights(cut));
    }

    /// <summary>alpha / sqrt(r) is a scale like any other: training goes on with it, and the result has it as alpha / r.</summary>
    [Fact]
    public void ARankStabilizedAdapterKeepsItsScale()
    {
        string next = folder.File("next");
        string adapter = Fixtures.Path("adapters", "rslora");
        string model = Fixtures.Path("tiny-llama");
        using ModelFolder opened = ModelFolder.Open(model);
        Adapter before = Adapter.Load(adapter, opened);
        string[] run =
            ["finetune", "--model", model, "--init-adapter", adapter, "--data", $"{Samples}#align", "--epochs", "1", "--learning-rate", "0"];

        CommandResult result = CommandLine.Succeed([.. run, "--out", next]);

        Assert.Contains($"--init-adapter {adapter}: its scale is alpha / sqrt(r) (use_rslora); the result has the same scale", result.Error, StringComparison.Ordinal);
        Adapter after = Adapter.Load(Path.Combine(next, "adapter"), opened);
        Assert.Equal(before.Modules.Count, after.Modules.Count);
        foreach ((AdapterModule was, AdapterModule now) in before.Modules.Zip(after.Modules))
        {
            Assert.Equal((was.Layer, was.Projection, (float)was.Scale), (now.Layer, now.Projection, (float)now.Scale));
            Assert.Equal(was.Matrices.A, now.Matrices.A);
        }
        CommandResult refused = CommandLine.Run([.. run, "--lora-alpha", "3", "--out", folder.File("other")]);
        Assert.Contains(", which is its scale times its rank)", refused.ErrorLine, StringComparison.Ordinal);
    }

    private static string[] Continue(string verb, string adapter) =>
    [
        verb, "--method", "sft", "--model", Model, "--init-adapter", adapter, "--data", $"{Samples}#align", "--epochs", "2", "--learning-rate", "0.01",
    ];

    private static string[] Plan(string adapter) => ["plan", "--model", Model, "--init-adapter", adapter];

    private static byte[] Weights(string run) => File.ReadAllBytes(Path.Combine(run, "adapter", "adapter_model.safetensors"));

    private static void AssertForm(string run)
    {
        JsonNode options = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "config.json")))!;
        Assert.Equal((4, 6.0), ((int)options["lora_rank"]!, (double)options["lora_alpha"]!));
        Assert.Equal(["q_proj", "v_proj"], options["lora_targets"]!.AsArray().Select(static target => (string)target!));
    }

    /// <summary>An adapter of rank 4, alpha 6, on q_proj and v_proj: neither align's form nor finetune's.</summary>
    private string Begin()
    {
        string run = folder.File("run");
        CommandLine.Succeed(
            "align", "--model", Model, "--data", $"{Samples}#align", "--method", "sft", "--epochs", "1", "--out", run,
            "--lora-rank", "4", "--lora-alpha", "6", "--lora-targets", "q_proj,v_proj");
        return Path.Combine(run, "adapter");
    }

    private long PlannedBytes(params string[] more)
    {
        string json = folder.File("plan.json");
        CommandLine.Succeed(["plan", "--model", Model, "--json", json, .. more]);
        return (long)JsonNode.Parse(File.ReadAllText(json))!["total_bytes"]!;
    }
}
