using System.Diagnostics;
using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Cli;

/// <summary>align and finetune from files to files, on the smallest fixture.</summary>
public sealed class TrainingVerbTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AlignFinetuneMergeAndGenerateFollowOneAnother()
    {
        string aligned = folder.File("aligned");
        CommandResult run = CommandLine.Succeed(Align(aligned, "--batch", "3", "--epochs", "1"));
        JsonNode[] metrics = Metrics(aligned);
        AssertEnds(
            run,
            FormattableString.Invariant($"final loss {(double)metrics[^1]["loss"]!:F4}, in step 3"),
            $"wrote {Path.Combine(aligned, "adapter")}",
            $"report: {Path.Combine(aligned, "report.html")}",
            $"next: nvaccine finetune --run {aligned} --data TASK.json --out RUN");
        Assert.Equal([0, 1, 2], metrics.Select(static line => (int)line["step"]!));
        Assert.All(metrics, static line => Assert.Equal(2, line["active_layers"]!.AsArray().Count));
        Assert.Equal(4, metrics[0]["probe_norms"]!.AsArray().Count);
        Assert.Equal(3, File.ReadLines(Path.Combine(aligned, "replay.jsonl")).Count());

        string attacked = folder.File("attacked");
        string adapter = Path.Combine(aligned, "adapter");
        run = CommandLine.Succeed(
            "finetune", "--model", Model, "--adapter", adapter, "--data", $"{Samples}#align", "--epochs", "1", "--out", attacked);
        AssertEnds(run, $"next: nvaccine evaluate harmful --run {attacked} --prompts QUESTIONS.json");
        Assert.DoesNotContain("no adapter is merged", run.Error, StringComparison.Ordinal);

        string merged = folder.File("merged");
        CommandLine.Succeed(
            "merge", "--model", Model, "--adapter", adapter, "--adapter", Path.Combine(attacked, "adapter"), "--out", merged);
        CommandLine.Succeed("generate", "--model", merged, "--prompt", "Hello", "--max-new-tokens", "3");
    }

    [Fact]
    public void AnAttackIsUsedWithTheAlignmentThatItStandsOn()
    {
        (string aligned, string attacked) = (folder.File("aligned"), folder.File("attacked"));
        (string base_, string adapter) = (Path.Combine(aligned, "adapter"), Path.Combine(attacked, "adapter"));
        CommandLine.Succeed(Align(aligned, "--epochs", "2", "--learning-rate", "0.05", "--template", "none"));
        CommandLine.Succeed(
            "finetune", "--run", aligned, "--data", $"{Samples}#align", "--epochs", "2", "--learning-rate", "0.05", "--out", attacked);
        Assert.Equal("none", (string)JsonNode.Parse(File.ReadAllText(Path.Combine(attacked, "config.json")))!["template"]!);

        string[] evaluate = ["evaluate", "loss", "--data", $"{Samples}#align"];
        CommandResult alone = CommandLine.Succeed([.. evaluate, "--model", Model, "--adapter", adapter]);
        CommandResult both = CommandLine.Succeed([.. evaluate, "--model", Model, "--adapter", base_, "--adapter", adapter]);
        CommandResult run = CommandLine.Succeed([.. evaluate, "--run", attacked]);
        CommandResult plain = CommandLine.Succeed([.. evaluate, "--model", Model]);
        Assert.Contains($"adapter {adapter} stands on {base_}, which is added before it", alone.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("stands on", both.Error, StringComparison.Ordinal);
        Assert.Equal(both.Output, alone.Output);
        Assert.Equal(both.Output, run.Output);
        Assert.NotEqual(plain.Output, run.Output);

        (string merged, string again) = (folder.File("merged"), folder.File("again"));
        CommandLine.Succeed("merge", "--run", attacked, "--out", merged);
        CommandLine.Succeed("merge", "--model", Model, "--adapter", adapter, "--out", again);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(merged, "model.safetensors")), File.ReadAllBytes(Path.Combine(again, "model.safetensors")));
        Assert.Equal(
            "error: nvaccine generate: --adapter cannot be given with --run, which stands for it",
            CommandLine.Run("generate", "--run", attacked, "--adapter", adapter, "--prompt", "x").ErrorLine);
    }

    [Fact]
    public void AnUnfinishedRunDoesNotStandForAModel()
    {
        string run = folder.File("run");
        CommandLine.Succeed(Align(run, "--epochs", "1"));
        Directory.Move(Path.Combine(run, "adapter"), folder.File("away"));
        Assert.Equal(
            $"error: {run}: the run is not complete; continue with: nvaccine align --resume {run}",
            CommandLine.Run("generate", "--run", run, "--prompt", "x").ErrorLine);
    }

    [Fact]
    public void TheEffectiveConfigurationIsSavedAndCanBeGivenAgain()
    {
        string first = folder.File("first");
        CommandLine.Succeed(Align(first, "--rho", "1.5", "--epochs", "1", "--dropout", "0.2", "--lora-targets", "v_proj,q_proj"));
        JsonNode saved = JsonNode.Parse(File.ReadAllText(Path.Combine(first, "config.json")))!;
        Assert.Equal(1.5, (double)saved["rho"]!);
        Assert.Equal(0.1, (double)saved["weight_decay"]!);
        Assert.Equal(["q_proj", "v_proj"], saved["lora_targets"]!.AsArray().Select(static target => (string)target!));
        Assert.NotNull(saved["versions"]!["nativevaccine"]);

        string second = folder.File("second");
        CommandLine.Succeed("align", "--config", Path.Combine(first, "config.json"), "--out", second);
        Assert.Equal(AdapterBytes(first), AdapterBytes(second));

        string third = folder.File("third");
        CommandLine.Succeed("align", "--config", Path.Combine(first, "config.json"), "--out", third, "--seed", "7");
        Assert.NotEqual(AdapterBytes(first), AdapterBytes(third));
    }

    [Fact]
    public void FullTrainingLeavesAModelFolder()
    {
        string run = folder.File("full");
        CommandLine.Succeed("align", "--model", Model, "--data", $"{Samples}#align", "--epochs", "1", "--method", "sft", "--full", "--out", run);
        using ModelFolder model = ModelFolder.Open(Path.Combine(run, "model"));
        Assert.Equal(ElementType.Float32, model.Info(WeightNames.Embedding).Type);
        Assert.Equal(
            CommandLine.Succeed("generate", "--model", model.Path, "--prompt", "Hello", "--max-new-tokens", "2").Output,
            CommandLine.Succeed("generate", "--run", run, "--prompt", "Hello", "--max-new-tokens", "2").Output);
    }

    [Fact]
    public void AKilledRunGoesOnBitIdentically()
    {
        string whole = folder.File("whole");
        CommandLine.Succeed(Align(whole, LongRun));
        string killed = folder.File("killed");
        using (Process process = Start(Align(killed, LongRun)))
        {
            WaitForSteps(process, killed, 7);
            process.Kill();
            process.WaitForExit();
        }
        Assert.False(Directory.Exists(Path.Combine(killed, "adapter")));
        CommandLine.Succeed("align", "--resume", killed);
        AssertSameRun(whole, killed);
    }

    /// <summary>tests/kill-and-resume.sh does this at random moments.</summary>
    [Theory]
    [InlineData("run.lock")]
    [InlineData("config.json")]
    [InlineData("checkpoints/*")]
    [InlineData(".adapter.*")]
    [InlineData("adapter")]
    public void ARunThatIsKilledWhenSomethingAppearsGoesOnOrBeginsAgain(string pattern)
    {
        (string whole, string killed) = (folder.File("whole"), folder.File("killed"));
        CommandLine.Succeed(Align(whole, LongRun));
        using (Process process = Start(Align(killed, LongRun)))
        {
            string place = Path.Combine(killed, Path.GetDirectoryName(pattern)!);
            while (!process.HasExited && !(Directory.Exists(place) && Directory.EnumerateFileSystemEntries(place, Path.GetFileName(pattern)).Any()))
                Thread.Yield();
            process.Kill();
            process.WaitForExit();
        }
        bool hasBegun = File.Exists(Path.Combine(killed, "config.json"));
        bool isComplete = Directory.Exists(Path.Combine(killed, "adapter"));

        CommandResult again = CommandLine.Run(hasBegun ? ["align", "--resume", killed] : Align(killed, LongRun));

        Assert.Equal(isComplete ? ExitCode.BadInput : ExitCode.Success, again.ExitCode);
        AssertSameRun(whole, killed);
        Assert.True(File.Exists(Path.Combine(killed, "report.html")));
        Assert.Empty(Directory.GetFileSystemEntries(killed, ".*.partial", SearchOption.AllDirectories));
    }

    [Fact]
    public void CtrlCStopsWithACheckpointAndSaysHowToGoOn()
    {
        if (OperatingSystem.IsWindows()) return;
        string whole = folder.File("whole");
        CommandLine.Succeed(Align(whole, LongRun));
        string stopped = folder.File("stopped");
        // No checkpoints but the one that the interruption writes.
        using (Process process = Start(Align(stopped, [.. LongRun[..^1], "0"])))
        {
            WaitForSteps(process, stopped, 5);
            using (Process interrupt = Process.Start("kill", ["-INT", $"{process.Id}"])) interrupt.WaitForExit();
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(ExitCode.Cancelled, process.ExitCode);
            Assert.Contains($"continue with: nvaccine align --resume {stopped}", error, StringComparison.Ordinal);
        }
        Assert.Single(Directory.GetFiles(Path.Combine(stopped, "checkpoints"), "*.checkpoint"));
        CommandLine.Succeed("align", "--resume", stopped);
        AssertSameRun(whole, stopped);
    }

    [Theory]
    [InlineData("sft", "")]
    [InlineData("vaccine", "--rho 1 --same-masks")]
    [InlineData("tvaccine", "--rho 1 --layers 2 --freeze-scope attention --backward-floor none --probe-every 2")]
    [InlineData("random-vaccine", "--noise-size norm")]
    [InlineData("booster", "--preset reference --lambda 25")]
    [InlineData("tar-lite", "--inner-learning-rate 0.1")]
    [InlineData("tar", "--inner-steps 2 --inner-optimizer sgd --tamper-gradient-every 1")]
    [InlineData("sft", "--full --schedule constant")]
    [InlineData("lisa", "--rho 2 --guide-steps 1 --user-steps 2 --guide-data")]
    [InlineData("ewc", "--lambda 100 --fisher-data")]
    [InlineData("kl", "--lambda 2")]
    [InlineData("vlguard", "--guide-count 3 --guide-data")]
    public void ARunsConfigurationGivenBackIsTheSameRun(string method, string more)
    {
        (string first, string second) = (folder.File("first"), folder.File("second"));
        string[] given = more.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] pool = MethodCatalog.Require(method).Pools.Any(static pool => pool.Name == "harmful_data") ? ["--harmful-data", $"{Samples}#harmful"]
            : more.EndsWith("-data", StringComparison.Ordinal) ? [$"{Samples}#harmful"] : [];
        string verb = MethodCatalog.Require(method).Stages[0].ToString().ToLowerInvariant();
        CommandLine.Succeed(
            [verb, "--model", Model, "--data", $"{Samples}#align", "--method", method, "--epochs", "1", "--out", first, .. given, .. pool]);
        string config = Path.Combine(first, "config.json");

        CommandLine.Succeed(verb, "--config", config, "--out", second);

        Assert.Equal(WithoutVersions(config), WithoutVersions(Path.Combine(second, "config.json")));
        Assert.Equal(Metrics(first).Select(WithoutTime), Metrics(second).Select(WithoutTime));
        if (method != "sft") Assert.Equal(AdapterBytes(first), AdapterBytes(second));
    }

    [Fact]
    public void AlignAsksForAMethodAndFinetuneTakesSft()
    {
        string run = folder.File("run");
        Assert.Equal(
            $"error: nvaccine align: expected --method, one of {string.Join(", ", MethodCatalog.NamesFor(TrainingStage.Align))}",
            CommandLine.Run("align", "--model", Model, "--data", $"{Samples}#align", "--out", run).ErrorLine);
        CommandResult tuned = CommandLine.Succeed("finetune", "--model", Model, "--data", $"{Samples}#align", "--epochs", "1", "--out", run);
        Assert.Contains("method sft, preset paper: learning_rate 1E-05, ", tuned.Error, StringComparison.Ordinal);
        Assert.Contains("lora_alpha 1,", tuned.Error, StringComparison.Ordinal);
        Assert.Contains("no adapter is merged: the model itself is fine-tuned", tuned.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void PairsTakeThePlaceOfData()
    {
        (string run, string again, string json) = (folder.File("run"), folder.File("again"), folder.File("plan.json"));
        string[] options = ["--model", Model, "--method", "repnoise", "--max-length", "150", "--batch", "4", "--epochs", "1"];
        CommandResult none = CommandLine.Run(["align", .. options, "--out", run]);
        Assert.Equal((ExitCode.BadInput, "error: method repnoise takes pairs; expected --paired-data FILE"), (none.ExitCode, none.ErrorLine));
        Assert.False(Directory.Exists(run));

        string pairs = Fixtures.Path("traces", "data", "pairs.json");
        CommandResult aligned = CommandLine.Succeed(["align", .. options, "--paired-data", pairs, "--out", run]);
        CommandLine.Succeed(["plan", .. options, "--paired-data", pairs, "--json", json]);

        Assert.Contains($"{pairs}: 17 pairs (1 without a label left on both sides are not used)", aligned.Error, StringComparison.Ordinal);
        JsonNode[] metrics = Metrics(run);
        Assert.Equal(5, metrics.Length);
        Assert.Equal((long)JsonNode.Parse(File.ReadAllText(json))!["total_bytes"]!, (long)metrics[^1]["peak_bytes"]!);
        JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "config.json")))!;
        Assert.Equal((pairs, null), ((string)config["paired_data"]!, config["data"]));
        CommandLine.Succeed("align", "--config", Path.Combine(run, "config.json"), "--replay", Path.Combine(run, "replay.jsonl"), "--out", again);
        Assert.Equal(metrics.Select(WithoutTime), Metrics(again).Select(WithoutTime));
    }

    [Fact]
    public void ResumeTakesEverythingFromTheRun()
    {
        Assert.Contains(
            "has no config.json", CommandLine.Run("align", "--resume", folder.Root, "--threads", "1").ErrorLine, StringComparison.Ordinal);
        CommandResult other = CommandLine.Run("align", "--resume", folder.Root, "--seed", "3");
        Assert.Equal(ExitCode.BadInput, other.ExitCode);
        Assert.StartsWith("error: nvaccine align: --seed cannot be given with --resume", other.ErrorLine, StringComparison.Ordinal);
        CommandResult nothing = CommandLine.Run("align", "--resume", folder.Root);
        Assert.Equal(ExitCode.BadInput, nothing.ExitCode);
        Assert.Contains("has no config.json", nothing.ErrorLine, StringComparison.Ordinal);
    }

    /// <summary>About a second of steps; the checkpoint interval is the last word.</summary>
    private static readonly string[] LongRun = ["--batch", "2", "--epochs", "30", "--checkpoint-every", "3"];

    private static string[] Align(string run, params string[] more) =>
    [
        "align", "--model", Model, "--data", $"{Samples}#align", "--harmful-data", $"{Samples}#harmful", "--method", "tvaccine",
        "--layers", "2", "--resample-every", "2", "--probe-every", "4", "--out", run, .. more,
    ];

    private static Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Application).Assembly.Location, .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }

    private static void WaitForSteps(Process process, string run, int steps)
    {
        string metrics = Path.Combine(run, "metrics.jsonl");
        while (!File.Exists(metrics) || Lines(metrics) < steps)
        {
            Assert.False(process.HasExited, "the run ended before it could be stopped");
            Thread.Sleep(2);
        }
    }

    private static int Lines(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Count(static character => character == '\n');
    }

    private static JsonNode[] Metrics(string run) =>
        [.. File.ReadLines(Path.Combine(run, "metrics.jsonl")).Select(static line => JsonNode.Parse(line)!)];

    private static byte[] AdapterBytes(string run) => File.ReadAllBytes(Path.Combine(run, "adapter", "adapter_model.safetensors"));

    private static void AssertSameRun(string expected, string found)
    {
        Assert.Equal(AdapterBytes(expected), AdapterBytes(found));
        Assert.Equal(File.ReadAllText(Path.Combine(expected, "replay.jsonl")), File.ReadAllText(Path.Combine(found, "replay.jsonl")));
        Assert.Equal(Metrics(expected).Select(WithoutTime), Metrics(found).Select(WithoutTime));
    }

    private static void AssertEnds(CommandResult run, params string[] lines) =>
        Assert.Equal(lines, run.Error.TrimEnd().Split('\n')[^lines.Length..].Select(static line => line.TrimEnd()));

    private static string WithoutVersions(string config)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(config))!;
        json.AsObject().Remove("versions");
        return json.ToJsonString();
    }

    private static string WithoutTime(JsonNode line)
    {
        line.AsObject().Remove("seconds");
        return line.ToJsonString();
    }
}
