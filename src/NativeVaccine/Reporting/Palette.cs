using System.Globalization;
using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>
/// Colours and shapes of charts: eight colours, five dashes and seven markers, so that 280 series look different. The elements of a chart have
/// classes ("line s3"); a page's style sheet gives them their colours, light or dark, and a picture in a file has them as attributes, since
/// viewers of pictures know no style sheets.
/// </summary>
internal static class Palette
{
    /// <summary>Room for the heading above a chart in a file.</summary>
    private const int HeadingHeight = 24;

    private const string Text = "text";
    private const string Dim = "dim";
    private const string Paper = "paper";
    private const string Faint = "faint";

    /// <summary>
    /// Name, light and dark. The colours of the series are those near blue, orange, green, purple, yellow, sky and brown that differ most from each
    /// other for all eyes, the colour-blind's among them, and have a contrast of at least 3 : 1 with the paper: a test says how much.
    /// </summary>
    private static readonly (string Name, string Light, string Dark)[] Colours =
    [
        (Text, "#1c1e21", "#e4e6e8"), (Dim, "#5c6166", "#a3a9b0"), (Paper, "#ffffff", "#16181b"), (Faint, "#e3e5e8", "#2c3035"),
        ("s0", "#122b76", "#2f64c0"), ("s1", "#ff321a", "#db891e"), ("s2", "#287e5e", "#2bc984"), ("s3", "#b06eaf", "#a692b8"),
        ("s4", "#879b34", "#fdd409"), ("s5", "#2694ff", "#bdf1ff"), ("s6", "#7a3b1d", "#926630"), ("s7", "#4d3c53", "#ffffdb"),
    ];

    /// <summary>What a class means: the attributes, whose colours are names of colours, or "series" for that of the element's series.</summary>
    private static readonly Dictionary<string, (string Attribute, string Value)[]> Classes = new()
    {
        ["axis"] = [("stroke", Dim), ("stroke-width", "1")],
        ["grid"] = [("stroke", Faint), ("stroke-width", "1")],
        ["mark"] = [("stroke", Text), ("stroke-width", "1"), ("stroke-dasharray", "2 3")],
        ["curve"] = [("fill", "none"), ("stroke", "series"), ("stroke-width", "1.6"), ("stroke-linecap", "round"), ("stroke-linejoin", "round")],
        ["whisker"] = [("fill", "none"), ("stroke", "series"), ("stroke-width", "1.3")],
        ["dot"] = [("fill", "series"), ("stroke", "series"), ("stroke-width", "1.3")],
        ["ring"] = [("fill", Paper), ("stroke", "series"), ("stroke-width", "1.6")],
        ["band"] = [("fill", "series"), ("fill-opacity", "0.14")],
        ["cell"] = [("fill", "series")],
        ["bar"] = [("fill", "series"), ("fill-opacity", "0.4"), ("stroke", "series"), ("stroke-width", "1")],
        ["gap"] = [("fill", Faint)],
        ["tick"] = [("fill", Dim)],
        ["label"] = [("fill", Text)],
    };

    private static readonly string[] Dashes = ["", "7 4", "2 4", "9 4 2 4", "13 5"];

    private static int Colour(int series) => series % 8;

    /// <summary>The class of a series' colour.</summary>
    public static string Series(int series) => string.Create(CultureInfo.InvariantCulture, $"s{Colour(series)}");

    /// <summary>The dashes of a series' line; null for a whole line.</summary>
    public static XAttribute? Dash(int series) => Dashes[series % Dashes.Length] is { Length: > 0 } dash ? new XAttribute("stroke-dasharray", dash) : null;

    /// <summary>The mark of a series' points.</summary>
    public static XElement Marker(int series, double x, double y) => (series % 7) switch
    {
        0 => Circle("dot", series, x, y),
        1 => Shape("dot", series, x, y, (-3.4, -3.4), (3.4, -3.4), (3.4, 3.4), (-3.4, 3.4)),
        2 => Shape("dot", series, x, y, (0, -4.6), (4.4, 3.2), (-4.4, 3.2)),
        3 => Shape("dot", series, x, y, (0, -5), (5, 0), (0, 5), (-5, 0)),
        4 => Circle("ring", series, x, y),
        5 => Shape("dot", series, x, y, (0, 4.6), (4.4, -3.2), (-4.4, -3.2)),
        _ => Shape("ring", series, x, y, (-3.4, -3.4), (3.4, -3.4), (3.4, 3.4), (-3.4, 3.4)),
    };

