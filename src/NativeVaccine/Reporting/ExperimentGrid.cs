using System.Text.Json;
using System.Text.Json.Nodes;

namespace NativeVaccine.Reporting;

/// <summary>The grid of an experiment, taken apart for charts: which axes vary, what they are called, and what lies along them.</summary>
/// <param name="results">The experiment.</param>
internal sealed class ExperimentGrid(ExperimentResults results)
{
    /// <summary>The axis that is shown in percent.</summary>
    private const string PoisonRatio = "poison_ratio";

    /// <summary>The axes with more than one value, without the seed, in the plan's order.</summary>
    public IReadOnlyList<string> Varying { get; } =
        [.. results.Axes.Where(axis => axis != ExperimentResults.SeedAxis && ValuesOf(results, axis).Count > 1)];

    /// <summary>Those of them all of whose values are numbers.</summary>
    public IEnumerable<string> Numeric => Varying.Where(axis => results.Cells.All(cell => Number(cell.Settings, axis) is not null));

    /// <summary>The axis whose values are lines or points of a chart: the methods, or without several of them the first that varies.</summary>
    /// <param name="but">An axis that the chart has already; null for none.</param>
    public string? LineAxis(string? but = null) =>
        Varying.Where(axis => axis != but).OrderBy(static axis => axis == ExperimentResults.MethodAxis ? 0 : 1).FirstOrDefault();

    /// <summary>What the values of an axis are called, in the grid's order; one name for all where there is no such axis.</summary>
    public IReadOnlyList<string> Lines(string? axis) => [.. results.Cells.Select(cell => Line(cell.Settings, axis)).Distinct()];

    /// <summary>What the value of one is called.</summary>
    public static string Line(JsonObject settings, string? axis) => axis is null ? "all" : Label(settings, [axis]);

    /// <summary>Items with the same settings but for some axes and the seed, each group with what its charts are called by.</summary>
    /// <param name="items">Rows or cells.</param>
    /// <param name="settings">Where they lie in the grid.</param>
    /// <param name="within">Axes along which the items of a group differ; null for none.</param>
    public IEnumerable<(string Label, IReadOnlyList<T> Items)> Panels<T>(IEnumerable<T> items, Func<T, JsonObject> settings, params string?[] within)
    {
        string[] axes = [.. Varying.Where(axis => !within.Contains(axis))];
        return items.GroupBy(item => Label(settings(item), axes)).Select(static group => (group.Key, (IReadOnlyList<T>)[.. group]));
    }

    /// <summary>"T-Vaccine, poison ratio 10 %".</summary>
    public static string Label(JsonObject settings, IEnumerable<string> axes) => string.Join(", ", axes.Select(
        axis => axis == ExperimentResults.MethodAxis ? Text(settings, axis) : $"{axis.Replace('_', ' ')} {Text(settings, axis)}"));

    /// <summary>The value of an axis in words: "T-Vaccine", "10 %".</summary>
    public static string Text(JsonObject settings, string axis) => Number(settings, axis) is { } number
        ? axis == PoisonRatio ? $"{NumberText.Rounded(number * 100, 6)} %" : NumberText.Number(number)
        : settings[axis] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>()
        : settings[axis]?.ToJsonString() ?? "-";

    /// <summary>Name and unit of an axis.</summary>
    public static string Title(string axis) => axis == PoisonRatio ? "poison ratio (%)" : axis.Replace('_', ' ');

    /// <summary>The value of an axis in that unit; null if it is no number.</summary>
    public static double? Shown(JsonObject settings, string axis) =>
        axis == PoisonRatio ? Math.Round(Number(settings, axis) * 100 ?? double.NaN, 9) : Number(settings, axis);

    private static double? Number(JsonObject settings, string axis) =>
        settings[axis] is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) ? number : null;

    private static List<string> ValuesOf(ExperimentResults results, string axis) =>
        [.. results.Cells.Select(cell => Text(cell.Settings, axis)).Distinct()];
}
