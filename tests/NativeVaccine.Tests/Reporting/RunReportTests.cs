using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using NativeVaccine.Methods;
using NativeVaccine.Reporting;
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
            ["Loss", "Learning rate", "Gradient norm", "Time per step", "Active layers: how often", "Active layers", "Probe probabilities", "Memory against the plan"],
            page.Descendants("h2").Select(static heading => heading.Value));
        string facts = page.Descendants("table").First().Value;
        Assert.Contains("1.0 MiB at most on the device, 2.0 MiB planned (50.0 %)", facts, StringComparison.Ordinal);
        Assert.Contains("1.0 s in steps, median 250.0 ms a step, 300 tokens/s", facts, StringComparison.Ordinal);
        Assert.Contains("1.2.3", facts, StringComparison.Ordinal);
        Assert.Contains("/data/refusals.json", facts, StringComparison.Ordinal);
        XElement loss = Chart(page, "Loss");
        Assert.Equal(2, loss.Elements("path").Count(static path => Class(path) == "curve s0"));  // a gap where the loss was not finite
        Assert.Equal(
            ["1.4", "1.6", "1.8", "2", "2.2", "2.4", "2.6", "loss (nats)", "0", "1", "2", "optimizer step"],
            loss.Elements("text").Select(static text => text.Value));
        Assert.Equal(3, Chart(page, "Active layers").Elements("rect").Count());
        Assert.Equal([1.0, 2, 1], Bars(Chart(page, "Active layers: how often")));
        Assert.Equal(
            ["1", "0.5", "0.5", "0", "0.2", "0.4", "0.6", "0.8", "1"],
            Chart(page, "Probe probabilities").Elements("rect").Select(static cell => cell.Attribute("fill-opacity")!.Value));
        Assert.Equal(
            ["used at most: 1 MiB", "planned: 2 MiB", "planned for activations: 2 MiB"],
            Chart(page, "Memory against the plan").Elements("text").Select(static text => text.Value).Where(static text => text.EndsWith("MiB", StringComparison.Ordinal)));
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
        Assert.Contains("rho 3, layers 8, resample every 20, probe every 200", page.Descendants("table").First().Value, StringComparison.Ordinal);

        Assert.Equal("Not complete: 20 steps so far.", State(Write(metrics)));
        Directory.CreateDirectory(folder.File("adapter"));
        Assert.Equal("Complete: 20 steps.", State(Write(metrics)));
    }

    [Fact]
    public void LooksOnTheWayAreACurveADriftAndATable()
    {
        File.WriteAllText(folder.File("tamper.jsonl"),
            """
            {"step":0,"harmful_score":10,"answered":1,"refused":9,"degenerate":0,"count":10,"drift":[0,0]}
            {"step":10,"harmful_score":40,"answered":4,"refused":5,"degenerate":1,"count":10,"drift":[0.5,null]}
            {"step":20,"harmful_score":80,"answered":8,"refused":0,"degenerate":2,"count":10,"drift":[1,2]}
            """);
        XElement page = Write("""{"step":0,"loss":1}""");

        XElement curve = Chart(page, "Tamper curve");
        Assert.Contains(curve.Elements("text"), static text => text.Value == "half: step 12.5");
        Assert.Equal(3, curve.Elements("circle").Count());
        XElement drift = Chart(page, "Embedding drift");
        Assert.Equal(["0.25", "0.5", "1"], drift.Elements("rect").Select(static cell => cell.Attribute("fill-opacity")?.Value).Take(4).OfType<string>());
        Assert.Single(drift.Elements("rect"), static cell => Class(cell) == "gap");
        Assert.Contains(drift.Elements("text"), static text => text.Value == "2; grey: not finite");
        XElement table = page.Descendants("table").Single(static table => Class(table) == "table");
        Assert.Equal(["", "before", "after 20 steps", "change"], table.Element("thead")!.Descendants("th").Select(static head => head.Value));
        Assert.Equal(
            ["answered", "10.0 %1 of 10", "80.0 %8 of 10", "+70.0 points"], table.Element("tbody")!.Elements("tr").First().Elements().Select(static cell => cell.Value));
    }

    [Fact]
    public void AnAttackThatDoesNotReachHalfSaysSo()
    {
        File.WriteAllText(folder.File("tamper.jsonl"), """{"step":30,"harmful_score":40,"answered":4,"refused":6,"degenerate":0,"count":10}""");
        XElement page = Write("""{"step":0,"loss":1}""");

        Assert.Contains(Chart(page, "Tamper curve").Elements("text"), static text => text.Value == "half are answered: not reached");
        Assert.Contains(page.Descendants("b"), static number => number.Value == "not within 30");
        Assert.DoesNotContain(page.Descendants("table"), static table => Class(table) == "table");  // there is one look, no before and after
    }

    [Theory]
    [InlineData(0, 10, new[] { 0.0, 2, 4, 6, 8, 10 })]
    [InlineData(0.31, 1.12, new[] { 0.2, 0.4, 0.6, 0.8, 1, 1.2 })]
    [InlineData(2, 2, new[] { 1.8, 1.9, 2, 2.1, 2.2 })]
    [InlineData(0, 0, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [InlineData(-3e-5, 1e-5, new[] { -3e-5, -2e-5, -1e-5, 0, 1e-5 })]
    public void TicksAreRoundNumbersAroundTheValues(double low, double high, double[] expected) =>
        Assert.Equal(expected, Axis.RoundNumbers(low, high, 6));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0002, "0.0002")]
    [InlineData(1e-5, "1e-5")]
    [InlineData(3e6, "3e6")]
    [InlineData(double.NaN, "not finite")]
    public void NumbersAreShort(double value, string expected) => Assert.Equal(expected, NumberText.Number(value));

    [Fact]
    public void ALongRunIsThinnedOut()
    {
        XElement page = Write(string.Join('\n', Enumerable.Range(0, 5000).Select(
            static step => FormattableString.Invariant($$"""{"step":{{step}},"loss":{{step % 7}},"active_layers":[{{step % 3}}]}"""))));

        Assert.True(Chart(page, "Loss").Elements("path").First(static path => Class(path) == "curve s0").Attribute("d")!.Value.Split('L').Length < 400);
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

    private static string? Class(XElement element) => element.Attribute("class")?.Value;

    /// <summary>The heights of bars, as multiples of the lowest.</summary>
    private static double[] Bars(XElement chart)
    {
        double[] heights = [.. chart.Elements("rect").Select(static bar => double.Parse(bar.Attribute("height")!.Value, CultureInfo.InvariantCulture))];
        return [.. heights.Select(height => Math.Round(height / heights.Min(), 2))];
    }

    private static string State(XElement page) =>
        page.Descendants("p").Single(static part => part.Attribute("class")?.Value == "state").Value;

    private XElement Write(string metrics, long? plannedBytes = null, int? totalSteps = null)
    {
        File.WriteAllText(folder.File("config.json"), TrainingOptionsJson.Write(Options));
        File.WriteAllText(folder.File("metrics.jsonl"), metrics);
        File.Delete(folder.File(PlanRecord.FileName));
        if (plannedBytes is not null || totalSteps is not null)
        {
            new PlanRecord { Memory = new Dictionary<string, long> { ["activations"] = plannedBytes ?? 0 }, Layers = 3, Steps = totalSteps ?? 3 }.Write(folder.Root);
        }
        RunReport.Write(folder.Root);
        using var reader = XmlReader.Create(
            folder.File(RunReport.FileName), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }
}
