using NativeVaccine.Data;

namespace NativeVaccine.Training;

/// <summary>
/// Reads the replay of a run that is to be followed. Its indices count the records of the data files. A record in which no label was left
/// is no sample: it counts nothing, and the batch that names it is smaller.
/// </summary>
internal sealed class FollowedRun
{
    private readonly string path;

    private FollowedRun(string path) => this.path = path;

    /// <summary>How often a record was named that counts nothing.</summary>
    public int Dropped { get; private set; }

    /// <summary>The steps, whose indices count samples.</summary>
    public IReadOnlyList<ReplayStep> Steps { get; private init; } = [];

    /// <exception cref="InputException">The file is broken, names what does not exist, or has a step of which nothing counts.</exception>
    public static FollowedRun Read(string path, SampleSet samples, SampleSet? harmful, int layerCount)
    {
        var run = new FollowedRun(path);
        Dictionary<int, int> places = Places(samples);
        Dictionary<int, int> harmfulPlaces = harmful is null ? [] : Places(harmful);
        IReadOnlyList<ReplayStep> steps = ReplayFile.Read(path, RecordCount(samples), RecordCount(harmful), layerCount);
        return new FollowedRun(path)
        {
            Steps = [.. steps.Select(step => step with
            {
                MicroBatches = run.MicroBatches(step, places),
                ProbeSamples = run.Required(step.ProbeSamples, harmfulPlaces, step.Step, "probe_samples"),
                HarmfulSamples = run.Required(step.HarmfulSamples, harmfulPlaces, step.Step, "harmful_samples"),
            })],
            Dropped = run.Dropped,
        };
    }

    private static int RecordCount(SampleSet? set) => set is null ? 0 : set.Samples.Count + set.Dropped;

    private static Dictionary<int, int> Places(SampleSet set) => set.Records.Index().ToDictionary(static pair => pair.Item, static pair => pair.Index);

    /// <summary>A micro-batch of which nothing is left is left out.</summary>
    private int[][] MicroBatches(ReplayStep step, Dictionary<int, int> places)
    {
        int[][] left = [.. step.MicroBatches.Select(batch => Left(batch, places)).Where(static batch => batch.Length > 0)];
        return left.Length > 0 ? left : throw NothingLeft(step.Step, "samples");
    }

    private int[]? Required(int[]? records, Dictionary<int, int> places, int step, string field)
    {
        if (records is null) return null;
        int[] left = Left(records, places);
        return left.Length > 0 ? left : throw NothingLeft(step, field);
    }

    private int[] Left(int[] records, Dictionary<int, int> places)
    {
        int[] left = [.. records.Where(places.ContainsKey).Select(record => places[record])];
        Dropped += records.Length - left.Length;
        return left;
    }

    private InputException NothingLeft(int step, string field) => new(FormattableString.Invariant(
        $"{path}: step {step}: none of its {field} has a label left; expected at least one that counts (see --max-length)"));
}
