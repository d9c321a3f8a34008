using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NativeVaccine.Engine;
using static System.FormattableString;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>The peak resident memory of a process that trains against the plan, which was known before.</summary>
internal static class PeakMemory
{
    /// <summary>The verb with which the program calls itself: one process for each case, as the peak is the process's.</summary>
    public const string ChildVerb = "memory-child";

    private const int Steps = 3;
    private const double Mebibyte = 1 << 20;

    /// <summary>What a child saw.</summary>
    private sealed record Usage(long Planned, long Taken, long Used, long PeakResident);

    public static void Run(ComparisonOptions options)
    {
        if (!OperatingSystem.IsLinux()) throw new InputException("memory reads /proc/self/status; expected Linux");
        var page = new Page("Peak memory against the plan", options.Command);
        TrainingCase bareCase = Bare();
        Usage bare = Child(bareCase);
        double runtime = (bare.PeakResident - bare.Planned) / Mebibyte;
        page.Say(
            Invariant($"Each row is a process of its own that makes the plan, loads weights (which stream through a buffer) and takes ")
            + Invariant($"{Steps} steps; peak is its VmHWM. The bare process does the same with a model of one layer and 16 tokens, ")
            + Invariant($"whose plan is {bare.Planned / Mebibyte:F2} MiB: it peaks at {bare.PeakResident / Mebibyte:F1} MiB, so .NET, the ")
            + Invariant($"program and its buffers take {runtime:F1} MiB, which the third column leaves out."));
        page.Table(
            "case", "plan, MiB", "peak less the bare process, MiB", "difference, MiB", "peak / plan", "took = plan", "used = plan");
        foreach (TrainingCase training in Cases().Where(each => options.Wants(each.Name)))
        {
            Usage usage = Child(training);
            double plan = usage.Planned / Mebibyte;
            double peak = (usage.PeakResident / Mebibyte) - runtime;
            page.Row(
                training.Name,
                Invariant($"{plan:F1}"),
                Invariant($"{peak:F1}"),
                Invariant($"{peak - plan:+0.0;-0.0}"),
                Invariant($"{peak / plan:F3}"),
                usage.Taken == usage.Planned ? "yes" : Invariant($"no: {usage.Taken - usage.Planned:+0;-0} bytes"),
                usage.Used == usage.Planned ? "yes" : Invariant($"no: {usage.Used - usage.Planned:+0;-0} bytes"));
        }
        page.EndTable();
        page.Print();
    }

    /// <summary>Runs the case that <see cref="ComparisonOptions.Only"/> names and prints what it took.</summary>
    public static void RunChild(ComparisonOptions options)
    {
        TrainingCase training = Cases().Append(Bare()).Single(each => each.Name == options.Only);
        using Device device = Device.Open(threads: TrainingCase.Threads);
        using EngineTraining engine = training.CreateEngine(device);
        for (int step = 0; step < Steps; step++) engine.Step();
        (long taken, long used) = engine.Session.Memory;
        Console.WriteLine(JsonSerializer.Serialize(new Usage(engine.Session.Plan.TotalBytes, taken, used, PeakResident())));
    }

    private static IEnumerable<TrainingCase> Cases()
    {
        BenchmarkShape small = BenchmarkShape.Small, large = BenchmarkShape.Large;
        yield return new TrainingCase(small, Trained.AllWeights, TrainingBatch.Equal(small, 16, 48));
        yield return new TrainingCase(large, Trained.Lora, TrainingBatch.Equal(large, 4, 128));
        yield return new TrainingCase(large, Trained.AllWeights, TrainingBatch.Equal(large, 4, 128));
        yield return new TrainingCase(large, Trained.Lora, TrainingBatch.Unequal(large, 16, 24, 192));
    }

    private static TrainingCase Bare()
    {
        BenchmarkShape shape = BenchmarkShape.Small.WithLayers(1);
        return new TrainingCase(shape with { Name = "bare" }, Trained.Lora, TrainingBatch.Equal(shape, 1, 16));
    }

    private static Usage Child(TrainingCase training)
    {
        var options = new ComparisonOptions(ChildVerb, training.Name);
        var start = new ProcessStartInfo(Environment.ProcessPath!, options.Arguments) { RedirectStandardOutput = true };
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return child.ExitCode == 0
            ? JsonSerializer.Deserialize<Usage>(output)!
            : throw new InputException(Invariant($"{training.Name}: the process ended with {child.ExitCode}"));
    }

    /// <summary>VmHWM, which Linux gives in KiB.</summary>
    private static long PeakResident()
    {
        string line = File.ReadLines("/proc/self/status").Single(static each => each.StartsWith("VmHWM:", StringComparison.Ordinal));
        string number = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1];
        return long.Parse(number, CultureInfo.InvariantCulture) * 1024;
    }
}
