namespace NativeVaccine.Training;

/// <summary>
/// When a run looks at its model: before the first step, after the last one, and between them after every so many steps; or, where no number
/// is given, as soon as the looks take no more than a share of the run's time.
/// </summary>
/// <param name="every">Steps from look to look; 0 for as often as the time allows.</param>
internal sealed class LookPause(int every)
{
    /// <summary>The largest part of the time of steps and looks that looks may take.</summary>
    public const double LargestShare = 0.05;

    private double steps;
    private double sinceLook;
    private double looks;
    private double longest;
    private int count;

    /// <summary>A step was taken.</summary>
    public void AddStep(double seconds)
    {
        steps += seconds;
        sinceLook += seconds;
    }

    /// <summary>The run got ready for looking.</summary>
    public void AddPreparation(double seconds) => looks += seconds;

    /// <summary>The run has looked.</summary>
    public void AddLook(double seconds)
    {
        looks += seconds;
        sinceLook = 0;
        // The first one warms up; once there is a second it says nothing of the next.
        longest = ++count <= 2 ? seconds : Math.Max(longest, seconds);
    }

    /// <summary>True if the run looks after so many of its steps.</summary>
    public bool IsDue(int step, int totalSteps)
    {
        if (step == 0 || step == totalSteps) return true;
        if (every > 0) return step % every == 0;
        // What a slow first look left over is not spent step after step.
        if (longest > LargestShare * (sinceLook + longest)) return false;
        // The look after the last step comes in any case.
        double withBoth = looks + (2 * longest);
        return withBoth <= LargestShare * (steps + withBoth);
    }
}
