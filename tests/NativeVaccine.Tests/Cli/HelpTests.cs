using System.CommandLine;
using NativeVaccine.Cli;
using NativeVaccine.Cli.Commands;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Tests.Cli;

public sealed class HelpTests
{
    [Fact]
    public void EveryOptionOfEveryVerbHasItsGroup()
    {
        string[] without = [.. All(Root()).SelectMany(static command => command.Options).Select(static option => option.Name).Distinct()
            .Where(static name => OptionGroups.Of(name) is null)];
        Assert.Empty(without);  // a new option belongs into OptionGroups
    }

    [Fact]
    public void NoOptionIsInTwoGroups()
    {
        string[] names = [.. OptionGroups.All.SelectMany(static group => group.Options)];
        Assert.Equal(names.Distinct(), names);
    }

    [Fact]
    public void OptionsAreInGroupsWithTheirDefaultsAndWhatIsNeeded()
    {
        string[] lines = CommandLine.Succeed("align", "--help").Output.ReplaceLineEndings("\n").Split('\n');
        string[] groups = ["Model:", "Data:", "Method:", "Training:", "LoRA:", "Device:", "Output:", "General:"];
        Assert.Equal(groups, lines.Where(groups.Contains));
        Assert.Single(lines, static line => line.StartsWith("  nvaccine align --model DIR --data|--paired-data FILE", StringComparison.Ordinal) && line.EndsWith("[options]", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.StartsWith("  --learning-rate X ", StringComparison.Ordinal) && line.EndsWith("[0.001]", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.Contains("vaccine 2, tvaccine 3, random-vaccine 0.01]", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.StartsWith("  --model DIR ", StringComparison.Ordinal) && line.Contains("(needed)", StringComparison.Ordinal));
        Assert.Contains("[1e-05]", CommandLine.Succeed("finetune", "--help").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("align", "--data|--paired-data FILE", "(needed; with repnoise --paired-data in its place)")]
    [InlineData("finetune", "--data FILE", "(needed)")]
    public void WhatTakesThePlaceOfANeededOptionIsSaid(string verb, string usage, string expected)
    {
        string help = string.Join(' ', CommandLine.Succeed(verb, "--help").Output.Split(default(char[]), StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"nvaccine {verb} --model DIR {usage} ", help, StringComparison.Ordinal);
        Assert.Contains($"without a suffix the content tells {expected}", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("help", "--help")]
    [InlineData("help align", "align --help")]
    [InlineData("help evaluate loss", "evaluate loss --help")]
    [InlineData("version", "--version")]
    [InlineData("-V", "--version")]
    [InlineData("align -h", "align --help")]
    public void HelpAndVersionHaveTheirUsualNames(string asked, string same) =>
        Assert.Equal(CommandLine.Succeed(same.Split(' ')).Output, CommandLine.Succeed(asked.Split(' ')).Output);

    [Theory]
    [InlineData("algin --help", "error: nvaccine: unknown command 'algin'; did you mean align?")]
    [InlineData("help algin", "error: nvaccine: unknown command 'algin'; did you mean align?")]
    [InlineData("evaluate lss --help", "error: nvaccine evaluate: unknown command 'lss'; did you mean loss?")]
    public void HelpAboutAVerbThatThereIsNotIsAnError(string arguments, string expected)
    {
        CommandResult result = CommandLine.Run(arguments.Split(' '));
        Assert.Equal((2, expected, ""), (result.ExitCode, result.ErrorLine, result.Output));
    }

    [Theory]
    [InlineData("align", "--lr", "--learning-rate")]
    [InlineData("align", "--learning_rate", "--learning-rate")]
    [InlineData("align", "--bs", "--batch")]
    [InlineData("align", "--batch-size", "--batch")]
    [InlineData("align", "--per_device_train_batch_size", "--batch")]
    [InlineData("align", "--gradient-accumulation-steps", "--accumulate")]
    [InlineData("align", "--output", "--out")]
    [InlineData("align", "--output_dir", "--out")]
    [InlineData("align", "--lora-r", "--lora-rank")]
    [InlineData("align", "--lora_target_modules", "--lora-targets")]
    [InlineData("align", "--num-train-epochs", "--epochs")]
    [InlineData("align", "--model-name-or-path", "--model")]
    [InlineData("align", "--max-grad-norm", "--clip")]
    [InlineData("align", "--cutoff-len", "--max-length")]
    [InlineData("align", "--max-tokens", "--max-length")]
    [InlineData("align", "--max_seq_length", "--max-length")]
    [InlineData("align", "--context-length", "--max-length")]
    [InlineData("align", "--mini-batch-size", "--batch")]
    [InlineData("align", "--max-epochs", "--epochs")]
    [InlineData("align", "--data-file", "--data")]
    [InlineData("align", "--harmful-file", "--harmful-data")]
    [InlineData("align", "--wd", "--weight-decay")]
    [InlineData("align", "--num-workers", "--threads")]
    [InlineData("align", "--algorithm", "--method")]
    [InlineData("generate", "--repeat-penalty", "--repetition-penalty")]
    [InlineData("generate", "--topk", "--top-k")]
    [InlineData("generate", "--max-gen-len", "--max-new-tokens")]
    [InlineData("generate", "--max-length", "--max-new-tokens")]
    [InlineData("generate", "--max-tokens", "--max-new-tokens")]
    [InlineData("generate", "--output", "--json")]
    [InlineData("merge", "--output", "--out")]
    [InlineData("merge", "--torch-dtype", "--dtype")]
    [InlineData("plan", "--vram", "--device-memory")]
    public void NamesOfOtherProgramsAreUnderstoodWell(string verb, string name, string ours)
    {
        CommandResult result = CommandLine.Run(verb, name, "1");
        Assert.Equal(2, result.ExitCode);
        Assert.Equal($"error: nvaccine {verb}: unknown option '{name}'; did you mean {ours}?", result.ErrorLine);
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    [InlineData("powershell")]
    public void EveryShellHasItsScript(string shell) =>
        Assert.Contains("[suggest:", CommandLine.Succeed("completion", shell).Output, StringComparison.Ordinal);

    [Fact]
    public void AnotherShellIsRefused() => Assert.Equal(
        "error: nvaccine completion: shell 'csh' is unknown; expected one of bash, zsh, fish, powershell",
        CommandLine.Run("completion", "csh").ErrorLine);

    private static IEnumerable<Command> All(Command command) => command.Subcommands.SelectMany(All).Prepend(command);

    private static RootCommand Root()
    {
        Terminal terminal = Terminal.Plain(TextWriter.Null, TextWriter.Null);
        return Application.CreateRoot(new CommandContext(terminal, Interruption.By(CancellationToken.None)));
    }

    [Theory]
    [InlineData("align", "--harmful-data", "--guide-data", "lisa")]
    [InlineData("finetune", "--guide-data", "--harmful-data", "tvaccine")]
    public void AVerbShowsTheMethodsOfItsStage(string verb, string shown, string other, string otherMethod)
    {
        string help = CommandLine.Succeed(verb, "--help").Output;

        Assert.Contains($"  {shown} ", help, StringComparison.Ordinal);
        Assert.DoesNotContain($"  {other} ", help, StringComparison.Ordinal);
        Assert.DoesNotContain(otherMethod, help, StringComparison.Ordinal);
        // What it does not show it refuses in words.
        Assert.Contains(" is not used by sft; ", CommandLine.Run(verb, "--model", "x", "--out", "x", "--method", "sft", other, "x").ErrorLine, StringComparison.Ordinal);
    }
}
