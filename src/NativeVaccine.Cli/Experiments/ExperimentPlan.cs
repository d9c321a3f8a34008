using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.IO;
using NativeVaccine.Reporting;

namespace NativeVaccine.Cli.Experiments;

/// <summary>One way of preparing a model, as a plan names it.</summary>
/// <param name="Name">As tables call it.</param>
/// <param name="Method">The method of its alignment; null for a model that is attacked as it is.</param>
/// <param name="Continues">The arm whose adapter it continues; null for a fresh one.</param>
/// <param name="Options">Options of <c>align</c> that only this arm has.</param>
internal sealed record Arm(string Name, string? Method, string? Continues, JsonObject Options);

/// <summary>Something that is varied.</summary>
/// <param name="Name">By which <c>{name}</c> in the plan takes its value.</param>
/// <param name="Values">A number or text each, or an object with a <c>name</c> and whatever goes with it (<c>{name.field}</c>).</param>
internal sealed record Axis(string Name, IReadOnlyList<JsonNode> Values)
{
    /// <summary>The axis whose values are repetitions of one thing: tables have their mean and spread.</summary>
    public const string Seed = ExperimentResults.SeedAxis;

    /// <summary>The axis of the arms.</summary>
    public const string Method = ExperimentResults.MethodAxis;

    /// <summary>What a table says of a value.</summary>
    public static JsonNode LabelOf(JsonNode value) => (value is JsonObject named ? named["name"]! : value).DeepClone();
}

/// <summary>
/// A plan file: a grid of arms and axes, and the options of each stage, in which <c>{axis}</c> stands for the axis's value. docs/experiments.md
/// tells its fields.
/// </summary>
internal sealed class ExperimentPlan
{
    /// <summary>The stages whose options a plan gives, by the name of their field.</summary>
    public static readonly IReadOnlyList<string> Sections = ["world", "mix", "align", "attack", "harmful", "accuracy", "capability"];

    private static readonly string[] Known = ["name", "about", "arms", "baseline", "axes", "all", .. Sections];
    private static readonly string[] OfAnArm = ["name", "method", "continues"];
    private readonly JsonObject root;

