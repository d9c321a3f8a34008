using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Training;

/// <summary>An adapter that was trained on top of others is used with them or not at all.</summary>
public sealed class AdapterChainTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<string> notices = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AnAdapterAloneGetsWhatItStandsOn()
    {
        (string aligned, string attacked) = (Write("aligned"), Write("attacked", "aligned"));

        Assert.Equal([aligned, attacked], Complete(attacked));

        Assert.Equal([$"adapter {attacked} stands on {aligned}, which is added before it"], notices);
    }

    [Fact]
    public void TheWholeChainMayBeGivenAndNothingIsSaid()
    {
        (string aligned, string attacked) = (Write("aligned"), Write("attacked", "aligned"));
        string again = Write("again", "aligned", "attacked");

        Assert.Equal([aligned], Complete(aligned));
        Assert.Equal([aligned, attacked], Complete(aligned, attacked));
        Assert.Equal([aligned, attacked, again], Complete(aligned, attacked, again));
        Assert.Empty(notices);
    }

    [Fact]
    public void OfALongerChainOnlyWhatIsMissingIsAdded()
    {
        (string aligned, string attacked) = (Write("aligned"), Write("attacked", "aligned"));
        string again = Write("again", "aligned", "attacked");

        Assert.Equal([aligned, attacked, again], Complete(again));
        Assert.Equal([aligned, attacked, again], Complete(aligned, again));
        Assert.Equal([aligned, attacked, again], Complete(attacked, again));
        Assert.Equal(
            [
                $"adapter {again} stands on {aligned}, {attacked}, which are added before it, in this order",
                $"adapter {again} stands on {attacked}, which is added before it",
                $"adapter {attacked} stands on {aligned}, which is added before it",
            ],
            notices);
    }

    [Fact]
    public void AnotherChainIsRefused()
    {
        (string aligned, string attacked, string other) = (Write("aligned"), Write("attacked", "aligned"), Write("other"));

        Assert.Equal(
            $"adapter {attacked} stands on {aligned}, but {other} would be before it; expected {attacked} alone, or its own chain",
            Refusal(other, attacked));
        Assert.Equal(
            $"adapter {aligned} is given after {attacked}, which stands on it; expected it before, or {attacked} alone",
            Refusal(attacked, aligned));
        Assert.Equal(
            $"adapter {other} stands on the model itself, but {aligned} would be before it; expected {other} alone, or its own chain",
            Refusal(aligned, other));
    }

    [Fact]
    public void AdaptersOfOthersAreMergedAsTheyAreGiven()
    {
        (string one, string two) = (WriteForeign("one"), WriteForeign("two"));

        Assert.Equal([two, one], Complete(two, one));

        string ours = Write("ours", "one", "two");
        Assert.Equal([one, two, ours], Complete(ours));
        Assert.Contains("which stands on it", Refusal(ours, one), StringComparison.Ordinal);
    }

    [Fact]
    public void ABaseThatHasChangedOrIsMissingIsNamed()
    {
        (string aligned, string attacked) = (Write("aligned"), Write("attacked", "aligned"));
        File.WriteAllText(Path.Combine(aligned, "adapter_model.safetensors"), "trained again");

        Assert.Equal(
            $"adapter {attacked} stands on {aligned}, which has changed since; expected it as it was, given before it with --adapter",
            Refusal(attacked));
        Assert.Equal($"adapter {attacked} stands on {aligned}, which has changed since; expected it as it was", Refusal(aligned, attacked));

        Directory.Delete(aligned, recursive: true);
        Assert.Equal(
            $"adapter {attacked} stands on {aligned}, which is not there; expected it before this one with --adapter", Refusal(attacked));
    }

    [Fact]
    public void FoldersThatMoveTogetherFindOneAnother()
    {
        Write("runs/aligned");
        Write("runs/attacked", "runs/aligned");
        Directory.Move(folder.File("runs"), folder.File("moved"));
        Write("runs/aligned", "another one where the old one was", []);

        Assert.Equal([folder.File("moved/aligned"), folder.File("moved/attacked")], Complete(folder.File("moved/attacked")));

        Directory.Move(folder.File("moved/aligned"), folder.File("elsewhere"));
        Assert.Contains("has changed since", Refusal(folder.File("moved/attacked")), StringComparison.Ordinal);
        Assert.Equal(
            [folder.File("elsewhere"), folder.File("moved/attacked")], Complete(folder.File("elsewhere"), folder.File("moved/attacked")));
    }

    [Fact]
    public void AFolderThatMovesAloneFindsItsBaseWhereItWas()
    {
        string aligned = Write("runs/aligned");
        Directory.Move(Write("runs/attacked", "runs/aligned"), folder.File("attacked"));

        Assert.Equal([aligned, folder.File("attacked")], Complete(folder.File("attacked")));
    }

    [Fact]
    public void RemarksInAConfigurationAreNoChangeButNumbersAre()
    {
        (string aligned, string attacked) = (Write("aligned"), Write("attacked", "aligned"));
        string configuration = Path.Combine(aligned, "adapter_config.json");

        File.WriteAllText(configuration, """{"lora_alpha": 4, "r":8, "base_model_name_or_path": "published/name", "revision": null}""");
        Assert.Equal([aligned, attacked], Complete(attacked));

        File.WriteAllText(configuration, """{"r":8,"lora_alpha":8}""");
        Assert.Contains("has changed since", Refusal(attacked), StringComparison.Ordinal);
    }

    [Fact]
    public void AnAdapterToStartFromStandsOnWhatTheRunMerges()
    {
        (string aligned, string attacked, string other) = (Write("aligned"), Write("attacked", "aligned"), Write("other"));

        Assert.Equal([aligned], AdapterChain.Complete([], notices.Add, attacked));
        Assert.Single(notices);
        Assert.Equal([aligned], AdapterChain.Complete([aligned], null, attacked));
        Assert.Throws<InputException>(() => AdapterChain.Complete([other], null, attacked));
        Assert.Throws<InputException>(() => AdapterChain.Complete([aligned], null, other));
        Assert.Equal([aligned], AdapterChain.Complete([aligned], null, WriteForeign("foreign")));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("{\"stands_on\": 3}")]
    [InlineData("{\"stands_on\": [{\"path\": \"a\"}]}")]
    [InlineData("{\"stands_on\": null}")]
    [InlineData("{\"stands_on\": [null]}")]
    [InlineData("{\"stands_on\": [")]
    public void ABrokenRecordIsRefusedInALine(string json)
    {
        string adapter = Write("adapter");
        File.WriteAllText(Path.Combine(adapter, AdapterRecord.FileName), json);

        string message = Refusal(adapter);

        Assert.StartsWith(Path.Combine(adapter, AdapterRecord.FileName), message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private IReadOnlyList<string> Complete(params string[] given) => AdapterChain.Complete(given, notices.Add);

    private static string Refusal(params string[] given) =>
        Assert.Throws<InputException>(() => AdapterChain.Complete(given)).Message;

    private string WriteForeign(string name)
    {
        string adapter = Write(name);
        File.Delete(Path.Combine(adapter, AdapterRecord.FileName));
        return adapter;
    }

    private string Write(string name, params string[] bases) => Write(name, name, bases);

    private string Write(string name, string text, string[] bases)
    {
        string adapter = Directory.CreateDirectory(folder.File(name)).FullName;
        File.WriteAllText(Path.Combine(adapter, "adapter_model.safetensors"), text);
        File.WriteAllText(
            Path.Combine(adapter, "adapter_config.json"), """{"r": 8, "lora_alpha": 4, "base_model_name_or_path": "/somewhere"}""");
        AdapterRecord.Of(new TrainingOptions { Adapter = [.. bases.Select(each => folder.File(each))] }, adapter).Write(adapter);
        return adapter;
    }
}
