using System.Diagnostics;
using System.Text.Json.Nodes;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.Training;

namespace NativeVaccine.Tests.Cli;

/// <summary>The program as a shell starts it: its streams full, closed or cut off, its signals sent from outside.</summary>
public sealed class ShellTests : IDisposable
{
    private const string Tokenize = "$NV tokenize --model $FIX/micro-llama --text hi";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [ShellTheory]
    [InlineData(Tokenize + " 2>/dev/full", 0)]
    [InlineData(Tokenize + " 2>&-", 0)]
    [InlineData("$NV tokenize --model $FIX/none --text hi 2>/dev/full", 2)]
    [InlineData("$NV tokenize --model $FIX/none --text hi 2>&-", 2)]
    [InlineData("$NV tokenize --model $FIX/none --text hi 0<&- 1>&- 2>&-", 2)]
    public void ALogThatCannotBeWrittenChangesNothing(string command, int expected) =>
        Assert.Equal(expected, Run(command).ExitCode);

    [ShellTheory]
    [InlineData(Tokenize + " >/dev/full", "error: standard output: cannot be written: No space left on device")]
    [InlineData(Tokenize + " >&-", "error: standard output: cannot be written: it is closed")]
    public void AResultThatCannotBeWrittenIsAnError(string command, string expected)
    {
        CommandResult result = Run(command);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(expected, result.ErrorLine);
    }

    [ShellFact]
    public void AReaderThatHasHadEnoughEndsTheVerbQuietly()
    {
        CommandResult result = Run($"set -o pipefail; for i in $(seq 20000); do echo hi; done > texts.txt; $NV tokenize --model $FIX/micro-llama --file texts.txt | head -1");
        Assert.Equal((141, ""), (result.ExitCode, result.Error));
    }

    [ShellTheory]
    [InlineData("2>/dev/full")]
    [InlineData("2>&-")]
    [InlineData("2> >(head -1 >/dev/null)")]
    public void TrainingGoesOnWithoutALog(string redirection)
    {
        Assert.Equal(0, Run($"{Train} --epochs 2 --out run {redirection}").ExitCode);
        Assert.True(Directory.Exists(folder.File("run", "adapter")));
        foreach (string line in File.ReadLines(folder.File("run", "metrics.jsonl"))) JsonNode.Parse(line);
    }

    [ShellFact]
    public void AResultMayBeAppendedToWhatStandardOutputHas()
    {
        Assert.Equal(0, Run($"echo before > out; {{ {Tokenize} --json /dev/stdout; echo after; }} >> out").ExitCode);
        string[] lines = File.ReadAllLines(folder.File("out"));
        Assert.Equal(("before", "after"), (lines[0], lines[^1]));
        Assert.Equal("hi", (string)JsonNode.Parse(string.Concat(lines[1..^1]))![0]!["decoded"]!);
    }

    [ShellTheory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void AStoppedTrainingLeavesACheckpointAndSaysWhichSignalItWas(string signal, int expected)
    {
        CommandResult result = Run(
            $"set -m; timeout --foreground 100 {Train} --epochs 100000 --out run 2>log & "
            + $"until [ -s run/metrics.jsonl ]; do sleep 0.05; done; kill -{signal} $(pgrep -P $!); wait $!");
        Assert.Equal(expected, result.ExitCode);
        Assert.NotEmpty(Directory.GetFiles(folder.File("run", "checkpoints"), "*.checkpoint"));
        Assert.Contains("--resume run", File.ReadAllText(folder.File("log")), StringComparison.Ordinal);
    }

    [ShellFact]
    public void AHangUpThatIsIgnoredStaysIgnored()
    {
        CommandResult result = Run(
            $"trap '' HUP; {Train} --epochs 3000 --out run 2>log & until [ -s run/metrics.jsonl ]; do sleep 0.05; done; kill -HUP $!; sleep 0.3; kill -TERM $!; wait $!");
        Assert.Equal(143, result.ExitCode);
    }

    [ShellTheory]
    [InlineData("tokenize --model $FIX/micro-llama --file pipe")]
    [InlineData("evaluate harmful --answers pipe")]
    [InlineData("generate --model $FIX/micro-llama --prompts pipe")]
    [InlineData("align --model $FIX/micro-llama --method sft --out run --data pipe")]
    public void AVerbThatDoesNotHearIsEndedAllTheSame(string verb)
    {
        // Nobody writes to the pipe, so that opening it never comes back.
        CommandResult result = Run(
            $"mkfifo pipe; $NV {verb} 2>log & for i in $(seq 600); do grep -q waiting log && break; sleep 0.1; done; sleep 1.5; "
            + "kill -TERM $!; wait $!; e=$?; cat log >&2; exit $e");
        Assert.Equal(143, result.ExitCode);
        Assert.EndsWith("pipe: is a pipe; waiting for a program to write into it\nstopped\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Split("waiting").Length - 1);
    }

    [ShellTheory]
    [InlineData("nvaccine al", "align")]
    [InlineData("nvaccine align --lora-r", "--lora-rank")]
    [InlineData("nvaccine merge --dtype b", "bf16")]
    [InlineData("nvaccine evaluate ", "ag-news alpaca choice gsm8k harmful loss match sst2")]
    public void BashCompletes(string line, string expected)
    {
        CommandResult result = Run(
            "mkdir bin; printf '#!/bin/sh\nexec %s \"$@\"\n' \"$NV\" > bin/nvaccine; chmod +x bin/nvaccine; PATH=$PWD/bin:$PATH; "
            + $"source <(nvaccine completion bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); "
            + "[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _nvaccine; echo ${COMPREPLY[@]}");
        Assert.Equal(expected, string.Join(' ', result.Output.Trim().Split(' ').Where(static word => !word.StartsWith("-h", StringComparison.Ordinal) && !word.StartsWith("-?", StringComparison.Ordinal) && !word.StartsWith("--h", StringComparison.Ordinal) && !word.StartsWith("--v", StringComparison.Ordinal)).Order(StringComparer.Ordinal)));
    }

    private static string Train => $"$NV align --model $FIX/micro-llama --data '{SmallRun.SampleFile}#align' --method sft --batch 2";

    private CommandResult Run(string command)
    {
        var start = new ProcessStartInfo("bash", ["-c", command])
        {
            WorkingDirectory = folder.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["NV"] = $"{Environment.ProcessPath} {Path.Combine(AppContext.BaseDirectory, "nvaccine.dll")}",
                ["FIX"] = Fixtures.Path(""),
            },
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return new CommandResult(process.ExitCode, output.GetAwaiter().GetResult(), error);
    }
}

/// <summary>A test through bash; skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ShellFactAttribute : FactAttribute
{
    public ShellFactAttribute()
    {
        if (!OperatingSystem.IsLinux()) Skip = "needs bash and the devices of Linux";
    }
}

/// <summary>Tests through bash; skipped where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ShellTheoryAttribute : TheoryAttribute
{
    public ShellTheoryAttribute()
    {
        if (!OperatingSystem.IsLinux()) Skip = "needs bash and the devices of Linux";
    }
}
