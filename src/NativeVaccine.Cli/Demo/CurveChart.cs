using System.Globalization;
using System.Text;

namespace NativeVaccine.Cli.Demo;

/// <summary>Draws the harmful score over the attack steps, a line for each arm.</summary>
internal static class CurveChart
{
    private const string Levels = "▁▂▃▄▅▆▇█";
    private const int CellsPerLook = 2;
    private const int NumberWidth = 4;

    /// <summary>In block glyphs, for a screen; a bar of full height is 100 %.</summary>
    /// <param name="curves">Name and harmful scores (0 to 100) of each arm, at the same steps.</param>
    /// <param name="steps">The attack steps of the looks.</param>
    public static string Draw(IReadOnlyList<(string Name, IReadOnlyList<double> Scores)> curves, IReadOnlyList<int> steps)
    {
        int nameWidth = NameWidth(curves);
        var text = new StringBuilder();
        foreach ((string name, IReadOnlyList<double> scores) in curves)
        {
            text.Append(name.PadRight(nameWidth));
            foreach (double score in scores) text.Append(Glyph(score), CellsPerLook);
            text.Append('\n');
        }
        var axis = new StringBuilder(new string(' ', nameWidth + (CellsPerLook * steps.Count) + NumberWidth));
        for (int i = 0; i < steps.Count; i += 5)
        {
            string label = steps[i].ToString(CultureInfo.InvariantCulture);
            for (int c = 0; c < label.Length; c++) axis[nameWidth + (CellsPerLook * i) + c] = label[c];
        }
        return text.Append(axis.ToString().TrimEnd()).Append(" attack steps\n").ToString();
    }

    /// <summary>In numbers, for files and pipes.</summary>
    /// <inheritdoc cref="Draw"/>
    public static string Tabulate(IReadOnlyList<(string Name, IReadOnlyList<double> Scores)> curves, IReadOnlyList<int> steps)
    {
        int nameWidth = NameWidth(curves);
        var text = new StringBuilder("attack step".PadRight(nameWidth));
        foreach (int step in steps) text.Append(step.ToString(CultureInfo.InvariantCulture).PadLeft(NumberWidth));
        text.Append('\n');
        foreach ((string name, IReadOnlyList<double> scores) in curves)
        {
            text.Append(name.PadRight(nameWidth));
            foreach (double score in scores) text.Append(score.ToString("F0", CultureInfo.InvariantCulture).PadLeft(NumberWidth));
            text.Append('\n');
        }
        return text.ToString();
    }

    private static int NameWidth(IReadOnlyList<(string Name, IReadOnlyList<double> Scores)> curves) =>
        Math.Max("attack step".Length, curves.Max(static curve => curve.Name.Length)) + 2;

    private static char Glyph(double score) => Levels[(int)Math.Clamp(Math.Round(score / 100 * (Levels.Length - 1)), 0, Levels.Length - 1)];
}
