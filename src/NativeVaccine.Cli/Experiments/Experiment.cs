using System.Text.Json;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Experiments;

/// <summary>
/// A grid with its work: what a plan means, as experiment.json in the experiment's folder keeps it for whoever takes part in the work.
/// </summary>
/// <param name="Name">What it is called.</param>
/// <param name="Plan">The plan file.</param>
/// <param name="Axes">Names of what is varied, the arms first.</param>
/// <param name="Baseline">The arm that the others are compared with.</param>
/// <param name="Jobs">All work, each piece after those that it needs.</param>
/// <param name="Cells">The grid.</param>
internal sealed record Experiment(
    string Name, string Plan, IReadOnlyList<string> Axes, string Baseline, IReadOnlyList<ExperimentJob> Jobs, IReadOnlyList<GridCell> Cells)
{
    private const string FileName = "experiment.json";
    private readonly Dictionary<string, int> places = Jobs.Index().ToDictionary(static job => job.Item.Id, static job => job.Index, StringComparer.Ordinal);

    /// <summary>The experiment of a folder.</summary>
    /// <exception cref="InputException">The folder is no experiment's, or the file is broken.</exception>
    public static Experiment Read(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) throw new InputException($"{folder}: has no {FileName}; expected the folder of an experiment");
        using JsonDocument document = JsonFile.ReadObject(file);
        JsonObject json = JsonObject.Create(document.RootElement.Clone())!;
        try
        {
            return new Experiment(
                (string)json["name"]!,
                (string)json["plan"]!,
                [.. json["axes"]!.AsArray().Select(static axis => (string)axis!)],
                (string)json["baseline"]!,
                [.. json["jobs"]!.AsArray().Select(static job => ExperimentJob.Of(job!))],
                [.. json["cells"]!.AsArray().Select(static cell => GridCell.Of(cell!))]);
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InputException($"{file}: a field is missing or of another kind: expected what nvaccine experiment run wrote", exception);
        }
    }

    /// <summary>Writes it into its folder.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public void Save(string folder) => JsonValues.Save(Path.Combine(folder, FileName), new JsonObject
    {
        ["name"] = Name,
        ["plan"] = Plan,
        ["axes"] = new JsonArray([.. Axes.Select(static axis => (JsonNode)axis)]),
        ["baseline"] = Baseline,
        ["cells"] = new JsonArray([.. Cells.Select(static cell => (JsonNode)cell.ToJson())]),
        ["jobs"] = new JsonArray([.. Jobs.Select(static job => (JsonNode)job.ToJson())]),
    });

    /// <summary>The work that a cell needs, each piece after those that it needs itself.</summary>
    public IEnumerable<ExperimentJob> WorkOf(GridCell cell)
    {
        var wanted = new SortedSet<int>();
        foreach (string id in cell.Jobs.Values) Want(id);
        return wanted.Select(place => Jobs[place]);

        void Want(string id)
        {
            if (!wanted.Add(places[id])) return;
            foreach (string need in Jobs[places[id]].Needs) Want(need);
        }
    }

    /// <summary>A piece of work by its name; null if there is none of that name.</summary>
    public ExperimentJob? Find(string id) => places.TryGetValue(id, out int place) ? Jobs[place] : null;
}
