using System.Globalization;

namespace NativeVaccine.Cli.Output;

/// <summary>Mean and standard deviation of a number over seeds; those that have none are counted apart.</summary>
internal sealed class Spread
{
    /// <summary>Of numbers, null for a seed in which it was not reached.</summary>
    public Spread(IReadOnlyCollection<double?> values)
    {
        double[] reached = [.. values.OfType<double>()];
        Count = reached.Length;
        Missing = values.Count - reached.Length;
        if (Count == 0) return;
        Mean = reached.Average();
        Deviation = Count > 1 ? Math.Sqrt(reached.Sum(value => (value - Mean) * (value - Mean)) / (Count - 1)) : 0;
    }

    /// <summary>Numbers that there are.</summary>
    public int Count { get; }

    /// <summary>Seeds without one.</summary>
    public int Missing { get; }

    /// <summary>Of the numbers that there are.</summary>
    public double Mean { get; }

    /// <summary>The sample's (n - 1); 0 for a single number.</summary>
    public double Deviation { get; }

    /// <summary>"7.2 ± 0.7", or "7.2" if the deviation is too small to show, with a word about seeds that have none.</summary>
    /// <param name="format">Of mean and deviation.</param>
    /// <param name="missing">What to say where there is no number.</param>
    public string Format(string format, string missing)
    {
        if (Count == 0) return missing;
        string text = Mean.ToString(format, CultureInfo.InvariantCulture);
        string deviation = Deviation.ToString(format, CultureInfo.InvariantCulture);
        if (deviation != 0.0.ToString(format, CultureInfo.InvariantCulture)) text += $" ± {deviation}";
        return Missing == 0 ? text : $"{text} ({Missing}x {missing})";
    }
}
