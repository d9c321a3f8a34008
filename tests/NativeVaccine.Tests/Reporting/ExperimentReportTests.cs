using System.Text.Json.Nodes;
using System.Xml;
using System.Xml.Linq;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Reporting;

/// <summary>The page of an experiment: its table, and the charts that there are numbers for.</summary>
public sealed class ExperimentReportTests : IDisposable
{
    private static readonly string[] Methods = ["SFT", "T-Vaccine <1>"];
    private static readonly double[] Ratios = [0, 0.1, 0.2];
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheTableHasMeansIntervalsAndWhatIsMissing()
    {
        XElement page = Write(Results(seeds: 6));

        XElement table = page.Descendants("table").First();
        Assert.Equal(
            ["method", "poison ratio", "seeds", "harmful score after (%)", "steps until half are answered", "finetune accuracy (%)", "alignment (s)"],
            table.Element("thead")!.Descendants("th").Select(static head => head.Value));
        Assert.Equal(
            [
                "SFT|0\u00a0%|6|10.0 9.0 to 11.0|-|90.0 89.0 to 91.0|4.00 3.00 to 5.00",
                "SFT|10\u00a0%|6|50.0 49.0 to 51.0|12.0 11.0 to 13.0 4 of 6 seeds|90.0 89.0 to 91.0|4.00 3.00 to 5.00",
            ],
            Rows(table).Take(2));
        Assert.Equal("18 of 36 cells done, 1 failed, 17 not begun, over method, poison ratio, seed. Plan: /plan.json", Paragraph(page));
        XElement unfinished = Section(page, "Cells without numbers");
        Assert.Equal("T-Vaccine <1>, poison ratio 10 %, seed 6: failed, the loss became <NaN>", unfinished.Descendants("li").First().Value);
        Assert.Equal(18, unfinished.Descendants("li").Count());
    }

