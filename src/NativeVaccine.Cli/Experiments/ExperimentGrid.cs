using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Evaluation;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Experiments;

/// <summary>Makes cells and jobs of a plan.</summary>
internal sealed class ExperimentGrid
{
    /// <summary>What is measured, before the attack and after it.</summary>
    private static readonly string[] Measured = ["harmful", "accuracy", "capability"];

    /// <summary>Options that a run keeps for those after it; a model that was never aligned has no run.</summary>
    private static readonly string[] KeptByARun = ["model", "template", "labels", "max_length"];

    private readonly ExperimentPlan plan;
    private readonly VerbLine verbs;
    private readonly ContentHash hashes;
    private readonly Dictionary<string, ExperimentJob> jobs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ExperimentJob> makers = new(StringComparer.Ordinal);
    private readonly List<ExperimentJob> inOrder = [];

    private ExperimentGrid(ExperimentPlan plan, RootCommand root, ContentHash hashes) =>
        (this.plan, verbs, this.hashes) = (plan, new VerbLine(plan, root), hashes);

    /// <summary>Makes the experiment of a plan.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="root">The program's verbs, whose options the plan's fields are.</param>
    /// <param name="hashes">Of the files that go in.</param>
    /// <exception cref="InputException">A field is no option, a placeholder stands for nothing, or a file is missing.</exception>
    public static Experiment Make(ExperimentPlan plan, RootCommand root, ContentHash hashes)
    {
        var grid = new ExperimentGrid(plan, root, hashes);
        GridCell[] cells = [.. grid.Cells()];
        return new Experiment(plan.Name, plan.Path, [Axis.Method, .. plan.Axes.Select(static axis => axis.Name)], plan.Baseline, grid.inOrder, cells);
    }

    /// <summary>Seeds vary slowest, so that whoever stops early has all arms in some seeds; then the arms, then the other axes.</summary>
    private IEnumerable<GridCell> Cells()
    {
        IEnumerable<Dictionary<string, JsonNode>> seeds = Vary([[]], plan.Axes.Where(static axis => axis.Name == Axis.Seed));
        foreach (Dictionary<string, JsonNode> seed in seeds)
        {
            foreach (Arm arm in plan.Arms)
            {
                foreach (Dictionary<string, JsonNode> values in Vary([seed], plan.Axes.Where(static axis => axis.Name != Axis.Seed)))
                    yield return Cell(arm, values);
            }
        }
    }

    private static IEnumerable<Dictionary<string, JsonNode>> Vary(IEnumerable<Dictionary<string, JsonNode>> all, IEnumerable<Axis> axes) =>
        axes.Aggregate(all, static (all, axis) =>
            all.SelectMany(values => axis.Values.Select(value => new Dictionary<string, JsonNode>(values) { [axis.Name] = value })));

    private GridCell Cell(Arm arm, Dictionary<string, JsonNode> values)
    {
        var done = new Dictionary<string, string>(StringComparer.Ordinal);
        var named = new Dictionary<string, JsonNode>(values, StringComparer.Ordinal) { [Axis.Method] = arm.Name };
        if (plan.Section("world") is { } world) Name("world", Add("world", ["demo"], world, named, [new("--world-only", "true", IsPath: false)]));
        if (plan.Section("mix") is { } mix) Name("mix", Add("mix", ["data", "mix"], mix, named, []));

        ExperimentJob? aligned = arm.Method is null ? null : Align(arm, named);
        if (aligned is not null) done.Add("align", aligned.Id);
        Measure("_before", aligned);
        JsonObject attack = (JsonObject)plan.Section("attack")!.DeepClone();
        if (named.ContainsKey("mix") && !attack.ContainsKey("data")) attack["data"] = "{mix}";
        ExperimentJob attacked = Add("attack", ["finetune"], aligned is null ? WithModel(attack, ["finetune"]) : attack, named, From(aligned));
        done.Add("attack", attacked.Id);
        Measure("", attacked);
        var settings = plan.Axes.ToDictionary(static axis => axis.Name, axis => Axis.LabelOf(values[axis.Name]));
        return new GridCell(new Dictionary<string, JsonNode> { [Axis.Method] = arm.Name }.Concat(settings).ToDictionary(), done);

        void Name(string stage, ExperimentJob job)
        {
            done.Add(stage, job.Id);
            named.Add(stage, $"{ExperimentJob.Home}/{job.Output}");
        }

        void Measure(string suffix, ExperimentJob? run)
        {
            foreach (string what in Measured)
            {
                if (plan.Section(what) is not { } section) continue;
                var options = new JsonObject(section.Where(static field => field.Key != "task").Select(static field => KeyValuePair.Create(field.Key, field.Value?.DeepClone())));
                string[] verb = VerbOf(what, section, named);
                ExperimentJob job = Add(what, verb, run is null ? WithModel(options, verb) : options, named, From(run));
                done.Add(what + suffix, job.Id);
            }
        }
    }

    private string[] VerbOf(string what, JsonObject section, Dictionary<string, JsonNode> named) => what switch
    {
        "accuracy" or "capability" when section["task"] is { } task => ["evaluate", Placeholder.Fill(task, named, plan.Wrong).ToString()],
        "accuracy" => throw plan.Wrong($"accuracy has no task: expected one of {string.Join(", ", AnswerTask.All.Select(static task => task.Name))}"),
        "capability" => ["evaluate", "choice"],
        _ => ["evaluate", what],
    };

