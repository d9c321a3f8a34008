using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeVaccine.Benchmarks.Comparisons;

/// <summary>Samples of this process by Linux perf: which function ran, in per cent of the processor time of all threads.</summary>
internal sealed partial class PerfSamples
{
    /// <summary>Kinds of work by the functions that do it; the first match counts.</summary>
    private static readonly (string Kind, Regex Functions)[] Kinds =
    [
        ("matrix products: packing", Packing()),
        ("matrix products: multiplying", Multiplying()),
        ("attention", Attention()),
        ("loss", Loss()),
        ("maxima of rows, in attention and loss", Maxima()),
        ("AdamW, clipping, zeroing gradients", Update()),
        ("norms, rotary, SwiGLU, adds, copies, embedding", Elementwise()),
        ("threads waiting for each other", Waiting()),
        ("other parts of the engine", Engine()),
    ];

    private readonly List<(string Function, double Share)> samples;

    private PerfSamples(List<(string Function, double Share)> samples) => this.samples = samples;

    /// <summary>Repeats a call for some time and samples it; null where perf does not work.</summary>
    public static PerfSamples? Take(TimeSpan time, Action call)
    {
        string file = Path.GetTempFileName();
        try
        {
            using Process? recorder = Start(
                "perf", "record", "-q", "-e", "cpu-clock", "-F", "999", "-o", file,
                "-p", Environment.ProcessId.ToString(CultureInfo.InvariantCulture),
                "--", "sleep", ((int)time.TotalSeconds).ToString(CultureInfo.InvariantCulture));
            if (recorder is null) return null;
            while (!recorder.HasExited) call();
            return recorder.ExitCode == 0 ? Read(file) : null;
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>Shares of the kinds of work, largest first.</summary>
    public IEnumerable<(string Kind, double Share)> ByKind() => samples
        .GroupBy(static sample => Kinds.FirstOrDefault(kind => kind.Functions.IsMatch(sample.Function)).Kind ?? "system, .NET")
        .Select(static group => (group.Key, group.Sum(static sample => sample.Share)))
        .OrderByDescending(static each => each.Item2);

    /// <summary>The functions with the largest shares.</summary>
    public IEnumerable<(string Function, double Share)> Largest(int count) => samples
        .GroupBy(static sample => Short(sample.Function))
        .Select(static group => (group.Key, group.Sum(static sample => sample.Share)))
        .OrderByDescending(static each => each.Item2)
        .Take(count);

    private static PerfSamples? Read(string file)
    {
        using Process? report = Start("perf", "report", "-q", "-i", file, "--stdio", "-g", "none", "--sort", "symbol", "-t", "|");
        if (report is null) return null;
        var samples = new List<(string, double)>();
        foreach (string line in report.StandardOutput.ReadToEnd().Split('\n'))
        {
            string[] parts = line.Split('|');
            if (parts.Length < 2) continue;
            if (double.TryParse(parts[0].Trim(' ', '%'), NumberStyles.Float, CultureInfo.InvariantCulture, out double share))
                samples.Add((parts[1].Trim(), share));
        }
        return samples.Count > 0 ? new PerfSamples(samples) : null;
    }

    private static Process? Start(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (Win32Exception)
        {
            return null; // not installed
        }
    }

    /// <summary>A name without its arguments and the part that all share.</summary>
    private static string Short(string function)
    {
        string name = Prefix().Replace(function, "");
        Match loop = Loop().Match(name);
        if (loop.Success) return $"tasks of {loop.Groups[1].Value}";
        int arguments = name.IndexOf('(', StringComparison.Ordinal);
        return arguments > 0 ? name[..arguments] : name;
    }

    [GeneratedRegex(@"^\[[.k]\] |vaccine::ops::|vaccine::|\(anonymous namespace\)::|^void |^auto |^double ")]
    private static partial Regex Prefix();

    [GeneratedRegex(@"parallel_for<(?:for_ranges<)?([\w:]+)")]
    private static partial Regex Loop();

    [GeneratedRegex(@"::pack\b|pack_shared|pack_a|pack_b|transpose<|pack_transpose")]
    private static partial Regex Packing();

    [GeneratedRegex(@"::tile\b|::tile_of<|Multiplication|turned_tile")]
    private static partial Regex Multiplying();

    [GeneratedRegex(@"attention|product_panel|::product\b|exp_in_place|::dots\b|::transpose(?!<)")]
    private static partial Regex Attention();

    [GeneratedRegex(@"cross_entropy|sum_of_exp|scaled_exp")]
    private static partial Regex Loss();

    [GeneratedRegex(@"::largest\b")]
    private static partial Regex Maxima();

    [GeneratedRegex(@"adamw|::dot\b|sum_of_pieces|fill_zero|memset")]
    private static partial Regex Update();

    [GeneratedRegex(@"rmsnorm|rope|::rotate|swiglu|axpy|convert|copy|embedding|gather_rows|scatter|::scale\b|sum_rows|multiply_add")]
    private static partial Regex Elementwise();

    [GeneratedRegex(@"ThreadPool::(wait|help|run|enter|leave|work)|futex|pthread_cond|pthread_mutex|relax")]
    private static partial Regex Waiting();

    [GeneratedRegex("vaccine::|vaccine_")]
    private static partial Regex Engine();
}
