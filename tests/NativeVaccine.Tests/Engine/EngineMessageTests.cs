using System.Text.RegularExpressions;
using NativeVaccine.Interop;
using NativeVaccine.Tests.Cli;

namespace NativeVaccine.Tests.Engine;

/// <summary>What the engine says, in the words of users.</summary>
public sealed class EngineMessageTests
{
    [Theory]
    [InlineData("vaccine_plan_create: lora_rank is 2000, expected 0 to 1024", "planning the memory: --lora-rank is 2000, expected 0 to 1024")]
    [InlineData("vaccine_plan_create: heads is 3, expected a multiple of kv_heads, which is 2", "planning the memory: num_attention_heads is 3, expected a multiple of num_key_value_heads, which is 2")]
    [InlineData("vaccine_plan_create: head_size is 1024, expected 2 to 512", "planning the memory: head_dim is 1024, expected 2 to 512")]
    [InlineData("vaccine_adamw_step: options.clip is -1, expected 0 or a positive number", "the optimizer's step: --clip is -1, expected 0 or a positive number")]
    [InlineData("vaccine_decode_next: sample 3 is full: 5 positions (the plan's decode_capacity)", "generating: sample 3 is full: 5 positions (the length of a prompt with its new tokens (--max-new-tokens))")]
    [InlineData("the device failed", "the device failed")]
    public void AMessageNamesWhatTheUserDid(string engine, string expected) => Assert.Equal(expected, EngineMessage.ForUsers(engine));

    [Fact]
    public void NoFunctionOfTheEngineIsNamed()
    {
        string header = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "native", "include", "nativevaccine.h"));
        string[] functions = [.. Regex.Matches(header, "(vaccine_[a-z0-9_]+)\\(").Select(static match => match.Groups[1].Value).Distinct()];
        Assert.True(functions.Length > 30, $"{functions.Length} functions");
        Assert.All(functions, static function =>
        {
            string message = EngineMessage.ForUsers($"{function}: x is NULL");
            Assert.EndsWith(": x is NULL", message, StringComparison.Ordinal);
            Assert.DoesNotContain('_', message);
        });
    }

    /// <summary>Through the command line, with what people type.</summary>
    [Theory]
    [InlineData("plan --method sft --batch 4 --max-length 100 --lora-rank 100000", "planning the memory: --lora-rank is 100000, expected 0 to 1024")]
    [InlineData("generate --prompt hi --max-new-tokens 2000000000", "planning the memory: the length of a prompt with its new tokens (--max-new-tokens) is 20000000")]
    [InlineData("generate --prompt hi --threads 9999", "opening the device: --threads is 9999, expected 0 to 4096")]
    public void ARefusalOfTheEngineIsReadable(string arguments, string expected)
    {
        CommandResult result = CommandLine.Run([.. arguments.Split(' '), "--model", Fixtures.Path("micro-llama")]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"error: {expected}", result.Error, StringComparison.Ordinal);
    }
}
