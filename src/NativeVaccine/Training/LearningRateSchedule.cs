namespace NativeVaccine.Training;

/// <summary>How the learning rate goes over a run.</summary>
public enum ScheduleKind
{
    /// <summary>Rises linearly, then falls along half a cosine to 0.</summary>
    Cosine,

    /// <summary>Rises linearly, then falls linearly to 0.</summary>
    Linear,

    /// <summary>Rises linearly, then stays.</summary>
    ConstantWithWarmup,

    /// <summary>Stays; the warm-up is not looked at.</summary>
    Constant,
}

/// <summary>The learning rate of every step: a pure function, as the schedulers of transformers compute it.</summary>
public sealed class LearningRateSchedule
{
    private readonly ScheduleKind kind;
    private readonly double peak;
    private readonly int totalSteps;

    /// <summary>A schedule over a run.</summary>
    /// <param name="kind">Its form.</param>
    /// <param name="peak">The highest learning rate.</param>
    /// <param name="warmupRatio">Share of the steps in which it rises, rounded up to whole steps.</param>
    /// <param name="totalSteps">Optimizer steps of the run.</param>
    public LearningRateSchedule(ScheduleKind kind, double peak, double warmupRatio, int totalSteps)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(totalSteps);
        (this.kind, this.peak, this.totalSteps) = (kind, peak, totalSteps);
        WarmupSteps = kind == ScheduleKind.Constant ? 0 : (int)Math.Ceiling(warmupRatio * totalSteps);
    }

    /// <summary>W: in steps 0 to W - 1 the rate rises; it is 0 in the first.</summary>
    public int WarmupSteps { get; }

    /// <summary>The learning rate of a step, from 0.</summary>
    public double At(int step)
    {
        if (step < WarmupSteps) return peak * ((double)step / WarmupSteps);
        double progress = (double)(step - WarmupSteps) / Math.Max(1, totalSteps - WarmupSteps);
        return kind switch
        {
            ScheduleKind.Cosine => peak * Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * progress))),
            ScheduleKind.Linear => peak * Math.Max(0, 1 - progress),
            _ => peak,
        };
    }
}
