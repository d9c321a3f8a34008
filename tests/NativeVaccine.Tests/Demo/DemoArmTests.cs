using System.Text.Json.Nodes;
using NativeVaccine.Cli.Demo;
using NativeVaccine.Methods;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Demo;

/// <summary>Which methods the demo compares, and with which options.</summary>
public sealed class DemoArmTests : IDisposable
{
    private static readonly DemoSettings Tiny = new(PretrainingSamples: 64, AlignmentEpochs: 1, AttackEpochs: 1);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void EveryAlignmentMethodIsAnArm()
    {
        Assert.Equal(
            MethodCatalog.NamesFor(TrainingStage.Align).Order(StringComparer.Ordinal),
            DemoArm.Choose("all").Select(static arm => arm.Method).Order(StringComparer.Ordinal));
        Assert.Equal(["sft", "vaccine", "tvaccine", "random-vaccine"], DemoArm.Usual.Select(static arm => arm.Method));
        Assert.Equal(DemoArm.Plain, DemoArm.All[0]);
    }

    [Fact]
    public void PlainAlignmentIsAlwaysComparedWith()
    {
        Assert.Equal(["sft", "tar", "booster"], DemoArm.Choose("booster, tar").Select(static arm => arm.Method));
        Assert.Equal(["sft"], DemoArm.Choose("sft").Select(static arm => arm.Method));
    }

    [Theory]
    [InlineData("sft,boster", "'boster' is no method of the demo (did you mean booster?); expected all, or some of sft,vaccine,")]
    [InlineData("lisa", "'lisa' is no method of the demo")]
    [InlineData("sft,", "'' is no method of the demo")]
    [InlineData("tar,sft,tar", "tar stands there twice; expected each method once")]
    public void ANameThatIsNoMethodOrStandsThereTwiceIsRefused(string names, string expected)
    {
        string run = folder.File("run");
        CommandResult refused = CommandLine.Run("demo", "--methods", names, "--out", run);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains($"--methods: {expected}", refused.ErrorLine, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Theory]
    [InlineData("--inner-steps 3", "--inner-steps is an option of none of the arms, sft,vaccine,tvaccine,random-vaccine")]
    [InlineData("--layers 5 --layer-sampling upper", "cannot choose 5 of the 4 layers of the upper half of 8")]
    public void AnOptionThatNoArmHasOrThatDoesNotFitIsRefusedBeforeAnythingIsTrained(string options, string expected)
    {
        string run = folder.File("run");
        CommandResult result = CommandLine.Run(["demo", "--out", run, .. options.Split(' ')]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Fact]
    public void AnOptionGoesToEveryArmThatHasIt()
    {
        CommandResult result = CommandLine.Run(
            Tiny, CancellationToken.None, "demo", "--rho", "1", "--layers", "4", "--layer-sampling", "upper", "--seed", "7", "--out", folder.File("run"));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("  Vaccine: --method vaccine --rho 1 ", result.Output, StringComparison.Ordinal);
        string targeted = result.Output.Split('\n').Single(static line => line.StartsWith("  T-Vaccine:", StringComparison.Ordinal));
        Assert.Contains(" --rho 1 --layers 4 ", targeted, StringComparison.Ordinal);
        Assert.Contains(" --layer-sampling upper", targeted, StringComparison.Ordinal);
    }

    /// <summary>Options of an arm are those of a command line, with the values that its run had.</summary>
    [Fact]
    public void TheOutputSaysWhichOptionsEachArmHad()
    {
        string run = folder.File("run");
        CommandResult result = CommandLine.Run(Tiny, CancellationToken.None, "demo", "--methods", "all", "--seed", "7", "--out", run);
        Assert.True(result.ExitCode == 0, result.Error);
        string page = File.ReadAllText(Path.Combine(run, "results.md"));
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(run, "results.json")))!;
        foreach (DemoArm arm in DemoArm.All)
        {
            Assert.Contains($"  {arm.Name}: --method {arm.Method}", result.Output, StringComparison.Ordinal);
            Assert.Contains($"- {arm.Name}: `{arm.Describe()}`", page, StringComparison.Ordinal);
            Assert.Equal(arm.Describe(), (string)json["options"]![arm.Name]!);
            string alignment = Path.Combine(run, "seed-7", arm.Name.ToLowerInvariant().Replace(' ', '-'), "alignment", "config.json");
            TrainingOptions options = TrainingOptionsJson.Read(alignment);
            foreach (MethodOption option in arm.Info.Options.Where(static option => option is not PoolOption and not SwitchOption))
            {
                string given = $" {option.CommandLineName} {option.Write(options.Settings.Find(option)!).ToJsonString().Trim('"')}";
                Assert.Contains(given, arm.Describe(), StringComparison.Ordinal);
            }
        }
        JsonArray arms = json["seeds"]![0]!["arms"]!.AsArray();
        Assert.Equal(["unaligned", .. DemoArm.All.Select(static arm => arm.Name)], arms.Select(static arm => (string)arm!["name"]!));
        Assert.All(arms.Skip(1), static arm => Assert.True((double)arm!["alignment_seconds"]! > 0));
    }
}
