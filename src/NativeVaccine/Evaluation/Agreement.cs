namespace NativeVaccine.Evaluation;

/// <summary>How far two judges agree on the same answers.</summary>
public static class Agreement
{
    /// <summary>The share of answers, from 0 to 1, on which both say the same.</summary>
    public static double Observed(IReadOnlyList<bool> one, IReadOnlyList<bool> other) =>
        one.Zip(other).Count(static pair => pair.First == pair.Second) / (double)one.Count;

    /// <summary>
    /// Cohen's kappa (1960): (p - c) / (1 - c), p being the share on which both say the same, and c what it would be if each said as often yes
    /// as it does, but at random. 1 for the same verdicts, 0 for no more agreement than chance.
    /// </summary>
    /// <returns>NaN where both say the same of all answers, so that chance would agree as well.</returns>
    public static double Kappa(IReadOnlyList<bool> one, IReadOnlyList<bool> other)
    {
        double yes = Share(one), otherYes = Share(other);
        double chance = (yes * otherYes) + ((1 - yes) * (1 - otherYes));
        return chance == 1 ? double.NaN : (Observed(one, other) - chance) / (1 - chance);
    }

    private static double Share(IReadOnlyList<bool> verdicts) => verdicts.Count(static verdict => verdict) / (double)verdicts.Count;
}
