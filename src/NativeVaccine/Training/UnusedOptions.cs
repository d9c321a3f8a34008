using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>
/// The options that change nothing in a run, given its other ones. config.json leaves them out, and the command line refuses them: a value
/// that is passed over in silence looks as if it had worked.
/// </summary>
public static class UnusedOptions
{
    private static readonly string[] OfAnAdapter = ["lora_rank", "lora_alpha", "lora_targets", "dropout", "init_adapter"];
    private static readonly string[] OfLooks = ["tamper_every", "tamper_rules", "tamper_new_tokens", "track_drift"];

    /// <summary>Their names in config.json, each with the reason: "is not used by sft; vaccine, tvaccine use it".</summary>
    public static IReadOnlyDictionary<string, string> Of(TrainingOptions options)
    {
        var unused = new Dictionary<string, string>(StringComparer.Ordinal);
        if (MethodCatalog.Find(options.Method) is { } method)
        {
            foreach (string name in MethodCatalog.OptionNames)
            {
                if (!Uses(method, name)) unused.Add(name, WhyNotOf(method, name));
            }
            if (method.Pairs is { } pairs) unused.Add("data", $"is not used by {method.Name}, which takes {pairs.CommandLineName}");
        }
        if (options.Full)
        {
            foreach (string name in OfAnAdapter) unused.Add(name, "is not used with --full, which trains no adapter");
        }
        if (options.Schedule == ScheduleKind.Constant) unused.Add("warmup_ratio", "is not used by --schedule constant");
        if (options.Stage == TrainingStage.Align)
        {
            foreach (string name in OfLooks.Prepend("tamper_prompts")) unused.Add(name, "is not used by align; finetune uses it");
        }
        else if (options.TamperPrompts is null)
        {
            foreach (string name in OfLooks) unused.Add(name, "is not used without --tamper-prompts");
        }
        return unused;
    }

    /// <summary>Why a method does not take an option of others: "is not used by sft; vaccine, tvaccine use it".</summary>
    internal static string WhyNotOf(MethodInfo method, string name) => $"is not used by {method.Name}; {UsersOf(name)}";

    private static bool Uses(MethodInfo method, string name) => method.Options.Any(option => option.Name == name);

    private static string UsersOf(string name)
    {
        string[] users = [.. MethodCatalog.All.Where(method => Uses(method, name)).Select(static method => method.Name)];
        return $"{string.Join(", ", users)} {(users.Length == 1 ? "uses" : "use")} it";
    }
}