    /// <summary>Neither where the interval crosses zero, nor of so few seeds that signs agree by chance.</summary>
    [Theory]
    [InlineData(-15, -9, 6, true)]
    [InlineData(9, 15, 6, true)]
    [InlineData(-15, 0, 10, false)]
    [InlineData(-1, 3, 10, false)]
    [InlineData(-15, -9, 5, false)]
    public void OnlyAClearDifferenceIsBold(double low, double high, int count, bool isBold)
    {
        ExperimentResults results = Results(seeds: 6);
        var difference = new ExperimentMean { Mean = (low + high) / 2, Low = low, High = high, Count = count };
        XElement page = Write(results with
        {
            Table = [.. results.Table.Select(row => row with
            {
                Against = new ExperimentDifference { Method = "SFT", Numbers = new Dictionary<string, ExperimentMean> { ["harmful_score"] = difference } },
            })],
        });

        XElement section = Section(page, "Differences to SFT");
        Assert.Equal(isBold ? 6 : 0, section.Descendants("b").Count());
        Assert.Empty(Section(page, "Results").Descendants("b"));
        Assert.Contains($"{low:+0.0;-0.0;0.0} to {high:+0.0;-0.0;0.0}", section.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void ChartsAreThoseOfTheNumbers()
    {
        ExperimentResults results = Results(seeds: 6);
        WriteLooks(results);
        XElement page = Write(results);

        Assert.Equal(
            [
                "Tamper curve, poison ratio 0\u00a0%", "Tamper curve, poison ratio 10\u00a0%", "Tamper curve, poison ratio 20\u00a0%", "Harmful score against poison ratio",
                "Steps until half are answered against poison ratio", "Finetune accuracy against harmful score, poison ratio 0\u00a0%",
                "Finetune accuracy against harmful score, poison ratio 10\u00a0%",
                "Finetune accuracy against harmful score, poison ratio 20\u00a0%", "Time of an alignment",
            ],
            page.Descendants("div").Single(static part => part.Attribute("class")?.Value == "charts").Descendants("h2").Select(static heading => heading.Value));
        XElement curve = page.Descendants("svg").First();
        Assert.Equal(["SFT (6 seeds)", "T-Vaccine <1> (no looks)"], Texts(curve).Where(static text => text.Contains('(') && !text.Contains('%')));
        Assert.Single(curve.Elements("path"), static path => path.Attribute("class")!.Value == "band s0");
        Assert.Equal(3, curve.Elements("circle").Count());  // at steps 0 and 8, which all attacks have, and in the legend
        // Not a mean over fewer seeds: four of the six came to it.
        XElement steps = page.Descendants("svg").Single(static chart => chart.Attribute("aria-label")!.Value.StartsWith("Steps until", StringComparison.Ordinal));
        Assert.Contains("SFT (no numbers)", Texts(steps));
    }

    /// <summary>Alignments that several attacks share are not counted twice.</summary>
    [Fact]
    public void AnAlignmentCountsOnceInItsCost()
    {
        XElement page = Write(Results(seeds: 6));

        XElement cost = Section(page, "Time of an alignment");
        Assert.StartsWith("Mean of 6 alignments each", cost.Element("p")!.Value, StringComparison.Ordinal);
        Assert.Equal("SFT: 3.5 s", Texts(cost.Element("svg")!).First(static text => text.Contains("SFT", StringComparison.Ordinal)));
    }

    [Fact]
    public void ABrokenFileOfOneCellIsNamedAndStopsNothing()
    {
        ExperimentResults results = Results(seeds: 6);
        WriteLooks(results);
        string broken = folder.File(results.Cells[0].AttackRun!, "tamper.jsonl");
        File.WriteAllText(broken, "{");
        XElement page = Write(results);

        Assert.StartsWith($"Left out of the tamper curves: {broken}:1: broken JSON", Section(page, "Not drawn").Descendants("li").Single().Value, StringComparison.Ordinal);
        Assert.Contains("SFT (5 seeds)", Texts(page.Descendants("svg").First()));
    }

    [Fact]
    public void AnExperimentThatHasNotBegunHasAPage()
    {
        ExperimentResults results = Results(seeds: 2);
        XElement page = Write(results with
        {
            Table = [],
            Cells = [.. results.Cells.Select(static cell => cell with { State = CellState.Waiting, Numbers = new Dictionary<string, double?>() })],
        });

        Assert.StartsWith("0 of 12 cells done, 12 not begun", Paragraph(page), StringComparison.Ordinal);
        Assert.Empty(page.Descendants("svg"));
    }

    [Fact]
    public void WithoutMethodsTheFirstAxisMakesTheLines()
    {
        var cells = new List<ExperimentCell>();
        var rows = new List<ExperimentRow>();
        foreach (double rho in new[] { 1.0, 2, 4 })
        {
            foreach (int layers in new[] { 4, 8 })
            {
                JsonObject Settings() => new() { ["method"] = "T-Vaccine", ["rho"] = rho, ["layers"] = layers };
                cells.Add(new ExperimentCell { Id = $"{rho}-{layers}", Settings = Settings(), State = CellState.Done });
                rows.Add(new ExperimentRow
                {
                    Settings = Settings(),
                    Seeds = 1,
                    Numbers = new Dictionary<string, ExperimentMean> { ["harmful_score"] = new() { Mean = 10 * rho, Count = 1 } },
                });
            }
        }
        XElement page = Write(new ExperimentResults { Name = "rho", Axes = ["method", "rho", "layers"], Cells = cells, Table = rows });

        Assert.Equal(["Results", "Harmful score against rho", "Harmful score against layers"], page.Descendants("h2").Select(static heading => heading.Value));
        Assert.Contains("layers 8", Texts(page.Descendants("svg").First()));
    }

    private static string Paragraph(XElement page) => page.Descendants("p").First().Value;

    private static XElement Section(XElement page, string heading) => page.Descendants("section").Single(section => section.Element("h2")!.Value == heading);

    private static IEnumerable<string> Texts(XElement chart) => chart.Elements("text").Select(static text => text.Value);

    private static IEnumerable<string> Rows(XElement table) => table.Element("tbody")!.Elements("tr").Select(static row => string.Join('|', row.Elements()
        .Select(static cell => string.Join(' ', cell.DescendantNodes().OfType<XText>().Select(static text => text.Value)).Replace(" %", "\u00a0%", StringComparison.Ordinal))));

    private static ExperimentMean Mean(double mean, int count) => new() { Mean = mean, Deviation = 1, Low = mean - 1, High = mean + 1, Count = count };

    /// <summary>Two methods at two poison ratios, of which the second has no cell that is done.</summary>
    private static ExperimentResults Results(int seeds) => new()
    {
        Name = "ratio",
        Plan = "/plan.json",
        Axes = ["method", "poison_ratio", "seed"],
        Cells =
        [
            .. from method in Methods from ratio in Ratios from seed in Enumerable.Range(1, seeds) select new ExperimentCell
            {
                Id = $"{method}-{ratio}-{seed}",
                Settings = new JsonObject { ["method"] = method, ["poison_ratio"] = ratio, ["seed"] = seed },
                State = method == "SFT" ? CellState.Done : ratio == 0.1 && seed == seeds ? CellState.Failed : CellState.Waiting,
                Error = method != "SFT" && ratio == 0.1 && seed == seeds ? "the loss became <NaN>" : null,
                AlignRun = $"runs/align-{seed}",
                AttackRun = $"runs/attack-{ratio}-{seed}",
                Numbers = method == "SFT" ? new Dictionary<string, double?> { ["align_seconds"] = seed } : new Dictionary<string, double?>(),
            },
        ],
        Table =
        [
            .. from method in Methods from ratio in Ratios select new ExperimentRow
            {
                Settings = new JsonObject { ["method"] = method, ["poison_ratio"] = ratio },
                Seeds = seeds,
                Numbers = ratio == 0
                    ? new Dictionary<string, ExperimentMean> { ["harmful_score"] = Mean(10, seeds), ["accuracy"] = Mean(90, seeds), ["align_seconds"] = Mean(4, seeds) }
                    : new Dictionary<string, ExperimentMean>
                    {
                        ["harmful_score"] = Mean(50, seeds), ["accuracy"] = Mean(90, seeds), ["align_seconds"] = Mean(4, seeds),
                        ["steps_to_half"] = Mean(12, method == "SFT" ? seeds - 2 : seeds),
                    },
            },
        ],
    };

    /// <summary>The attacks of the cells that are done, looked at twice; one of them once more.</summary>
    private void WriteLooks(ExperimentResults results)
    {
        foreach ((int i, ExperimentCell cell) in results.Cells.Where(static cell => cell.State == CellState.Done).Index())
        {
            Directory.CreateDirectory(folder.File(cell.AttackRun!));
            File.WriteAllText(
                folder.File(cell.AttackRun!, "tamper.jsonl"),
                $$"""
                {"step":0,"harmful_score":0,"answered":0,"refused":10,"degenerate":0,"count":10}
                {{(i == 0 ? """{"step":4,"harmful_score":100,"answered":10,"refused":0,"degenerate":0,"count":10}""" : "")}}
                {"step":8,"harmful_score":{{10 * i % 100}},"answered":{{i % 10}},"refused":{{10 - (i % 10)}},"degenerate":0,"count":10}
                """);
        }
    }

    private XElement Write(ExperimentResults results)
    {
        results.Write(folder.File(ExperimentResults.FileName));
        using var reader = XmlReader.Create(ExperimentReport.Write(folder.Root), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XElement.Load(reader);
    }
}
