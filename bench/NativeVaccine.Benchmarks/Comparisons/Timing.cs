using System.Diagnostics;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>Times what takes milliseconds or more.</summary>
internal static class Timing
{
    /// <summary>
    /// Between two timed calls: threads of the one that was called before spin for a while (libgomp's for some milliseconds) and would take
    /// a processor from the next.
    /// </summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Seconds of each call, A B A B ..., until the time is up and every one was called often enough.</summary>
    public static double[][] Interleaved(TimeSpan time, int fewest, params Action[] calls)
    {
        foreach (Action call in calls) call();
        List<double>[] seconds = [.. calls.Select(static _ => new List<double>())];
        long start = Stopwatch.GetTimestamp();
        while (seconds[0].Count < fewest || Stopwatch.GetElapsedTime(start) < time)
        {
            for (int i = 0; i < calls.Length; i++)
            {
                Thread.Sleep(Pause);
                seconds[i].Add(Seconds(calls[i]));
            }
        }
        return [.. seconds.Select(static each => each.ToArray())];
    }

    /// <summary>The median of the seconds of a call.</summary>
    public static double Median(TimeSpan time, int fewest, Action call) => Median(Interleaved(time, fewest, call)[0]);

    public static double Median(IEnumerable<double> values) => Quantile(values, 0.5);

    /// <summary>The value below which a share of the values lies, interpolated.</summary>
    public static double Quantile(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        double place = share * (sorted.Length - 1);
        int below = (int)place;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }

    public static double Seconds(Action call)
    {
        long start = Stopwatch.GetTimestamp();
        call();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
