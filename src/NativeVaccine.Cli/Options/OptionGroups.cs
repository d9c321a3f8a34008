using NativeVaccine.Methods;

namespace NativeVaccine.Cli.Options;

/// <summary>
/// The groups in which help shows options, in its order, with the names of their options. A name means the same wherever it is an option;
/// a test fails for one that has no group.
/// </summary>
internal static class OptionGroups
{
    /// <summary>A heading, and the options under it in their order.</summary>
    public static IReadOnlyList<(string Heading, string[] Options)> All { get; } =
    [
        ("Model", ["--model", "--shape", "--adapter", "--run", "--init-adapter"]),
        ("Data",
        [
            "--from", "--field", "--split", "--only", "--as", "--skip", "--limit", "--unique", "--strict", "--against", "--benign", "--harmful", "--ratio", "--count",
            "--data", "--dev", .. OfMethods(isPool: true), "--prompt", "--prompts", "--answers", "--text", "--file", "--template", "--form", "--shots",
            "--labels", "--max-length", "--rules", "--judge", "--judge-template", "--replay",
        ]),
        ("Method", ["--method", "--methods", "--preset", .. OfMethods(isPool: false)]),
        ("Training",
        [
            "--epochs", "--batch", "--accumulate", "--loss-mean", "--learning-rate", "--schedule", "--warmup-ratio", "--weight-decay",
            "--beta1", "--beta2", "--adam-epsilon", "--clip", "--seed", "--seeds", "--poison-ratio", "--checkpoint-every", "--resume", "--full",
        ]),
        ("LoRA", ["--lora-rank", "--lora-alpha", "--lora-targets", "--dropout"]),
        ("Answers", ["--generator", "--max-new-tokens", "--temperature", "--top-k", "--top-p", "--repetition-penalty"]),
        ("Measuring", ["--tamper-prompts", "--tamper-every", "--tamper-rules", "--tamper-new-tokens", "--track-drift", "--steps", "--warm-up", "--no-estimate"]),
        ("Device", ["--device", "--threads", "--precision", "--gemm", "--device-memory"]),
        ("Scheduler", ["--slurm", "--sbatch-options", "--dry-run"]),
        ("Output", ["--out", "--world-only", "--pictures", "--dtype", "--json"]),
        (General, ["--config", "--verbose", "--help", "--version"]),
    ];

    /// <summary>The last heading.</summary>
    public const string General = "General";

    private static IEnumerable<string> OfMethods(bool isPool) => MethodCatalog.All.SelectMany(static method => method.Options)
        .Where(option => option is PoolOption == isPool).Select(static option => option.CommandLineName).Distinct();

    /// <summary>The heading of an option; null for one that has none yet.</summary>
    public static string? Of(string option)
    {
        foreach ((string heading, string[] options) in All)
        {
            if (options.Contains(option)) return heading;
        }
        return null;
    }
}
