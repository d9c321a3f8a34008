using NativeVaccine.Cli.Demo;

namespace NativeVaccine.Tests.Demo;

public sealed class CurveChartTests
{
    private static readonly int[] Steps = [0, 2, 4, 6, 8, 10];
    private static readonly (string, IReadOnlyList<double>)[] Curves =
        [("SFT", [0, 4, 30, 58, 96, 100]), ("T-Vaccine", [0, 0, 2, 10, 48, 62])];

    [Fact]
    public void AScreenGetsABarForEveryLook() => Assert.Equal(
        """
        SFT          ▁▁▁▁▃▃▅▅████
        T-Vaccine    ▁▁▁▁▁▁▂▂▄▄▅▅
                     0         10 attack steps

        """.ReplaceLineEndings("\n"),
        CurveChart.Draw(Curves, Steps));

    [Fact]
    public void APipeGetsNumbers() => Assert.Equal(
        """
        attack step     0   2   4   6   8  10
        SFT             0   4  30  58  96 100
        T-Vaccine       0   0   2  10  48  62

        """.ReplaceLineEndings("\n"),
        CurveChart.Tabulate(Curves, Steps));
}
