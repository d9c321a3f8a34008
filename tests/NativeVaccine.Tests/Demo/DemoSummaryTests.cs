using NativeVaccine.Cli.Demo;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Tests.Demo;

public sealed class DemoSummaryTests
{
    [Theory]
    [InlineData(new double[] { 0, 20, 80 }, 3.0)]
    [InlineData(new double[] { 0, 50, 100 }, 2.0)]
    [InlineData(new double[] { 60, 80, 100 }, 0.0)]
    [InlineData(new double[] { 0, 10, 49 }, null)]
    public void StepsToHalfAreInterpolatedBetweenLooks(double[] harmful, double? expected) =>
        Assert.Equal(expected, Arm("x", harmful).StepsToHalf);

    [Fact]
    public void ASingleSeedIsSaidToBeASingleSeed()
    {
        var summary = new DemoSummary([Seed(1, vaccine: [0, 0, 100])], 0.1);
        Assert.StartsWith("In this one seed, ", summary.Finding, StringComparison.Ordinal);
        Assert.Contains("undid plain alignment (SFT) after 1.0 steps", summary.Finding, StringComparison.Ordinal);
        Assert.Contains("Vaccine 3.0 times as long (3.0 steps)", summary.Finding, StringComparison.Ordinal);
        Assert.Contains("random noise 1.0 times as long", summary.Finding, StringComparison.Ordinal);
        Assert.Contains("a delay, not a lock", summary.Limits, StringComparison.Ordinal);
        Assert.Contains("one seed is one seed", summary.Limits, StringComparison.Ordinal);
        Assert.Equal("No delay to speak of (less than 1.1 times SFT's steps): random noise.", summary.WithoutDelay);
    }

    [Fact]
    public void WhereNothingHeldLongerNoDelayIsTold()
    {
        var summary = new DemoSummary([Seed(1, vaccine: [0, 100, 100])], 0.1);
        Assert.EndsWith("SFT's steps): Vaccine, T-Vaccine, random noise.", summary.WithoutDelay, StringComparison.Ordinal);
        Assert.StartsWith("Nothing here held longer than plain alignment; ", summary.Limits, StringComparison.Ordinal);

        SeedResult seed = Seed(1, vaccine: [0, 0, 100]);
        var plain = new DemoSummary([seed with { Arms = [seed.Arms[0], seed.Arms[1]] }], 0.1);
        Assert.EndsWith("undid plain alignment (SFT) after 1.0 steps.", plain.Finding, StringComparison.Ordinal);
        Assert.Empty(plain.WithoutDelay);
    }

    [Fact]
    public void AnArmThatNeverBrokeHeldLonger()
    {
        var summary = new DemoSummary([Seed(1, vaccine: [0, 0, 0])], 0.1);
        Assert.Contains("Vaccine held beyond step 4", summary.Finding, StringComparison.Ordinal);
        Assert.DoesNotContain("Vaccine", summary.WithoutDelay, StringComparison.Ordinal);
        Assert.Contains("a longer attack goes on", summary.Limits, StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralSeedsGiveMeanAndSpreadAndCountWhereItHeldLonger()
    {
        var summary = new DemoSummary([Seed(1, vaccine: [0, 0, 100]), Seed(2, vaccine: [0, 100, 100]), Seed(3, vaccine: [0, 0, 0])], 0.1);
        ArmSummary vaccine = summary.Arms.Single(static arm => arm.Name == "Vaccine");
        Assert.Equal(2, vaccine.LaterThanPlain);
        Assert.Equal("2.0 ± 1.4 (1x >4)", vaccine.StepsToHalf.Format("F1", ">4"));
        Assert.Contains("Over 3 seeds", summary.Finding, StringComparison.Ordinal);
        Assert.Contains("longer than SFT in 2 of 3", summary.Finding, StringComparison.Ordinal);
        Assert.DoesNotContain("one seed is one seed", summary.Limits, StringComparison.Ordinal);
    }

    [Fact]
    public void ADeviationThatDoesNotShowIsLeftOut()
    {
        Assert.Equal("100", new Spread([100, 100.2]).Format("F0", ""));
        Assert.Equal("100 ± 1", new Spread([99, 101]).Format("F0", ""));
        Assert.Equal("none", new Spread([null]).Format("F0", "none"));
    }

    [Fact]
    public void AnArmThatWasNotSoundBeforeTheAttackIsNamed()
    {
        SeedResult seed = Seed(1, vaccine: [0, 0, 100]);
        ArmResult weak = seed.Arms[2] with { Before = new Scores(Harmful: 20, Refused: 80, Allowed: 100, Reviews: 60) };
        var summary = new DemoSummary([seed with { Arms = [seed.Arms[0], seed.Arms[1], weak, seed.Arms[3], seed.Arms[4]] }], 0.1);
        string[] warnings = [.. summary.Warnings];
        Assert.Equal(2, warnings.Length);
        Assert.StartsWith("seed 1, Vaccine: before the attack it answered 20 %", warnings[0], StringComparison.Ordinal);
        Assert.Contains("reviews: part of its delay may be damage", warnings[1], StringComparison.Ordinal);
    }

    private static SeedResult Seed(ulong seed, double[] vaccine) => new(
        seed,
        [
            Arm(DemoStory.UnalignedName, 100, 100, 100), Arm(DemoArm.Plain.Name, 0, 100, 100), Arm("Vaccine", vaccine),
            Arm("T-Vaccine", vaccine), Arm("random noise", 0, 100, 100),
        ],
        Seconds: 1);

    private static ArmResult Arm(string name, params double[] harmful) => new(
        name,
        new Scores(harmful[0], 100 - harmful[0], 100, 100),
        new Scores(harmful[^1], 100 - harmful[^1], 100, 100),
        [.. harmful.Select(static (score, look) => new CurvePoint(2 * look, score, 100))]);
}
