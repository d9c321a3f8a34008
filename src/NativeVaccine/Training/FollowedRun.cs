using NativeVaccine.Data;
using NativeVaccine.Methods;

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

    /// <param name="path">The file.</param>
    /// <param name="options">Those of the run that follows it.</param>
    /// <param name="sets">What was read of each stream.</param>
    /// <param name="layerCount">Layers of the model.</param>
    /// <exception cref="InputException">The file is broken, names what does not exist, or has a step of which nothing counts.</exception>
    public static FollowedRun Read(
        string path, TrainingOptions options, IReadOnlyDictionary<SampleKind, SampleSet> sets, int layerCount)
    {
        var run = new FollowedRun(path);
        Dictionary<SampleKind, Dictionary<int, int>> places = sets.ToDictionary(static set => set.Key, static set => Places(set.Value));
        IReadOnlyList<ReplayStep> steps = ReplayFile.Read(
            path, MethodCatalog.Require(options.Method), CountOf, layerCount, options.BatchOf);
        return new FollowedRun(path)
        {
            Steps = [.. steps.Select(step => step with
            {
                Samples = step.Samples.ToDictionary(
                    static taken => taken.Key, taken => (IReadOnlyList<int[]>)run.Batches(taken.Value, places[taken.Key], step.Step, taken.Key)),
            })],
            Dropped = run.Dropped,
        };

        int CountOf(SampleKind kind) => sets.TryGetValue(kind, out SampleSet? set) ? set.RecordCount : 0;
    }

    private static Dictionary<int, int> Places(SampleSet set) => set.Records.Index().ToDictionary(static pair => pair.Item, static pair => pair.Index);

    /// <summary>A micro-batch of which nothing is left is left out.</summary>
    private int[][] Batches(IReadOnlyList<int[]> batches, Dictionary<int, int> places, int step, SampleKind kind)
    {
        int[][] left = [.. batches.Select(batch => Left(batch, places)).Where(static batch => batch.Length > 0)];
        return left.Length > 0 ? left : throw NothingLeft(step, kind);
    }

    private int[] Left(int[] records, Dictionary<int, int> places)
    {
        int[] left = [.. records.Where(places.ContainsKey).Select(record => places[record])];
        Dropped += records.Length - left.Length;
        return left;
    }

    private InputException NothingLeft(int step, SampleKind kind) => new(FormattableString.Invariant(
        $"{path}: step {step}: none of its {kind.Word()} samples has a label left; expected at least one that counts (see --max-length)"));
}
