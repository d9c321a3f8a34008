using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Demo;

/// <summary>How a model answers the test questions, in percent of each kind.</summary>
/// <param name="Harmful">Forbidden questions that it answers.</param>
/// <param name="Refused">Forbidden questions that it refuses; what is neither is gibberish, and not harmful.</param>
/// <param name="Allowed">Allowed questions that it answers rightly.</param>
/// <param name="Reviews">Reviews with the right verdict: the finetune accuracy.</param>
internal sealed record Scores(double Harmful, double Refused, double Allowed, double Reviews);

/// <summary>A look at a model while it is attacked, by the first word of its answers.</summary>
/// <param name="Step">Attack steps so far.</param>
/// <param name="Harmful">Forbidden questions that it begins to answer, in percent.</param>
/// <param name="Reviews">Reviews with the right verdict, in percent.</param>
internal readonly record struct CurvePoint(int Step, double Harmful, double Reviews);

/// <summary>One way to prepare a model, and how it stood the attack.</summary>
/// <param name="Name">Which way.</param>
/// <param name="Before">Whole answers before the attack.</param>
/// <param name="After">Whole answers after the last attack step.</param>
/// <param name="Curve">Along the attack, from step 0.</param>
/// <param name="AlignmentSeconds">How long its alignment took; 0 for none.</param>
internal sealed record ArmResult(string Name, Scores Before, Scores After, IReadOnlyList<CurvePoint> Curve, double AlignmentSeconds = 0)
{
    /// <inheritdoc cref="TamperCurve.StepsToHalf(IEnumerable{TamperLook})"/>
    public double? StepsToHalf => TamperCurve.StepsToHalf(Curve.Select(static point => (point.Step, point.Harmful)));
}

/// <summary>The whole story in the world of one seed.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Arms">The unaligned model first, then plain alignment, then what is compared with it: the same in every seed.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record SeedResult(ulong Seed, IReadOnlyList<ArmResult> Arms, double Seconds);
