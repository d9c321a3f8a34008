using NativeVaccine.Evaluation;

namespace NativeVaccine.Tests.Evaluation;

public sealed class BootstrapTests
{
    [Fact]
    public void AShareHasTheIntervalOfTheBinomialDistribution()
    {
        // 300 of 500: 0.6 within 1.96 standard deviations of sqrt(0.6 * 0.4 / 500) = 0.0219.
        Interval interval = Bootstrap.OfShare(Enumerable.Range(0, 500).Select(static i => i < 300));
        Assert.Equal(0.557, interval.Low, 0.006);
        Assert.Equal(0.643, interval.High, 0.006);
        Assert.Equal(interval, Bootstrap.OfShare(Enumerable.Range(0, 500).Select(static i => i < 300)));
    }

    [Fact]
    public void WhereAllAreTheSameThereIsNothingToDoubt()
    {
        Assert.Equal(new Interval(1, 1), Bootstrap.OfShare(Enumerable.Repeat(true, 20)));
        Assert.True(double.IsNaN(Bootstrap.OfMean([]).Low));
    }

    [Fact]
    public void KappaIsThatOfAWorkedExample()
    {
        // Of 50, both say yes to 20 and no to 15; one alone yes to 5, the other alone to 10: 0.7 observed, 0.5 by chance.
        bool[] one = [.. Verdicts((20, true), (5, true), (10, false), (15, false))];
        bool[] other = [.. Verdicts((20, true), (5, false), (10, true), (15, false))];
        Assert.Equal(0.7, Agreement.Observed(one, other), 1e-12);
        Assert.Equal(0.4, Agreement.Kappa(one, other), 1e-12);
        Assert.Equal(1, Agreement.Kappa(one, one), 1e-12);
        Assert.Equal(-1, Agreement.Kappa([true, false], [false, true]), 1e-12);
        Assert.True(double.IsNaN(Agreement.Kappa([true, true], [true, true])));
    }

    private static IEnumerable<bool> Verdicts(params (int Count, bool Value)[] runs) =>
        runs.SelectMany(static run => Enumerable.Repeat(run.Value, run.Count));
}
