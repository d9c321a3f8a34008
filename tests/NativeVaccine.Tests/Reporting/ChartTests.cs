using System.Globalization;
using System.Xml.Linq;
using NativeVaccine.Reporting;

namespace NativeVaccine.Tests.Reporting;

/// <summary>What all charts have in common.</summary>
public sealed class ChartTests
{
    [Fact]
    public void SeveralSeriesAreToldApartWithoutColours()
    {
        XElement chart = Lines(3);

        string?[] dashes = [.. chart.Elements("path").Where(static path => path.Attribute("class")!.Value.StartsWith("curve", StringComparison.Ordinal))
            .Select(static path => path.Attribute("stroke-dasharray")?.Value).Distinct()];
        Assert.Equal(3, dashes.Length);
        Assert.Equal(["method 0", "method 1", "method 2"], Legend(chart, "method").Select(static text => text.Value));
    }

    [Fact]
    public void TheLegendOfManySeriesStaysWithinTheChart()
    {
        XElement chart = Lines(14);

        string[] box = chart.Attribute("viewBox")!.Value.Split(' ');
        Assert.Equal(14, Legend(chart, "method").Count());
        foreach (XElement text in Legend(chart, "method"))
        {
            Assert.InRange(Number(text, "x") + (text.Value.Length * Axis.CharacterWidth), 0, double.Parse(box[2], CultureInfo.InvariantCulture));
            Assert.InRange(Number(text, "y"), 0, double.Parse(box[3], CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void NoTwoOfManySeriesLookTheSame()
    {
        (string, string?, string)[] looks = [.. Enumerable.Range(0, 280).Select(static series => (
            Palette.Series(series), Palette.Dash(series)?.Value, Shape(Palette.Marker(series, 0, 0))))];
        Assert.Equal(looks.Length, looks.Distinct().Count());
    }

    /// <summary>
    /// For eyes with three kinds of cones, and for those that lack one (Machado, Oliveira and Fernandes, A physiologically-based model for simulation
    /// of color vision deficiency, 2009, at full severity): distances in CIELAB of 1976, of which 2.3 can just be seen.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void SeriesDifferForTheColourBlind(int scheme)
    {
        double[][][] eyes =
        [
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
            [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
        ];
        string[] series = [.. Colours(scheme).Where(static colour => colour.Key.StartsWith('s')).Select(static colour => colour.Value)];
        Assert.Equal(8, series.Length);
        foreach (double[][] eye in eyes)
        {
            double[][] seen = [.. series.Select(colour => Lab([.. eye.Select(row => Math.Clamp(row.Zip(Linear(colour), static (weight, light) => weight * light).Sum(), 0, 1))]))];
            for (int i = 0; i < seen.Length; i++)
            {
                for (int j = 0; j < i; j++)
                {
                    double distance = Math.Sqrt(seen[i].Zip(seen[j], static (one, other) => (one - other) * (one - other)).Sum());
                    Assert.True(distance > 15, $"{series[i]} and {series[j]}: {distance}");
                }
            }
        }
    }

    /// <summary>WCAG 2, success criterion 1.4.11: parts of graphics that must be seen have a contrast of 3 : 1, text (1.4.3) of 4.5 : 1.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void ColoursCanBeSeenOnTheirPaper(int scheme)
    {
        Dictionary<string, string> colours = Colours(scheme);
        Assert.Equal(12, colours.Count);
        double paper = Luminance(colours["paper"]);
        foreach ((string name, string colour) in colours.Where(static colour => colour.Key is not ("paper" or "faint")))
        {
            double contrast = (Math.Max(paper, Luminance(colour)) + 0.05) / (Math.Min(paper, Luminance(colour)) + 0.05);
            Assert.True(contrast >= (name is "text" or "dim" ? 4.5 : 3), $"{name} {colour}: {contrast}");
        }
    }

    [Theory]
    [InlineData(0, 399, new double[] { 0, 100, 200, 300, 399 })]
    [InlineData(0, 400, new double[] { 0, 100, 200, 300, 400 })]
    [InlineData(0, 1, new double[] { 0, 1 })]
    [InlineData(7, 7, new double[] { 7 })]
    [InlineData(0, 4999, new double[] { 0, 1000, 2000, 3000, 4000, 4999 })]
    [InlineData(0, 401, new double[] { 0, 100, 200, 300, 401 })]  // 400 has no room beside the last
    public void TheFirstAndTheLastStepAreNamed(double first, double last, double[] expected) =>
        Assert.Equal(expected, Axis.OfSteps(first, last, 40, 388).Ticks);

    [Fact]
    public void ValuesOfAGridAreNamedWhereThereIsRoom()
    {
        Assert.Equal([0, 5, 10, 20], Axis.OfValues([0, 5, 10, 20, 5], 40, 388).Ticks);
        Assert.Equal([0, 1000], Axis.OfValues([0, 0.001, 1, 1000], 40, 388).Ticks);
        IReadOnlyList<double> crowded = Axis.OfValues([.. Enumerable.Range(0, 100).Select(static value => (double)value)], 40, 388).Ticks;
        Assert.InRange(crowded.Count, 2, 20);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.5, "0.5")]
    [InlineData(12.3456, "12.35")]
    [InlineData(1234.567, "1235")]
    [InlineData(0.00012346, "0.0001235")]
    [InlineData(1.2346e-7, "1.235e-7")]
    [InlineData(-2.00004, "-2")]
    public void RoundedNumbersKeepTheDigitsThatCount(double value, string expected) => Assert.Equal(expected, NumberText.Rounded(value));

    [Theory]
    [InlineData(1.5, "s")]
    [InlineData(150, "s")]
    [InlineData(1234, "min")]
    [InlineData(0.004, "ms")]
    [InlineData(90000, "h")]
    public void UnitsFitTheLargestNumber(double seconds, string expected) => Assert.Equal(expected, DisplayUnit.OfSeconds(seconds).Name);

    [Fact]
    public void APictureHasItsColoursAndItsHeading()
    {
        var figure = new Figure("a", "Loss <b>", "", Lines(2));
        XElement picture = XElement.Parse(figure.ToSvg());

        Assert.DoesNotContain("class", figure.ToSvg(), StringComparison.Ordinal);
        Assert.DoesNotContain("var(", figure.ToSvg(), StringComparison.Ordinal);
        Assert.Contains(picture.Descendants(), static part => part.Name.LocalName == "text" && part.Value == "Loss <b>");
        XElement paper = picture.Elements().First(static part => part.Name.LocalName == "rect");
        Assert.Equal(picture.Attribute("height")!.Value, paper.Attribute("height")!.Value);
        Assert.All(picture.Elements().Where(static part => part.Name.LocalName is "path" or "line"), static part => Assert.NotNull(part.Attribute("stroke")));
        Assert.All(picture.Elements().Where(static part => part.Name.LocalName is "text" or "circle"), static part => Assert.StartsWith("#", part.Attribute("fill")!.Value, StringComparison.Ordinal));
    }

    private static XElement Lines(int count) => new XyChart
    {
        Name = "lines",
        XTitle = "x",
        YTitle = "y",
        Form = SeriesForm.Line,
        Series = [.. Enumerable.Range(0, count).Select(static i => new Series($"method {i}", [new Point(0, i, (i - 1, i + 1)), new Point(1, i + 2)]))],
    }.Draw();

    private static IEnumerable<XElement> Legend(XElement chart, string beginning) =>
        chart.Elements("text").Where(text => text.Value.StartsWith(beginning, StringComparison.Ordinal));

    private static double Number(XElement element, string name) => double.Parse(element.Attribute(name)!.Value, CultureInfo.InvariantCulture);

    private static string Shape(XElement marker) => $"{marker.Name} {marker.Attribute("class")!.Value.Split(' ')[0]} {marker.Attribute("d")?.Value}";

    /// <summary>The light ones (0) or the dark ones (1).</summary>
    private static Dictionary<string, string> Colours(int scheme)
    {
        string[] rules = [.. Palette.StyleSheet().Split('\n').Where(static line => line.Contains("--paper:", StringComparison.Ordinal))];
        return rules[scheme].Split("--").Skip(1).Select(static part => part.Split([':', ';'])).ToDictionary(static part => part[0], static part => part[1].Trim());
    }

    private static double Luminance(string colour) => Linear(colour) is [var red, var green, var blue] ? (0.2126 * red) + (0.7152 * green) + (0.0722 * blue) : 0;

    /// <summary>Red, green and blue light of an sRGB colour.</summary>
    private static double[] Linear(string colour) => [.. new[] { 1, 3, 5 }.Select(at =>
    {
        double part = int.Parse(colour.AsSpan(at, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture) / 255.0;
        return part <= 0.04045 ? part / 12.92 : Math.Pow((part + 0.055) / 1.055, 2.4);
    })];

    private static double[] Lab(double[] light)
    {
        static double Root(double part) => part > 0.008856 ? Math.Cbrt(part) : (7.787 * part) + (16.0 / 116);
        double x = Root(((0.4124 * light[0]) + (0.3576 * light[1]) + (0.1805 * light[2])) / 0.9505);
        double y = Root((0.2126 * light[0]) + (0.7152 * light[1]) + (0.0722 * light[2]));
        double z = Root(((0.0193 * light[0]) + (0.1192 * light[1]) + (0.9505 * light[2])) / 1.089);
        return [(116 * y) - 16, 500 * (x - y), 200 * (y - z)];
    }
}