    /// <summary>The style sheet's part for charts.</summary>
    public static string StyleSheet() =>
        $$"""
        :root { color-scheme: light dark; {{Variables(static colour => colour.Light)}} }
        @media (prefers-color-scheme: dark) { :root { {{Variables(static colour => colour.Dark)}} } }
        @media print { :root { color-scheme: light; {{Variables(static colour => colour.Light)}} } }
        {{string.Join('\n', Enumerable.Range(0, 8).Select(static series => $".{Series(series)} {{ --series: var(--{Series(series)}); }}"))}}
        {{string.Join('\n', Classes.Select(static entry => $"svg .{entry.Key} {{ {Declarations(entry.Value)} }}"))}}
        svg text { font-size: 12px; }
        """;

    /// <summary>The same chart with light colours in attributes, on paper of its own and below its heading: for a file.</summary>
    public static XElement Standalone(XElement chart, string heading)
    {
        XNamespace svg = "http://www.w3.org/2000/svg";
        string[] box = chart.Attribute("viewBox")!.Value.Split(' ');
        string height = (double.Parse(box[3], CultureInfo.InvariantCulture) + HeadingHeight).ToString("0.#", CultureInfo.InvariantCulture);
        string top = (-HeadingHeight).ToString(CultureInfo.InvariantCulture);
        XElement title = Svg.Text("label", 4, -8, "start", Svg.Shortened(Page.Clean(heading), 58));
        return new XElement(
            svg + "svg", new XAttribute("viewBox", $"0 {top} {box[2]} {height}"), new XAttribute("width", box[2]), new XAttribute("height", height),
            new XAttribute("font-family", "DejaVu Sans Condensed, Arial, Helvetica, sans-serif"), new XAttribute("font-size", "12"),
            new XElement(svg + "title", chart.Attribute("aria-label")!.Value),
            new XElement(svg + "rect", new XAttribute("y", top), new XAttribute("width", box[2]), new XAttribute("height", height), new XAttribute("fill", Light(Paper))),
            chart.Elements().Prepend(title).Select(element => WithColours(element, svg)));
    }

    private static XElement WithColours(XElement element, XNamespace svg)
    {
        string[] classes = element.Attribute("class")?.Value.Split(' ') ?? [];
        string series = classes.FirstOrDefault(static name => name.Length == 2 && name[0] == 's') ?? "s0";
        var coloured = new XElement(svg + element.Name.LocalName, element.Attributes().Where(static attribute => attribute.Name != "class"));
        foreach ((string attribute, string value) in classes.Where(Classes.ContainsKey).SelectMany(static name => Classes[name]))
        {
            if (coloured.Attribute(attribute) is null) coloured.Add(new XAttribute(attribute, IsColour(value) ? Light(value == "series" ? series : value) : value));
        }
        coloured.Add(element.Nodes().Select(node => node is XElement child ? WithColours(child, svg) : node));
        return coloured;
    }

    private static string Declarations((string Attribute, string Value)[] attributes) =>
        string.Join(' ', attributes.Select(static attribute => $"{attribute.Attribute}: {(IsColour(attribute.Value) ? $"var(--{attribute.Value})" : attribute.Value)};"));

    private static bool IsColour(string value) => value == "series" || Array.Exists(Colours, colour => colour.Name == value);

    private static string Light(string name) => Array.Find(Colours, colour => colour.Name == name).Light;

    private static string Variables(Func<(string Name, string Light, string Dark), string> choose) =>
        string.Join(' ', Colours.Select(colour => $"--{colour.Name}: {choose(colour)};"));

    private static XElement Circle(string kind, int series, double x, double y) =>
        new("circle", new XAttribute("class", $"{kind} {Series(series)}"), Svg.At("cx", x), Svg.At("cy", y), Svg.At("r", 3.6));

    private static XElement Shape(string kind, int series, double x, double y, params ReadOnlySpan<(double X, double Y)> corners)
    {
        var path = new System.Text.StringBuilder();
        foreach ((double dx, double dy) in corners)
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? 'M' : 'L')}{x + dx:0.#} {y + dy:0.#}");
        return new XElement("path", new XAttribute("class", $"{kind} {Series(series)}"), new XAttribute("d", path.Append('Z').ToString()));
    }
}
