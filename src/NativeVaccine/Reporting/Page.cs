using System.Xml;
using System.Xml.Linq;

namespace NativeVaccine.Reporting;

/// <summary>A chart with its heading, on a page or in a file.</summary>
public sealed class Figure
{
    private readonly XElement chart;

    internal Figure(string name, string heading, string note, XElement chart)
    {
        (Name, Heading, Note) = (name, heading, note);
        this.chart = chart;
    }

    /// <summary>Lower-case letters, digits and hyphens: its name as a file, without an ending.</summary>
    public string Name { get; }

    /// <summary>What it is called.</summary>
    public string Heading { get; }

    /// <summary>What it shows, in a sentence.</summary>
    public string Note { get; }

    /// <summary>The chart as the text of an SVG file: light colours, on white, with nothing from outside.</summary>
    public string ToSvg() => Drawing().ToString() + "\n";

    /// <summary>The same as elements: svg, title, rect, line, path, circle and text.</summary>
    public XElement Drawing() => Palette.Standalone(chart, Heading);

    internal XElement ToSection() => Page.Section(Heading, Note, chart);
}

/// <summary>A page without anything from outside, and the charts in it.</summary>
/// <param name="Html">Its text.</param>
/// <param name="Figures">Its charts, in their order.</param>
public sealed record ReportPage(string Html, IReadOnlyList<Figure> Figures);

/// <summary>What the pages of reports are made of. All text that comes from files goes through XML's own escapes.</summary>
internal static class Page
{
    private const string Style = """
        * { box-sizing: border-box; }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 72rem; margin: 1rem auto; padding: 0 1rem; }
        h1 { font-size: 1.4rem; line-height: 1.3; margin: 0.5rem 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 0 0 0.2rem; }
        p { color: var(--dim); margin: 0 0 0.3rem; } .state { color: var(--text); margin-bottom: 1rem; }
        .numbers, .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); gap: 2rem; }
        .numbers { grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.5rem; margin: 1rem 0; }
        .numbers div { border: 1px solid var(--faint); border-radius: 0.4rem; padding: 0.4rem 0.6rem; }
        .numbers b { display: block; font-size: 1.25rem; font-weight: 600; } .numbers span { color: var(--dim); font-size: 0.85rem; }
        section { margin-bottom: 1.5rem; min-width: 0; } .charts section { margin: 0; }
        table { border-collapse: collapse; } .facts { width: 100%; margin-bottom: 2rem; }
        .facts th { text-align: left; font-weight: normal; color: var(--dim); padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; width: 9rem; }
        .facts td { overflow-wrap: anywhere; padding: 0.1rem 0; }
        .scroll { overflow-x: auto; margin: 0.5rem 0; }
        .table { font-size: 0.9rem; font-variant-numeric: tabular-nums; }
        .table th, .table td { border-bottom: 1px solid var(--faint); padding: 0.25rem 0.75rem 0.25rem 0; text-align: left; vertical-align: top; }
        .table .number { text-align: right; white-space: nowrap; } .table small { display: block; color: var(--dim); }
        .table thead th { vertical-align: bottom; color: var(--dim); font-weight: normal; } .table thead .number { white-space: normal; min-width: 5.5rem; }
        .table tbody th { font-weight: normal; min-width: 7.5rem; } .table td { overflow-wrap: anywhere; max-width: 24rem; }
        .table th:first-child { position: sticky; left: 0; background: var(--paper); max-width: 12rem; }
        ul { margin: 0.3rem 0; padding-left: 1.2rem; overflow-wrap: anywhere; } svg { display: block; width: 100%; height: auto; }
        @media print {
          body { font-size: 10pt; max-width: none; margin: 0; padding: 0; } .charts { grid-template-columns: 1fr 1fr; gap: 1rem; }
          .charts section, tr, .numbers div { break-inside: avoid; } h2 { break-after: avoid; } .scroll { overflow: visible; } .table { font-size: 7pt; }
          .table th, .table td { padding-right: 0.3rem; } .table thead .number, .table tbody th { min-width: 0; }
        }
        """;