    private ExperimentPlan(string path, JsonObject root)
    {
        (Path, this.root) = (System.IO.Path.GetFullPath(path), root);
        foreach (string field in root.Select(static field => field.Key))
        {
            if (!Known.Contains(field)) throw Wrong($"field '{field}' is unknown: expected some of {string.Join(", ", Known)}");
        }
        Name = Text(root, "name") ?? System.IO.Path.GetFileNameWithoutExtension(path);
        Arms = ReadArms();
        Axes = ReadAxes();
        Baseline = Text(root, "baseline") ?? Arms.FirstOrDefault(static arm => arm.Method == "sft")?.Name ?? Arms[0].Name;
        if (Arms.All(arm => arm.Name != Baseline)) throw Wrong($"baseline {InputText.Quote(Baseline)} is no arm");
        if (Section("attack") is null) throw Wrong("no attack: expected an object with options of nvaccine finetune");
        if (Section("harmful") is null && Section("accuracy") is null && Section("capability") is null)
            throw Wrong("nothing is measured: expected harmful, accuracy or capability, an object with options of nvaccine evaluate");
        RequireUsedAxes();
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Paths in the plan are relative to this folder.</summary>
    public string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>What the experiment is called.</summary>
    public string Name { get; }

    /// <summary>The ways that are compared.</summary>
    public IReadOnlyList<Arm> Arms { get; }

    /// <summary>The arm that the others are compared with.</summary>
    public string Baseline { get; }

    /// <summary>What is varied beside the arms.</summary>
    public IReadOnlyList<Axis> Axes { get; }

    /// <summary>Reads a plan.</summary>
    /// <exception cref="InputException">It cannot be read, or says something that cannot be done.</exception>
    public static ExperimentPlan Read(string path) => Parse(InputFile.ReadText(path), path);

    /// <summary>Reads the text of a plan.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="path">Where it is from: paths in it are relative to that folder.</param>
    /// <exception cref="InputException">As <see cref="Read"/>.</exception>
    public static ExperimentPlan Parse(ReadOnlyMemory<byte> utf8, string path)
    {
        using JsonDocument document = JsonFile.ParseObject(utf8, path);
        return new ExperimentPlan(path, JsonObject.Create(document.RootElement.Clone())!);
    }

    /// <summary>The options of a stage; null if the plan does not have it.</summary>
    public JsonObject? Section(string name) => root[name] switch
    {
        null => null,
        JsonObject section => section,
        _ => throw Wrong($"field '{name}' is no object: expected options by name"),
    };

    /// <summary>Options that every verb takes that has them.</summary>
    public JsonObject Common => Section("all") ?? [];

    /// <summary>The plan's refusal.</summary>
    public InputException Wrong(string what) => new($"{Path}: {what}");

    private Arm[] ReadArms()
    {
        if (root["arms"] is not JsonArray { Count: > 0 } list) throw Wrong("no arms: expected a list of objects, each with name and method");
        var arms = new List<Arm>();
        foreach ((int index, JsonNode? item) in list.Index())
        {
            if (item is not JsonObject one) throw Wrong(FormattableString.Invariant($"arms[{index}] is no object: expected name and method"));
            string? method = Text(one, "method");
            string name = Text(one, "name") ?? method ?? throw Wrong(FormattableString.Invariant($"arms[{index}] has neither name nor method"));
            string? continues = Text(one, "continues");
            if (arms.Any(arm => arm.Name == name)) throw Wrong($"two arms are called {InputText.Quote(name)}");
            if (continues is not null && arms.All(arm => arm.Name != continues || arm.Method is null))
                throw Wrong($"arm {InputText.Quote(name)} continues {InputText.Quote(continues)}: expected an aligned arm that stands before it");
            var options = new JsonObject(one.Where(static field => !OfAnArm.Contains(field.Key)).Select(Copy));
            if (method is null && options.Count > 0) throw Wrong($"arm {InputText.Quote(name)} has options but no method");
            arms.Add(new Arm(name, method, continues, options));
        }
        return [.. arms];
    }

    private Axis[] ReadAxes()
    {
        JsonObject axes = Section("axes") ?? [];
        return [.. axes.Select(axis =>
        {
            if (axis.Key == Axis.Method) throw Wrong($"axis '{Axis.Method}' is that of the arms");
            if (axis.Value is not JsonArray { Count: > 0 } values) throw Wrong($"axis '{axis.Key}' is no list: expected at least one value");
            JsonNode[] all = [.. values.Select(value => value switch
            {
                JsonObject named when named["name"] is JsonValue => (JsonNode)named,
                JsonValue simple => simple,
                _ => throw Wrong($"axis '{axis.Key}' has {value?.ToJsonString() ?? "null"}: expected numbers, texts, or objects with a name"),
            })];
            string[] labels = [.. all.Select(static value => Axis.LabelOf(value).ToJsonString())];
            if (labels.Distinct().Count() < labels.Length) throw Wrong($"axis '{axis.Key}' has a value twice");
            return new Axis(axis.Key, all);
        })];
    }

    /// <summary>An axis that nothing uses would repeat the same work under different names.</summary>
    private void RequireUsedAxes()
    {
        string[] used = [.. Sections.Select(name => root[name]).Append(root["all"]).Append(root["arms"]).OfType<JsonNode>()
            .SelectMany(Placeholder.NamesIn).Distinct()];
        foreach (Axis axis in Axes)
        {
            if (!used.Contains(axis.Name)) throw Wrong($"axis '{axis.Name}' changes nothing: expected {{{axis.Name}}} in an option");
        }
    }

    private string? Text(JsonObject from, string field) => from[field] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) && text.Length > 0 => text,
        _ => throw Wrong($"field '{field}' is {from[field]!.ToJsonString()}: expected a text"),
    };

    private static KeyValuePair<string, JsonNode?> Copy(KeyValuePair<string, JsonNode?> field) => new(field.Key, field.Value?.DeepClone());
}
