using System.Xml.Linq;
using NativeVaccine.Reporting;
using NativeVaccine.Tests.Models;
using NativeVaccine.Training;
using SkiaSharp;

namespace NativeVaccine.Tests.Cli;

/// <summary>Pages and pictures, from the command line.</summary>
public sealed class ReportVerbTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ThePageOfARunIsMadeAgain()
    {
        string run = Run("run", "vaccine", 2);
        string page = Path.Combine(run, RunReport.FileName);
        RunReport.Write(run);
        string before = File.ReadAllText(page);
        File.Delete(page);

        Assert.Equal($"wrote {page}", CommandLine.Succeed("report", run).ErrorLine);
        Assert.Equal(before, File.ReadAllText(page));

        string elsewhere = folder.File("page.html");
        Assert.Equal($"wrote {elsewhere}", CommandLine.Succeed("report", run, "--out", elsewhere).ErrorLine);
        Assert.Equal(before, File.ReadAllText(elsewhere));
    }

    [Fact]
    public void TwoRunsAreComparedInOptionsNumbersAndCurves()
    {
        string page = folder.File("both.html");
        Assert.Equal($"wrote {page}", CommandLine.Succeed("report", Run("a", "vaccine", 2), Run("b", "sft", 3), "--out", page).ErrorLine);

        var html = XElement.Parse(File.ReadAllText(page)["<!DOCTYPE html>".Length..]);
        Assert.Equal("a and b", html.Descendants("h1").Single().Value);
        Assert.Equal(
            ["Numbers", "Options that differ", "Loss", "Perturbation norm"], html.Descendants("h2").Select(static heading => heading.Value));
        string[][] tables = [.. html.Descendants("tbody").Select(static body => body.Elements("tr")
            .Select(static row => string.Join('|', row.Elements().Select(static cell => cell.Value))).ToArray())];
        Assert.Contains("steps done|2|3", tables[0]);
        Assert.Contains("loss of the first step|2.0000|3.0000", tables[0]);
        Assert.Equal(
            ["method|vaccine|sft", "rho|2|-", "same masks|false|-", "perturb site|attention|-", "perturb until|1|-", "perturb samples|all|-"], tables[1]);
        Assert.Contains(html.Descendants("text"), static text => text.Value == "b (has none)");
    }

    [Fact]
    public void EveryChartIsAPictureOfBothKinds()
    {
        string pictures = folder.File("new", "pictures");
        CommandResult result = CommandLine.Succeed("report", Run("run", "vaccine", 30), "--pictures", pictures);

        string[] names = [.. Directory.GetFiles(pictures).Select(static file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];
        Assert.Equal(["loss.png", "loss.svg", "perturbation-norm.png", "perturbation-norm.svg"], names);
        Assert.EndsWith($"wrote 4 pictures to {pictures}\n", result.Error, StringComparison.Ordinal);
        Assert.Equal("svg", XElement.Load(Path.Combine(pictures, "loss.svg")).Name.LocalName);
        using SKBitmap png = SKBitmap.Decode(Path.Combine(pictures, "loss.png"));
        Assert.Equal(1200, png.Width);
        Assert.Equal(SKColors.White, png.GetPixel(png.Width - 1, png.Height - 1));
        // The heading: a font comes with the program, as bare machines have none.
        Assert.InRange(Dark(png, 0, 0, 200, 72), 400, 4000);
        // The curve.
        Assert.InRange(Pixels(png, static colour => colour.Blue > colour.Red + 60), 1000, 20000);
    }

    [Fact]
    public void WhatIsNoFolderOfOursIsOneLine()
    {
        string run = Run("run", "sft", 1);
        string experiment = folder.File("experiment");
        Directory.CreateDirectory(experiment);
        new ExperimentResults { Name = "empty", Axes = ["seed"], Cells = [] }.Write(Path.Combine(experiment, ExperimentResults.FileName));
        string bare = folder.File("bare");
        Directory.CreateDirectory(bare);

        Refused($"{folder.File("none")}: no such folder; expected that of a run or an experiment", folder.File("none"));
        Refused($"{bare}: has neither config.json nor results.json; expected the folder of a run or an experiment", bare);
        Refused($"{experiment}: is the folder of an experiment; expected two runs to compare", run, experiment);
        Refused($"{folder.File("none")}: no such folder; expected that of a run or an experiment", run, folder.File("none"));
        Refused($"{run}/: is the folder given before it; expected another run to compare with", run, run + "/");
        Refused($"--out {run}/config.json: expected a name that ends in .html", run, "--out", run + "/config.json");
        File.WriteAllText(folder.File("file"), "");
        Refused($"{folder.File("file")}: cannot be made", run, "--pictures", folder.File("file"));
        Assert.Equal(2, CommandLine.Run("report").ExitCode);
        Assert.Equal(2, CommandLine.Run("report", run, run, run).ExitCode);
        CommandLine.Succeed("report", experiment);
        Assert.Contains("Complete: 0 cells", File.ReadAllText(Path.Combine(experiment, RunReport.FileName)), StringComparison.Ordinal);
    }

    private static void Refused(string expected, params string[] arguments)
    {
        CommandResult result = CommandLine.Run(["report", .. arguments]);
        Assert.NotEqual(0, result.ExitCode);
        Assert.StartsWith($"error: {expected}", result.Error.Split('\n')[^2], StringComparison.Ordinal);
    }

    private static int Dark(SKBitmap picture, int left, int top, int right, int bottom)
    {
        int count = 0;
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++) count += picture.GetPixel(x, y).Green < 100 ? 1 : 0;
        }
        return count;
    }

    private static int Pixels(SKBitmap picture, Func<SKColor, bool> isCounted) => picture.Pixels.Count(isCounted);

    private string Run(string name, string method, int steps)
    {
        string run = folder.File(name);
        Directory.CreateDirectory(run);
        File.WriteAllText(Path.Combine(run, "config.json"), TrainingOptionsJson.Write(new TrainingOptions { Method = method, Model = "/models/m", Data = "/data/d.json" }));
        File.WriteAllLines(Path.Combine(run, "metrics.jsonl"), Enumerable.Range(0, steps).Select(step => method == "sft"
            ? FormattableString.Invariant($$"""{"step":{{step}},"loss":{{3.0 / (step + 1)}}}""")
            : FormattableString.Invariant($$"""{"step":{{step}},"loss":{{2.0 / (step + 1)}},"perturbation_norm":2}""")));
        return run;
    }
}
