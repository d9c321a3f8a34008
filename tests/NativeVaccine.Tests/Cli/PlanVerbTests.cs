using System.Text.Json.Nodes;
using NativeVaccine.Cli;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>plan, on a published shape and on the smallest fixture.</summary>
public sealed class PlanVerbTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void PlanSaysWhetherARunFits()
    {
        string json = folder.File("plan.json");
        string[] arguments = ["plan", "--model", "shape:llama-2-7b", "--method", "tvaccine", "--json", json, "--device-memory"];
        CommandResult fits = CommandLine.Succeed([.. arguments, "24GiB"]);
        Assert.Contains("fits into 24.0 GiB", fits.Output, StringComparison.Ordinal);
        Assert.Contains("| frozen weights ", fits.Output, StringComparison.Ordinal);
        JsonNode plan = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal(6_738_415_616, (long)plan["parameters"]!);
        Assert.Equal((long)plan["total_bytes"]!, plan["items"]!.AsArray().Sum(static item => (long)item!["bytes"]!));
        Assert.True((long)plan["total_bytes"]! <= 24L << 30);

        CommandResult tooSmall = CommandLine.Run([.. arguments, "8GiB"]);
        Assert.Equal(ExitCode.Failed, tooSmall.ExitCode);
        Assert.Contains("does not fit into 8.00 GiB", tooSmall.Output, StringComparison.Ordinal);
        Assert.False((bool)JsonNode.Parse(File.ReadAllText(json))!["fits"]!);
        Assert.Contains("the weights alone take 12.6 GiB", tooSmall.Output, StringComparison.Ordinal);
    }

    /// <summary>A step of SFT makes 2L = 64 passes through layers, one of Vaccine 128; of S from L the lowest is (L - S) / (S + 1) on average.</summary>
    [Theory]
    [InlineData("gradient", "paper", false, 128 - (2 * 24 / 9.0), 128)]
    [InlineData("uniform", "paper", true, 128 - (3 * 24 / 9.0), 128)]
    [InlineData("upper", "paper", false, 128 - (2 * (16 + (8 / 9.0))), 96)]
    [InlineData("upper", "paper", true, 128 - (3 * (16 + (8 / 9.0))), 80)]
    [InlineData("upper", "reference", false, 128 - (2 * (16 + (8 / 9.0))) + 1, 97)] // more than 26 layers: one further down
    public void PlanSaysWhatAStepOfTVaccineSaves(string sampling, string preset, bool sameMasks, double mean, int most)
    {
        string json = folder.File("plan.json");
        string[] masks = sameMasks ? ["--same-masks"] : [];
        CommandResult result = CommandLine.Succeed(
            ["plan", "--model", "shape:llama-2-7b", "--method", "tvaccine", "--device-memory", "24GiB", "--layer-sampling", sampling, "--preset", preset, "--json", json, .. masks]);
        JsonNode cost = JsonNode.Parse(File.ReadAllText(json))!["step_cost"]!;

        Assert.Equal(mean / 128, (double)cost["of_vaccine"]!, 9);
        Assert.Equal(mean / 64, (double)cost["of_sft"]!, 9);
        Assert.Equal(most / 128.0, (double)cost["of_vaccine_at_most"]!, 9);
        Assert.Contains(FormattableString.Invariant($"a step makes {mean / 128:F2} of Vaccine's passes through layers, {mean / 64:F2} of SFT's, if "), result.Output, StringComparison.Ordinal);
        Assert.Contains(FormattableString.Invariant($"at most {most / 128.0:F2} and {most / 64.0:F2}, where layer "), result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void PlanSaysNothingOfTheCostOfOthers()
    {
        string json = folder.File("plan.json");
        CommandResult result = CommandLine.Succeed("plan", "--model", Model, "--method", "vaccine", "--json", json);

        Assert.Null(JsonNode.Parse(File.ReadAllText(json))!["step_cost"]);
        Assert.DoesNotContain("passes through layers", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void PlanSaysWhichBatchWouldFit()
    {
        string[] arguments = ["plan", "--model", "shape:llama-2-7b", "--device-memory", "16GiB", "--json", folder.File("plan.json"), "--batch"];
        CommandResult result = CommandLine.Run([.. arguments, "100"]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        int batch = (int)JsonNode.Parse(File.ReadAllText(folder.File("plan.json")))!["largest_batch"]!;
        Assert.InRange(batch, 1, 99);
        Assert.Contains($"--batch {batch} would fit", result.Output, StringComparison.Ordinal);
        CommandLine.Succeed([.. arguments, $"{batch}"]);
        Assert.Equal(ExitCode.Failed, CommandLine.Run([.. arguments, $"{batch + 1}"]).ExitCode);
    }

    [Fact]
    public void PlanSaysWhichLengthWouldFitAndWhatThisMachineHas()
    {
        CommandResult tooLong = CommandLine.Run(
            "plan", "--model", "shape:llama-2-7b", "--device-memory", "14GiB", "--batch", "1", "--max-length", "100000");
        string hint = tooLong.Output.TrimEnd().Split('\n')[^1];
        string length = System.Text.RegularExpressions.Regex.Match(hint, @"^--batch 1 --max-length (\d+) would fit").Groups[1].Value;
        CommandLine.Succeed(
            "plan", "--model", "shape:llama-2-7b", "--device-memory", "14GiB", "--batch", "1", "--max-length", length);

        CommandResult machine = CommandLine.Succeed("plan", "--model", Model);
        Assert.Contains("fits into this machine's ", machine.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--batch", "100000", "a batch of 20000000 tokens is too large; expected at most 16777216")]
    [InlineData("--batch", "2147483647", "a batch of 429496729400 tokens is too large; expected at most 16777216")]
    [InlineData("--adapter", "no-such-adapter", "no-such-adapter")]
    [InlineData("--data", "no-such-data.json", "no-such-data.json: no such file")]
    [InlineData("--harmful-data", "no-such-data.json", "no-such-data.json: no such file")]
    public void APlanOfWhatCannotBeIsOneLine(string option, string value, string expected)
    {
        CommandResult result = CommandLine.Run("plan", "--model", Model, "--method", "tvaccine", "--layers", "2", option, value);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Contains(expected, result.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void APlanOfDataIsThatOfItsRunAndSoIsThePlanOfTheRun()
    {
        string run = folder.File("run");
        string[] options = ["--model", Model, "--data", $"{Samples}#align", "--method", "sft", "--batch", "3", "--epochs", "1"];
        CommandLine.Succeed(["align", .. options, "--out", run]);
        string json = folder.File("plan.json");
        CommandResult plan = CommandLine.Succeed(["plan", .. options, "--json", json]);
        Assert.Contains("as the data has them", plan.Output, StringComparison.Ordinal);
        long bytes = (long)JsonNode.Parse(File.ReadAllText(json))!["total_bytes"]!;
        Assert.Equal(bytes, (long)JsonNode.Parse(File.ReadLines(Path.Combine(run, "metrics.jsonl")).Last())!["peak_bytes"]!);

        CommandResult again = CommandLine.Succeed("plan", "--resume", run, "--json", json);
        Assert.Equal(bytes, (long)JsonNode.Parse(File.ReadAllText(json))!["total_bytes"]!);
        Assert.Contains(" steps are done, ", again.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.BadInput, CommandLine.Run("plan", "--resume", run, "--batch", "2").ExitCode);
        Assert.Contains("has no config.json", CommandLine.Run("plan", "--resume", folder.Root).ErrorLine, StringComparison.Ordinal);
    }
}
