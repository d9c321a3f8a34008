using NativeVaccine.Benchmarks.Comparisons;
using static System.FormattableString;

namespace NativeVaccine.LlamaCpp;

/// <summary>Something that both do, in turns.</summary>
/// <param name="Name">What the table calls it.</param>
/// <param name="Unit">Of what it counts.</param>
/// <param name="Prompts">What is continued.</param>
/// <param name="AtATime">Sequences at a time.</param>
/// <param name="NewTokens">By so many.</param>
/// <param name="Rate">How fast that was.</param>
internal sealed record Case(string Name, string Unit, int[][] Prompts, int AtATime, int NewTokens, Func<Generation, double> Rate)
{
    private const int PromptLength = 32, NewTokensAtATime = 32, TrialTokens = 8, WholePrompts = 100;

    /// <summary>What the verbs take for a model of this size (PreparedPrompts).</summary>
    private const int OursAtATime = 64;

    /// <summary>Between turns: threads of the one that ran before spin for a while and would take a processor from the other.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public bool IsWhole { get; private init; }

    public static IEnumerable<Case> All =>
    [
        Decoding(1),
        Decoding(8),
        Decoding(32),
        Reading("prompt of 512", RandomPrompts.Equal(1, 512)),
        Reading("prompts, 8 of 64", RandomPrompts.Equal(8, 64)),
        Reading("prompts, 32 of 16 to 128", RandomPrompts.Unequal(32, 16, 128)),
        new("whole: load, 100 prompts of 16 to 128, 64 new each", "s", RandomPrompts.Unequal(WholePrompts, 16, 128), 32, 64, static _ => 0)
        {
            IsWhole = true,
        },
    ];

    private static Case Decoding(int sequences) => new(
        Invariant($"decoding, {sequences} at a time"),
        "tokens/s",
        RandomPrompts.Equal(sequences, PromptLength),
        sequences,
        NewTokensAtATime,
        run => sequences * (NewTokensAtATime - 1) / run.DecodingSeconds);

    private static Case Reading(string name, int[][] prompts) =>
        new(name, "tokens/s", prompts, prompts.Length, 1, run => prompts.Sum(static prompt => prompt.Length) / run.PromptSeconds);

    /// <summary>Adds a row: medians of turns A B A B, and of the ratios of the pairs.</summary>
    public void Measure(ModelFiles files, Page page, int threads, int pairs)
    {
        LlamaCppSettings settings = Fastest(files, threads);
        using ITextGenerator? theirs = IsWhole ? null : Theirs(files, threads, settings);
        using ITextGenerator? ours = IsWhole ? null : Ours(files, threads);
        var their = new List<double>();
        var our = new List<double>();
        for (int pair = IsWhole ? 0 : -1; pair < pairs; pair++)
        {
            double a = Turn(theirs, () => Theirs(files, threads, settings)), b = Turn(ours, () => Ours(files, threads));
            if (pair < 0) continue; // warming up
            their.Add(a);
            our.Add(b);
        }
        double[] ratios = [.. their.Zip(our, (a, b) => IsWhole ? a / b : b / a)];
        string Number(List<double> values) => Invariant($"{Timing.Median(values):G4} {Unit}");
        page.Row(
            Name,
            Number(their),
            Number(our),
            Invariant($"**{Timing.Median(ratios):F2}**"),
            Invariant($"{ratios.Min():F2}"),
            Invariant($"{ratios.Max():F2}"),
            settings.ToString());
    }

    private double Turn(ITextGenerator? loaded, Func<ITextGenerator> load)
    {
        Thread.Sleep(Pause);
        if (loaded is not null) return Rate(loaded.Generate(Prompts, NewTokens));
        TimeSpan start = Clock.Now;
        using ITextGenerator generator = load();
        generator.Generate(Prompts, NewTokens);
        return Clock.SecondsSince(start);
    }

    /// <summary>How llama.cpp is fastest here; looked for with as many prompts as go together, and not many new tokens.</summary>
    private LlamaCppSettings Fastest(ModelFiles files, int threads) => Candidates().MinBy(settings =>
    {
        using LlamaCppGenerator generator = Theirs(files, threads, settings);
        Generation run = generator.Generate(Prompts[..settings.Slots], Math.Min(NewTokens, TrialTokens));
        double seconds = NewTokens > 1 && !IsWhole ? run.DecodingSeconds : run.PromptSeconds + run.DecodingSeconds;
        Console.Error.WriteLine(Invariant($"  {settings}: {seconds / settings.Slots:F3} s a prompt"));
        return seconds / settings.Slots;
    })!;

    private IEnumerable<LlamaCppSettings> Candidates() => IsWhole
        ? new[] { AtATime, Prompts.Length }.SelectMany(LlamaCppSettings.All).Where(static each => each.IsHalf)
        : LlamaCppSettings.All(AtATime);

    private LlamaCppGenerator Theirs(ModelFiles files, int threads, LlamaCppSettings settings) =>
        new(files.Gguf, threads, Prompts.Max(static prompt => prompt.Length) + NewTokens, settings);

    private OurGenerator Ours(ModelFiles files, int threads) =>
        new(files.Folder, threads, IsWhole ? Math.Min(Prompts.Length, OursAtATime) : AtATime, Prompts, NewTokens);
}
