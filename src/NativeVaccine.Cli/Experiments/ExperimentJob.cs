using System.Text.Json.Nodes;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// A piece of work: a command line of this program whose output depends on what goes into it and on nothing else. Cells that need the same
/// work share it.
/// </summary>
/// <param name="Id">The hash of all that goes in.</param>
/// <param name="Stage">What it is for: a section of the plan, or that with <c>_before</c> for what is measured before the attack.</param>
/// <param name="Verb">The verb, in its words.</param>
/// <param name="Options">Its options without the output, as <c>--name=value</c>; paths in the experiment's folder begin with <see cref="Home"/>.</param>
/// <param name="Output">What it makes, relative to the experiment's folder.</param>
/// <param name="Needs">The jobs whose output goes in.</param>
internal sealed record ExperimentJob(
    string Id, string Stage, IReadOnlyList<string> Verb, IReadOnlyList<string> Options, string Output, IReadOnlyList<string> Needs)
{
    /// <summary>Stands for the experiment's folder, so that it can be moved.</summary>
    public const string Home = "{home}";

    /// <summary>Options that change no number: who changes them goes on with the same work.</summary>
    public static readonly IReadOnlyList<string> ChangeNothing = ["--threads", "--device-memory", "--checkpoint-every"];

    /// <summary>Whether it makes a run folder, and goes on from its checkpoint.</summary>
    public bool IsTraining => Verb is ["align"] or ["finetune"];

    /// <summary>The option that names the output.</summary>
    private string OutputOption => Verb[0] == "evaluate" ? "--json" : "--out";

    /// <summary>What an option is given; null if it is not.</summary>
    /// <param name="option">With its dashes.</param>
    public string? ValueOf(string option) =>
        Options.FirstOrDefault(given => given.StartsWith($"{option}=", StringComparison.Ordinal))?[(option.Length + 1)..];

    /// <summary>The whole command line.</summary>
    /// <param name="home">The experiment's folder.</param>
    public string[] CommandLine(string home) =>
        [.. Verb, .. Options.Select(option => option.Replace(Home, home, StringComparison.Ordinal)), $"{OutputOption}={Path.Combine(home, Output)}"];

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static ExperimentJob Of(JsonNode json) => new(
        (string)json["id"]!, (string)json["stage"]!, Texts(json["verb"]), Texts(json["options"]), (string)json["output"]!, Texts(json["needs"]));

    /// <summary>For the experiment's folder.</summary>
    public JsonObject ToJson() => new()
    {
        ["id"] = Id,
        ["stage"] = Stage,
        ["verb"] = new JsonArray([.. Verb.Select(static word => (JsonNode)word)]),
        ["options"] = new JsonArray([.. Options.Select(static option => (JsonNode)option)]),
        ["output"] = Output,
        ["needs"] = new JsonArray([.. Needs.Select(static need => (JsonNode)need)]),
    };

    private static string[] Texts(JsonNode? json) => [.. json!.AsArray().Select(static text => (string)text!)];
}

/// <summary>A cell of the grid: one arm with one value of each axis.</summary>
/// <param name="Settings">The arm's name and the values' labels, by axis.</param>
/// <param name="Jobs">The job of each stage.</param>
internal sealed record GridCell(IReadOnlyDictionary<string, JsonNode> Settings, IReadOnlyDictionary<string, string> Jobs)
{
    /// <summary>In a line: "T-Vaccine poison_ratio=0.1 seed=3".</summary>
    public string Title => string.Join(' ', Settings.Select(static setting =>
        setting.Key == Axis.Method ? setting.Value.ToString() : $"{setting.Key}={setting.Value}"));

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static GridCell Of(JsonNode json) => new(
        json["settings"]!.AsObject().ToDictionary(static one => one.Key, static one => one.Value!.DeepClone()),
        json["jobs"]!.AsObject().ToDictionary(static one => one.Key, static one => (string)one.Value!));

    /// <summary>For the experiment's folder.</summary>
    public JsonObject ToJson() => new()
    {
        ["settings"] = new JsonObject(Settings.Select(static one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value.DeepClone()))),
        ["jobs"] = new JsonObject(Jobs.Select(static one => KeyValuePair.Create(one.Key, (JsonNode?)one.Value))),
    };
}