    private static PlannedOption[] From(ExperimentJob? run) =>
        run is null ? [] : [new PlannedOption("--run", $"{ExperimentJob.Home}/{run.Output}", IsPath: true)];

    /// <summary>Options for a model that was never aligned: those that a run would have kept.</summary>
    private JsonObject WithModel(JsonObject options, string[] verb)
    {
        var with = (JsonObject)options.DeepClone();
        foreach ((string field, JsonNode? kept) in VerbLine.Known(verbs.Find(verb), plan.Section("align") ?? []))
        {
            if (KeptByARun.Contains(field) && !with.ContainsKey(field)) with[field] = kept?.DeepClone();
        }
        return with;
    }

    /// <summary>The alignment of an arm: of the section's options those that its method has.</summary>
    private ExperimentJob Align(Arm arm, Dictionary<string, JsonNode> named)
    {
        MethodInfo info = MethodCatalog.Find(arm.Method!)
            ?? throw plan.Wrong($"arm {arm.Name}: there is no method '{arm.Method}': expected one of {string.Join(", ", MethodCatalog.NamesFor(TrainingStage.Align))}");
        string[] ofMethods = [.. MethodCatalog.All.SelectMany(static method => method.Options).Select(static option => option.Name)];
        string[] own = [.. info.Options.Select(static option => option.Name)];
        var fields = new JsonObject();
        foreach ((string field, JsonNode? value) in plan.Section("align") ?? [])
        {
            string name = field.Replace('-', '_');
            if (ofMethods.Contains(name) && !own.Contains(name)) continue;
            fields[field] = value?.DeepClone();
        }
        foreach ((string field, JsonNode? value) in arm.Options) fields[field] = value?.DeepClone();
        if (info.Pairs is { } pairs && fields.ContainsKey(pairs.Name)) fields.Remove("data");
        fields["method"] = info.Name;
        PlannedOption[] begun = arm.Continues is { } before
            ? [new PlannedOption("--init-adapter", $"{ExperimentJob.Home}/{Align(plan.Arms.First(one => one.Name == before), named).Output}/adapter", IsPath: true)]
            : [];
        return Add("align", ["align"], fields, named, begun);
    }

    /// <summary>Adds a job, unless the same one is there already.</summary>
    private ExperimentJob Add(
        string stage, string[] verb, JsonObject fields, Dictionary<string, JsonNode> named, IReadOnlyList<PlannedOption> forced)
    {
        Command command = verbs.Find(verb);
        var all = new Dictionary<string, JsonNode?>(VerbLine.Known(command, plan.Common));
        foreach ((string field, JsonNode? value) in fields) all[field] = value;
        IEnumerable<KeyValuePair<string, JsonNode?>> filled = all.Select(field =>
            KeyValuePair.Create(field.Key, field.Value is null ? null : Placeholder.Fill(field.Value, named, plan.Wrong)));
        PlannedOption[] options =
            [.. verbs.Options(command, filled, stage, static value => value.StartsWith(ExperimentJob.Home, StringComparison.Ordinal)), .. forced];
        string[] needs = [.. options.Where(static option => option.IsPath).Select(option => MakerOf(option.Value)).OfType<ExperimentJob>()
            .Select(static job => job.Id).Distinct()];
        string id = IdOf(verb, options);
        if (jobs.TryGetValue(id, out ExperimentJob? same)) return same;
        var job = new ExperimentJob(id, stage, verb, [.. options.Select(static option => option.Text)], OutputOf(stage, id), needs);
        jobs.Add(id, job);
        makers.Add(job.Output, job);
        inOrder.Add(job);
        return job;
    }

    private static string OutputOf(string stage, string id) => stage switch
    {
        "world" => $"worlds/{id}",
        "mix" => $"data/mix-{id}.jsonl",
        "align" or "attack" => $"runs/{stage}-{id}",
        _ => $"evaluations/{stage}-{id}.json",
    };

    /// <summary>The job in whose output a path lies; null for a file that was there before.</summary>
    private ExperimentJob? MakerOf(string path) =>
        path.Split('/') is [ExperimentJob.Home, var folder, var name, ..] ? makers.GetValueOrDefault($"{folder}/{name}") : null;

    /// <summary>The hash of what goes in: the verb, its options, the content of the files that they name, and the way in which the program computes.</summary>
    private string IdOf(string[] verb, IEnumerable<PlannedOption> options)
    {
        var text = new StringBuilder();
        text.Append(string.Join(' ', verb)).Append('\n');
        text.Append(FormattableString.Invariant($"revision {RunFingerprint.Revision}, rules {RefusalRules.Version}\n"));
        foreach (string line in options.Where(static option => !ExperimentJob.ChangeNothing.Contains(option.Name)).Select(IdentityOf).Order(StringComparer.Ordinal))
            text.Append(line).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..12];
    }

    private string IdentityOf(PlannedOption option)
    {
        string value = option.Value;
        if (option.Name == "--device") value = value.Split(':')[0];
        if (!option.IsPath) return $"{option.Name}={value}";
        if (MakerOf(value) is { } maker) return $"{option.Name}=job {maker.Id}{value[(ExperimentJob.Home.Length + 1 + maker.Output.Length)..]}";
        return $"{option.Name}=content {hashes.Of(value)}";
    }
}
