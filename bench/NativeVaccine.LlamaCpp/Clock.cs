namespace NativeVaccine.LlamaCpp;

/// <summary>
/// Time as both programs are charged for it: of one thread its processor time, which busy neighbours lengthen little; of several the wall
/// clock's, since waiting for one another is part of it.
/// </summary>
internal static class Clock
{
    public static int Threads { get; set; } = 2;

    public static TimeSpan Now =>
        Threads == 1 ? Environment.CpuUsage.TotalTime : TimeSpan.FromMicroseconds(System.Diagnostics.Stopwatch.GetElapsedTime(0).TotalMicroseconds);

    public static double SecondsSince(TimeSpan start) => (Now - start).TotalSeconds;
}
