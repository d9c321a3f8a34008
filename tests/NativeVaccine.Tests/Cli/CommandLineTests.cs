using System.CommandLine;
using NativeVaccine.Cli;
using NativeVaccine.Cli.Commands;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Tests.Cli;

public sealed class CommandLineTests
{
    private const string Training =
        "--model --data --out --harmful-data --rho --layers --resample-every --probe-every --freeze-scope --epochs --batch --learning-rate "
        + "--weight-decay --warmup-ratio --clip --accumulate --loss-mean --max-length --lora-rank --lora-alpha --lora-targets --dropout --seed "
        + "--init-adapter --replay --checkpoint-every --resume --device --threads --precision --device-memory --config --full --preset";

    /// <summary>The names that scripts outside the repository use.</summary>
    public static TheoryData<string, string> Contract => new()
    {
        { "doctor", "" },
        { "align", Training + " --method" },
        { "finetune", Training + " --adapter --run --method --guide-steps --user-steps --guide-data --guide-count --lambda --fisher-data" },
        { "plan", Training + " --method --json" },
        { "generate", "--model --adapter --run --prompt --prompts --template --max-new-tokens --json --config" },
        { "evaluate loss", "--model --adapter --run --data --max-length --json --config" },
        { "evaluate harmful", "--model --adapter --run --prompts --rules --json --config" },
        { "merge", "--model --adapter --run --out --dtype --config" },
        { "tokenize", "--model --text --file --json --config" },
        { "demo", "--seed --seeds --out --config" },
        { "bench step", "--shape --steps --warm-up --method --layers --batch --max-length --precision --device --device-memory --json --config" },
    };

    [Theory]
    [MemberData(nameof(Contract))]
    public void EveryOptionOfTheContractIsKnownToItsVerb(string verb, string options)
    {
        Command command = Find(verb);
        string[] known = [.. command.Options.Select(static option => option.Name)];
        Assert.Empty(options.Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(known));
    }

    [Theory]
    [MemberData(nameof(Contract))]
    public void HelpShowsAnExampleThatCanBeParsed(string verb, string options)
    {
        CommandResult help = CommandLine.Succeed([.. verb.Split(' '), "--help"]);
        string[] lines = help.Output.TrimEnd().Split('\n');
        Assert.Equal("Example:", lines[^2].TrimEnd());
        Assert.StartsWith($"  nvaccine {verb}", lines[^1], StringComparison.Ordinal);
        ParseResult parsed = Root().Parse(lines[^1].Trim()["nvaccine ".Length..]);
        Assert.True(parsed.Errors.Count == 0, $"{string.Join("; ", parsed.Errors)} ({options.Length})");
    }

    [Theory]
    [InlineData("generat --model x", "error: nvaccine: unknown command 'generat'; did you mean generate?")]
    [InlineData("generate --modle x --prompt y", "error: nvaccine generate: unknown option '--modle'; did you mean --model?")]
    [InlineData("generate --model x --prompt y --qqqqqqqq",
        "error: nvaccine generate: unknown option '--qqqqqqqq'; see nvaccine generate --help")]
    [InlineData("generate --prompt y", "error: nvaccine generate: expected --model, or --run for a finished run")]
    [InlineData("generate --model", "error: nvaccine generate: --model needs a value")]
    [InlineData("generate --config", "error: nvaccine generate: --config needs a value")]
    [InlineData("generate --model a --model b --prompt y", "error: nvaccine generate: --model may be given only once")]
    [InlineData("generate --model a", "error: nvaccine generate: expected either --prompt or --prompts")]
    [InlineData("evaluate", "error: nvaccine evaluate: expected one of loss, harmful, choice, sst2, ag-news, gsm8k, match, alpaca")]
    [InlineData("merge --model a --adapter b", "error: nvaccine merge: expected --out")]
    [InlineData("merge --model a --adapter b --out c --dtype int8",
        "error: nvaccine merge: --dtype: 'int8' cannot be used; expected one of fp32, fp16, bf16")]
    [InlineData("generate --model a --prompt b --max-new-tokens 1.5",
        "error: nvaccine generate: --max-new-tokens: '1.5' cannot be used; expected a whole number, at least 1")]
    [InlineData("generate --model a --prompt b --device-memory lots",
        "error: nvaccine generate: --device-memory: 'lots' cannot be used; expected a size with its unit, such as 24GiB or 512MiB")]
    [InlineData("align --model a --data b --out c --rho nan",
        "error: nvaccine align: --rho: 'nan' cannot be used; expected a number, at least 0")]
    [InlineData("align --model a --data b --out c --dropout 1",
        "error: nvaccine align: --dropout: '1' cannot be used; expected a number from 0 and below 1")]
    [InlineData("generate --model no-such-folder --prompt b",
        "error: no-such-folder: no such folder; expected a Hugging Face model folder")]
    public void BadInputIsOneLineAndExitCodeTwo(string arguments, string expected)
    {
        CommandResult result = CommandLine.Run(arguments.Split(' '));
        Assert.Equal(2, result.ExitCode);
        Assert.Equal(expected, result.ErrorLine);
        Assert.Empty(result.Output);
    }

    [Fact]
    public void AFileInThePlaceOfAFolderIsNamed()
    {
        string file = Fixtures.Path("tiny-llama", "config.json");
        Assert.Equal(
            $"error: {file}: is a file, not a folder; expected a Hugging Face model folder",
            CommandLine.Run("generate", "--model", file, "--prompt", "b").ErrorLine);
    }

    [Fact]
    public void TokenizeShowsATextOfManyLinesInOne()
    {
        CommandResult result = CommandLine.Succeed("tokenize", "--model", Fixtures.Path("tiny-llama"), "--text", "a\nb\u001bc");
        Assert.Contains("decoded  a\\nb\\u001bc", result.Output, StringComparison.Ordinal);
        Assert.Equal(3, result.Output.ReplaceLineEndings("\n").TrimEnd().Split('\n').Length);
    }

    [Fact]
    public void APathWithControlCharactersIsQuotedInOneLine()
    {
        CommandResult result = CommandLine.Run("tokenize", "--model", "no\n\u001b[31msuch", "--text", "x");
        Assert.Equal("error: no ?[31msuch: no such folder; expected a Hugging Face model folder", result.ErrorLine);
    }

    [Fact]
    public void VerboseAddsWhereTheErrorCameFrom()
    {
        CommandResult result = CommandLine.Run("generate", "--model", "no-such-folder", "--prompt", "b", "--verbose");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("   at NativeVaccine.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutArgumentsTheHelpListsTheVerbs()
    {
        CommandResult result = CommandLine.Succeed();
        foreach (string verb in new[] { "doctor", "plan", "align", "finetune", "generate", "evaluate", "tokenize", "merge", "demo", "bench" })
            Assert.Contains($"\n  {verb} ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void APromptMayBeginWithAnAtSign()
    {
        // System.CommandLine would read @name as a file of arguments.
        CommandResult result = CommandLine.Run("tokenize", "--model", Fixtures.Path("tiny-llama"), "--text", "@hello");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("decoded  @hello", result.Output, StringComparison.Ordinal);
    }

    private static RootCommand Root()
    {
        Terminal terminal = Terminal.Plain(TextWriter.Null, TextWriter.Null);
        return Application.CreateRoot(new CommandContext(terminal, Interruption.By(CancellationToken.None)));
    }

    private static Command Find(string verb)
    {
        Command command = Root();
        foreach (string name in verb.Split(' ')) command = command.Subcommands.Single(child => child.Name == name);
        return command;
    }
}
