using NativeVaccine.Cli;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Cli;

/// <summary>What a method does not take, or cannot do, is refused in one line before a folder is made.</summary>
public sealed class MethodRefusalTests : IDisposable
{
    private static readonly string Model = Fixtures.Path("micro-llama");
    private static readonly string Samples = Fixtures.Path("traces", "tvaccine-micro", "samples.jsonl");
    private readonly TemporaryFolder folder = new();

    /// <summary>Each verb with every method that is not of its stage.</summary>
    public static TheoryData<string, string> MethodsOfTheOtherStage()
    {
        var data = new TheoryData<string, string>();
        foreach (TrainingStage stage in Enum.GetValues<TrainingStage>())
        {
            foreach (string method in MethodCatalog.Names.Except(MethodCatalog.NamesFor(stage))) data.Add(VerbOf(stage), method);
        }
        return data;
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("align --method sft --rho 3", "--rho is not used by sft; vaccine, tvaccine, random-vaccine, lisa use it")]
    [InlineData("align --method vaccine --layers 2", "--layers is not used by vaccine; tvaccine uses it")]
    [InlineData("align --method random-vaccine --same-masks", "--same-masks is not used by random-vaccine; vaccine, tvaccine use it")]
    [InlineData("finetune --harmful-data x", "--harmful-data is not used by sft; tvaccine, tar, tar-lite, booster use it")]
    [InlineData("align --method booster --rho 1", "--rho is not used by booster; vaccine, tvaccine, random-vaccine, lisa use it")]
    [InlineData("align --method tar-lite --restore copy", "--restore is not used by tar-lite; booster uses it")]
    [InlineData("align --method sft --full --lora-rank 4", "--lora-rank is not used with --full, which trains no adapter")]
    [InlineData("align --method sft --schedule constant --warmup-ratio 0", "--warmup-ratio is not used by --schedule constant")]
    [InlineData("align --method repnoise", "--data is not used by repnoise, which takes --paired-data")]
    [InlineData("align --method tvaccine --paired-data x", "--paired-data is not used by tvaccine; repnoise uses it")]
    [InlineData("plan --method repnoise", "--data is not used by repnoise, which takes --paired-data")]
    [InlineData("plan --noise-size norm", "--noise-size is not used by sft; random-vaccine uses it")]
    public void AnOptionThatChangesNothingIsRefused(string arguments, string expected)
    {
        CommandResult result = CommandLine.Run([.. arguments.Split(' '), "--model", Model, "--data", Samples, "--out", folder.File("run")]);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Equal($"error: {expected}", result.ErrorLine);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Theory]
    [InlineData("--method tvaccine --layers 2", "error: method tvaccine takes harmful samples; expected --harmful-data FILE")]
    [InlineData("--method repnoise --preset reference",
        "error: method repnoise has no preset reference: the program's batches are not paired, and its masks corrupt token ids; expected --preset paper")]
    [InlineData("--method booster", "error: method booster takes harmful samples; expected --harmful-data FILE")]
    [InlineData("--method tar-lite", "error: method tar-lite takes harmful samples; expected --harmful-data FILE")]
    [InlineData("--method tar", "error: method tar takes harmful samples; expected --harmful-data FILE")]
    [InlineData("--method tar --inner-steps 3",
        "error: TAR's adversary takes 3 steps, and no gradient is collected in fewer than 4; expected at most 3 (--tamper-gradient-every)")]
    [InlineData("--method sftt", "error: method 'sftt' is unknown; expected one of sft, ")]
    [InlineData("--lora-targets q_prj",
        "error: LoRA targets: 'q_prj' is unknown; expected some of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, qkv_proj, "
            + "gate_up_proj, all-linear")]
    [InlineData("--device tpu", "error: device 'tpu' is unknown; expected cpu or cuda:N")]
    public void ASettingThatCannotBeUsedIsRefusedBeforeTheFolderIsMade(string arguments, string expected)
    {
        string run = folder.File("run");
        string[] method = arguments.Contains("--method", StringComparison.Ordinal) ? [] : ["--method", "sft"];
        CommandResult result =
            CommandLine.Run(["align", "--model", Model, "--data", $"{Samples}#align", "--out", run, .. method, .. arguments.Split(' ')]);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.StartsWith(expected, result.ErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Theory]
    [InlineData("finetune --method lisa", "method lisa takes guide samples; expected --guide-data FILE")]
    [InlineData("finetune --method ewc", "method ewc takes fisher samples; expected --fisher-data FILE")]
    [InlineData("finetune --method vlguard", "method vlguard takes guide samples; expected --guide-data FILE")]
    [InlineData("finetune --method lisa --guide-steps 0", "nvaccine finetune: --guide-steps: '0' cannot be used; expected a whole number, at least 1")]
    [InlineData("finetune --method kl --guide-data x", "--guide-data is not used by kl; lisa, vlguard use it")]
    [InlineData("finetune --method kl --full",
        "method kl compares the model with what it was, which takes a head that does not train; expected an adapter, without --full")]
    [InlineData("plan --method kl --full",
        "method kl compares the model with what it was, which takes a head that does not train; expected an adapter, without --full")]
    [InlineData("finetune --method ewc --preset reference",
        "method ewc has no preset reference: the authors' program adds the gradient of the last of the Fisher samples to that of the first step; "
        + "expected --preset paper")]
    [InlineData("finetune --method kl --preset reference",
        "method kl has no preset reference: the authors' program takes the softmax over the positions of a sequence, not over the vocabulary; "
        + "expected --preset paper")]
    [InlineData("finetune --method vlguard --preset reference",
        "method vlguard has no preset reference: the authors' program for it does not start, as it lacks arguments that it requires; "
        + "expected --preset paper")]
    public void AMethodForFinetuningRefusesWhatItCannotDo(string arguments, string expected)
    {
        CommandResult result =
            CommandLine.Run([.. arguments.Split(' '), "--model", Model, "--data", $"{Samples}#align", "--out", folder.File("run")]);
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Equal($"error: {expected}", result.ErrorLine);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    [Theory]
    [MemberData(nameof(MethodsOfTheOtherStage))]
    public void AMethodIsForTheVerbsOfItsStages(string verb, string method)
    {
        CommandResult result =
            CommandLine.Run(verb, "--method", method, "--model", Model, "--data", $"{Samples}#align", "--out", folder.File("run"));
        TrainingStage stage = Enum.GetValues<TrainingStage>().Single(stage => VerbOf(stage) == verb);
        string own = VerbOf(MethodCatalog.Require(method).Stages.Single());
        Assert.Equal(ExitCode.BadInput, result.ExitCode);
        Assert.Equal(
            $"error: nvaccine {verb}: method {method} is for nvaccine {own}; expected one of {string.Join(", ", MethodCatalog.NamesFor(stage))}",
            result.ErrorLine);
        Assert.False(Directory.Exists(folder.File("run")));
    }

    private static string VerbOf(TrainingStage stage) => stage.ToString().ToLowerInvariant();
}
