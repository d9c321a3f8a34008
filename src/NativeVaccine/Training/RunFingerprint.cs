using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Methods;
using NativeVaccine.Models;

namespace NativeVaccine.Training;

/// <summary>
/// Everything that a run's numbers depend on, part by part, by which a resumed run knows that it is still the same: options by their values,
/// files and data by a hash. What changes no number (threads, memory, checkpoints) is not in it.
/// </summary>
public static class RunFingerprint
{
    /// <summary>Raised by hand whenever a change of this program moves the numbers of a run.</summary>
    public const int Revision = 3;

    /// <summary>
    /// Options that change no number: where things lie (what lies there is hashed), how the defaults of others were chosen, how fast and
    /// how safely the run goes, and how often it is looked at.
    /// </summary>
    private static readonly string[] Free =
    [
        "stage", "preset", "versions", "model", "adapter", "data", "replay", "init_adapter", "threads", "device_memory",
        "checkpoint_every", "tamper_prompts", "tamper_rules", "tamper_every",
    ];

    /// <summary>The parts of a run.</summary>
    /// <param name="options">Its options.</param>
    /// <param name="data">What it learns from.</param>
    /// <param name="files">Hashes of the files that it was opened from, by what they are: "the model's weights".</param>
    public static IReadOnlyDictionary<string, string> Of(
        TrainingOptions options, TrainingData data, IReadOnlyDictionary<string, string> files)
    {
        var parts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        MethodInfo method = MethodCatalog.Require(options.Method);
        HashSet<string> pools = [.. method.Pools.Select(static pool => pool.Name)];
        foreach ((string name, JsonNode? value) in TrainingOptionsJson.Fields(options))
        {
            if (!Free.Contains(name) && !pools.Contains(name)) parts[name] = value?.ToJsonString().Trim('"') ?? "none";
        }
        // Which of several GPUs it is changes nothing.
        parts["device"] = options.Device.Split(':')[0];
        parts["the program's revision"] = Revision.ToString(CultureInfo.InvariantCulture);
        foreach ((string name, string hash) in files) parts[name] = hash;
        parts["the training data"] = Hash(data.Samples);
        foreach ((SampleKind kind, SamplePool pool) in data.Pools) parts[$"the {kind.Word()} data"] = Hash(pool.Samples);
        // They change nothing that is trained, but the looks of a run are to be of one thing.
        if (data.TamperPrompts is { } prompts) (parts["the tamper prompts"], parts["the tamper rules"]) = (prompts.Hash, prompts.Rules.Hash);
        if (data.Replay is { } replay) parts["the replay file"] = Hash(replay, method);
        return parts;
    }

    /// <summary>
    /// A hash of the fields of config.json that a run computes with, however they are written. The type that it names is not among them (the
    /// tensors' own counts), nor are the tokens that begin and end a text (the samples have them) and the positions (nothing but told).
    /// </summary>
    internal static string Hash(ModelConfiguration configuration)
    {
        ModelConfiguration read = configuration with
        {
            SourceJson = null,
            StoredType = ElementType.Float32,
            BeginOfSequenceId = null,
            EndOfSequenceIds = [],
            MaximumPositions = 1,
        };
        return Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(read.ToJson())));
    }

    /// <summary>What differs between two runs: "learning_rate (0.001, now 0.01)", "the model's weights"; empty if nothing does.</summary>
    /// <param name="before">The run as it began.</param>
    /// <param name="now">The run as it would go on.</param>
    public static IReadOnlyList<string> Changes(IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> now)
    {
        var changes = new List<string>();
        foreach (string name in before.Keys.Union(now.Keys).Order(StringComparer.Ordinal))
        {
            (string? old, string? current) = (before.GetValueOrDefault(name), now.GetValueOrDefault(name));
            if (old == current) continue;
            bool isHash = name.StartsWith("the ", StringComparison.Ordinal) && name != "the program's revision";
            changes.Add(isHash ? name : $"{name} ({IO.InputText.Shorten(old ?? "none")}, now {current ?? "none"})");
        }
        return changes;
    }

    private static string Hash(IReadOnlyList<Sample> samples)
    {
        var hash = new XxHash128();
        foreach (Sample sample in samples)
        {
            Append(hash, [sample.InputIds.Length, .. sample.PartLengths]);
            Append(hash, sample.InputIds);
            Append(hash, sample.Labels);
            if (sample.Refuses is { } refuses) Append(hash, [.. refuses.Select(static refused => refused ? 1 : 0)]);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static string Hash(IReadOnlyList<ReplayStep> steps, MethodInfo method)
    {
        using var lines = new MemoryStream();
        foreach (ReplayStep step in steps) ReplayFile.Write(lines, step, method);
        return Convert.ToHexStringLower(XxHash128.Hash(lines.GetBuffer().AsSpan(0, (int)lines.Length)));
    }

    private static void Append(XxHash128 hash, ReadOnlySpan<int> numbers) => hash.Append(MemoryMarshal.AsBytes(numbers));
}
