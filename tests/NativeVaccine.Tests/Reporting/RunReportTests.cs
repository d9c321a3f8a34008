using System.Xml;
using System.Xml.Linq;
using NativeVaccine.Methods;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Cli;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Tests.Reporting;

/// <summary>The page that a run leaves, made from its files alone.</summary>
public sealed class RunReportTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private static TrainingOptions Options => new()
    {
        Method = "tvaccine",
        Model = "/models/<b>a & \"b\"\u0001</b>",
        Data = "/data/refusals.json",
        Versions = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["nativevaccine"] = "1.2.3" },
    };

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ShowsWhatWasRunItsCurvesAndItsLayers()
    {
        XElement page = Write(
            """
            {"step":0,"loss":2.5,"learning_rate":0.001,"gradient_norm":3,"tokens":100,"seconds":0.5,"peak_bytes":1048576,"active_layers":[0,2],"probabilities":[0.5,0.25,0.25]}
            {"step":1,"loss":null,"learning_rate":0.0005,"gradient_norm":2,"tokens":100,"seconds":0.25,"peak_bytes":1048576,"active_layers":[1]}
            {"step":2,"loss":1.5,"learning_rate":0.0001,"gradient_norm":1,"tokens":100,"seconds":0.25,"peak_bytes":1048576,"active_layers":[1]}
            """,
            plannedBytes: 2 << 20);

        Assert.Equal(
            ["Loss", "Learning rate", "Gradient norm", "Time per step", "Active layers", "Probe probabilities"],
            page.Descendants("h2").Select(static heading => heading.Value));
        string facts = page.Descendants("table").Single().Value;
        Assert.Contains("1.0 MiB at most on the device, 2.0 MiB planned (50.0 %)", facts, StringComparison.Ordinal);
        Assert.Contains("1.0 s in steps, median 250.0 ms a step, 300 tokens/s", facts, StringComparison.Ordinal);
        Assert.Contains("1.2.3", facts, StringComparison.Ordinal);
        Assert.Contains("/data/refusals.json", facts, StringComparison.Ordinal);
        XElement loss = Chart(page, "Loss");
        Assert.Equal(2, loss.Elements("path").Count());  // a gap where the loss was not finite
        Assert.Equal(
            ["1.4", "1.6", "1.8", "2", "2.2", "2.4", "2.6", "step 0", "1", "2"], loss.Elements("text").Select(static text => text.Value));
        Assert.Equal(3, Chart(page, "Active layers").Elements("rect").Count());
        Assert.Equal(
            ["1", "0.5", "0.5"], Chart(page, "Probe probabilities").Elements("rect").Select(static cell => cell.Attribute("fill-opacity")!.Value));
    }

    [Fact]
    public void NamesAreEscapedAndNothingComesFromOutside()
    {
        XElement page = Write("""{"step":0,"loss":1}""");

        Assert.Contains("/models/<b>a & \"b\"?</b>", page.Descendants("td").Select(static cell => cell.Value));
        string text = File.ReadAllText(folder.File(RunReport.FileName));
        Assert.DoesNotContain("http", text, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", text, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", text, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunWithoutAStepIsSaidToBeOne()
    {
        XElement page = Write("");

        Assert.Equal("No step was taken.", State(page));
        Assert.Empty(page.Descendants("svg"));
    }

    [Fact]
    public void TheHeadSaysHowFarTheRunCameAndItsLastNumbers()
    {
        string metrics = string.Join('\n', Enumerable.Range(0, 20).Select(
            static step => FormattableString.Invariant($$"""{"step":{{step}},"loss":{{3 - (step * 0.1)}},"gradient_norm":0.5}""")));
        XElement page = Write(metrics, totalSteps: 40);
        Assert.Equal("Stopped after 20 of 40 steps.", State(page));
        XElement numbers = page.Descendants("div").First(static part => part.Attribute("class")?.Value == "numbers");
        Assert.Equal(["1.1500", "3.0000", "0.5"], numbers.Descendants("b").Select(static number => number.Value));
        Assert.Equal("loss, mean of the last 2 steps", numbers.Descendants("span").First().Value);
        Assert.Contains("rho 3, layers 8, resample every 20, probe every 200", page.Descendants("table").Single().Value, StringComparison.Ordinal);

        Assert.Equal("Not complete: 20 steps so far.", State(Write(metrics)));
        Directory.CreateDirectory(folder.File("adapter"));
        Assert.Equal("Complete: 20 steps.", State(Write(metrics)));
    }

    [Theory]
    [InlineData(0, 10, new[] { 0.0, 2, 4, 6, 8, 10 })]
    [InlineData(0.31, 1.12, new[] { 0.2, 0.4, 0.6, 0.8, 1, 1.2 })]
    [InlineData(2, 2, new[] { 1.8, 1.9, 2, 2.1, 2.2 })]
    [InlineData(0, 0, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [InlineData(-3e-5, 1e-5, new[] { -3e-5, -2e-5, -1e-5, 0, 1e-5 })]
    public void TicksAreRoundNumbersAroundTheValues(double low, double high, double[] expected) =>
        Assert.Equal(expected, Svg.Ticks(low, high, 6));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0002, "0.0002")]
    [InlineData(1e-5, "1e-5")]
    [InlineData(3e6, "3e6")]
    [InlineData(double.NaN, "not finite")]
    public void NumbersAreShort(double value, string expected) => Assert.Equal(expected, Svg.Number(value));

    [Fact]
    public void TheVerbWritesThePageAgain()
    {
        Write("""{"step":0,"loss":1}""");
        string page = folder.File(RunReport.FileName);
        string before = File.ReadAllText(page);
        File.Delete(page);
        Assert.Equal($"wrote {page}", CommandLine.Succeed("report", folder.Root).ErrorLine);
        Assert.Equal(before, File.ReadAllText(page));
        Assert.Equal(2, CommandLine.Run("report", folder.File("none")).ExitCode);
    }

    [Fact]
    public void ALongRunIsThinnedOut()
    {
        XElement page = Write(string.Join('\n', Enumerable.Range(0, 5000).Select(
            static step => FormattableString.Invariant($$"""{"step":{{step}},"loss":{{step % 7}},"active_layers":[{{step % 3}}]}"""))));

        Assert.True(Chart(page, "Loss").Element("path")!.Attribute("d")!.Value.Split('L').Length < 400);
        Assert.True(Chart(page, "Active layers").Elements("rect").Count() <= 3 * 320);
        Assert.Contains(Chart(page, "Loss").Elements("text"), static text => text.Value == "4999");
    }

    [Fact]
    public void ABrokenLineIsNamed()
    {
        string metrics = folder.File("metrics.jsonl");

        Refusal.Of(() => Write("{\"step\":0}\n{\"step\":}"), $"{metrics}:2: broken JSON");
        Refusal.Of(() => Write("{\"step\":\"one\"}"), $"{metrics}:1: field 'step' is a string");
        Assert.False(File.Exists(folder.File(RunReport.FileName)));
    }

    [Theory]
    [InlineData("\"active_layers\":[2000000000]", "field 'active_layers' names layer 2000000000: expected 0 to 3")]
    [InlineData("\"active_layers\":[0,4]", "field 'active_layers' names layer 4: expected 0 to 3")]
    [InlineData("\"active_layers\":[-1]", "field 'active_layers' names layer -1: expected 0 to 3")]
    [InlineData("\"probabilities\":[0,0,0,0,1]", "field 'probabilities' has 5 numbers: expected one for each of 4 layers")]
    public void LayersAreBoundedByTheModel(string fields, string expected)
    {
        string metrics = folder.File("metrics.jsonl");
        File.WriteAllText(metrics, $"{{\"step\":0,{fields}}}");

        Refusal.Of(() => MetricsFile.Read(metrics, 4, TVaccine.Info.Metrics), $"{metrics}:1: {expected}");
    }

    private static XElement Chart(XElement page, string name) =>
        page.Descendants("svg").Single(chart => chart.Attribute("aria-label")!.Value == name);

    private static string State(XElement page) =>
        page.Descendants("p").Single(static part => part.Attribute("class")?.Value == "state").Value;

    private XElement Write(string metrics, long? plannedBytes = null, int? totalSteps = null)
    {
        File.WriteAllText(folder.File("config.json"), TrainingOptionsJson.Write(Options));
        File.WriteAllText(folder.File("metrics.jsonl"), metrics);
        RunReport.Write(folder.Root, plannedBytes, totalSteps: totalSteps);
        using var reader = XmlReader.Create(
            folder.File(RunReport.FileName), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }
}