    /// <summary>A page.</summary>
    /// <param name="title">Its heading.</param>
    /// <param name="state">What is said first, in a line.</param>
    /// <param name="parts">Tables and other elements before the charts; null for none.</param>
    /// <param name="figures">The charts.</param>
    public static ReportPage Of(string title, string state, IEnumerable<XElement?> parts, IReadOnlyList<Figure> figures)
    {
        var body = new XElement("body", new XElement("h1", Clean(title)), new XElement("p", new XAttribute("class", "state"), Clean(state)), parts);
        if (figures.Count > 0) body.Add(Div("charts", figures.Select(static figure => figure.ToSection())));
        var html = new XElement(
            "html",
            new XAttribute("lang", "en"),
            new XElement(
                "head",
                new XElement("meta", new XAttribute("charset", "utf-8")),
                new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
                new XElement("title", Clean(title)),
                new XElement("style", Palette.StyleSheet() + "\n" + Style)),
            body);
        return new ReportPage($"<!DOCTYPE html>\n{html}\n", figures);
    }

    /// <summary>A heading and what is below it.</summary>
    public static XElement Section(string heading, string note, params object?[] content) =>
        new("section", new XElement("h2", Unbroken(heading)), note.Length > 0 ? new XElement("p", Unbroken(note)) : null, content);

    /// <summary>A table of names and texts.</summary>
    public static XElement Facts(IEnumerable<(string Name, string? Value)> facts) => new(
        "table", new XAttribute("class", "facts"), facts.Where(static fact => !string.IsNullOrEmpty(fact.Value))
            .Select(static fact => new XElement("tr", new XElement("th", Clean(fact.Name)), new XElement("td", Clean(fact.Value!)))));

    /// <summary>A table in a box of its own, in which it can be moved where it is too wide.</summary>
    /// <param name="heads">Names of the columns.</param>
    /// <param name="rows">The rows; the first <paramref name="names"/> cells of each are names, the others numbers.</param>
    /// <param name="names">How many columns are names.</param>
    public static XElement Grid(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<XElement?>> rows, int names) => new(
        "div", new XAttribute("class", "scroll"), new XAttribute("tabindex", "0"),
        new XElement(
            "table", new XAttribute("class", "table"),
            new XElement("thead", new XElement("tr", heads.Select((head, column) => TableCell("th", column >= names, Clean(head))))),
            new XElement("tbody", rows.Select(row => new XElement("tr", row.Select((cell, column) =>
                TableCell(column == 0 ? "th" : "td", column >= names, cell?.Nodes())))))));

    /// <summary>The cell of a table with a text, and smaller ones below it.</summary>
    public static XElement Cell(string text, bool isBold = false, params IEnumerable<string?> below) => new(
        "span", isBold ? new XElement("b", Clean(text)) : Clean(text),
        below.Where(static line => !string.IsNullOrEmpty(line)).Select(static line => new XElement("small", Clean(line!))));

    /// <summary>A few numbers in boxes.</summary>
    public static XElement? Boxes(IReadOnlyList<(string Name, string Value)> numbers) => numbers.Count == 0 ? null : Div(
        "numbers", numbers.Select(static number => new XElement("div", new XElement("b", number.Value), new XElement("span", number.Name))));

    /// <summary>A text in which no line ends between a number and its sign for percent.</summary>
    private static string Unbroken(string text) => Clean(text).Replace(" %", "\u00A0%", StringComparison.Ordinal);

    /// <summary>Text from files may hold characters that no page may.</summary>
    public static string Clean(string text) => string.Concat(text.EnumerateRunes().Select(
        static rune => rune.IsBmp && !XmlConvert.IsXmlChar((char)rune.Value) ? "?" : rune.ToString()));

    private static XElement TableCell(string kind, bool isNumber, object? content) =>
        new(kind, isNumber ? new XAttribute("class", "number") : null, content);

    private static XElement Div(string kind, object content) => new("div", new XAttribute("class", kind), content);
}
