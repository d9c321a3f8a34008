using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Output;

/// <summary>Shares and their intervals as results show them.</summary>
internal static class IntervalText
{
    /// <summary>How the intervals of a result were made.</summary>
    public static JsonObject Method() => new()
    {
        ["method"] = "bootstrap, percentiles",
        ["confidence"] = Bootstrap.Confidence,
        ["resamples"] = Bootstrap.Resamples,
        ["seed"] = Bootstrap.Seed,
    };

    /// <summary>[low, high], both times a scale; null where there is no number.</summary>
    public static JsonArray ToJson(this Interval interval, double scale = 1) =>
        new(JsonValues.Number(scale * interval.Low), JsonValues.Number(scale * interval.High));

    /// <summary>A share in percent: "66.7 %".</summary>
    public static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} %");

    /// <summary>An interval of shares in percent: "33.3 to 91.7 %".</summary>
    public static string Percent(Interval interval) =>
        string.Create(CultureInfo.InvariantCulture, $"{100 * interval.Low:F1} to {100 * interval.High:F1} %");
}
