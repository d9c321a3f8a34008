using System.Diagnostics;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>
/// Takes a session through the steps of a run: samples in their order, the learning rate of the schedule, a step of the method, its
/// metrics. Everything random is a pure function of seed and step, so a run that was stopped and resumed is bit-identical to one that was
/// not.
/// </summary>
public sealed class Trainer
{
    private readonly Session session;
    private readonly Method method;
    private readonly TrainingOptions options;
    private readonly TrainingData data;
    private readonly RunOrder order;
    private readonly LearningRateSchedule schedule;
    private readonly HarmfulPool? harmful;

    /// <summary>A trainer for a session that has its weights, and its adapter as it shall begin.</summary>
    /// <param name="session">With room for the run: see <see cref="TrainingPlan"/>.</param>
    /// <param name="method">What a step is.</param>
    /// <param name="options">The numbers of the run; its files are not looked at.</param>
    /// <param name="data">What is learned from.</param>
    /// <exception cref="InputException">An option is out of range, or the method needs harmful samples and there are none.</exception>
    public Trainer(Session session, Method method, TrainingOptions options, TrainingData data)
    {
        options.Validate("options");
        method.RequireFits(session.LayerCount);
        (this.session, this.method, this.options, this.data) = (session, method, options, data);
        order = new RunOrder(options, data);
        schedule = new LearningRateSchedule(options.Schedule, options.LearningRate, options.WarmupRatio, order.TotalSteps);
        harmful = data.Harmful is { } pool ? new HarmfulPool(pool, options.Seed) : null;
        if (method.Needs.HarmfulPool && harmful is null)
            throw new InputException($"method {method.Name} looks at harmful samples, and there are none; expected --probe-data FILE");
        session.Optimizer.Beta1 = options.Beta1;
        session.Optimizer.Beta2 = options.Beta2;
        session.Optimizer.Epsilon = options.AdamEpsilon;
        session.Optimizer.WeightDecay = options.WeightDecay;
    }

    /// <summary>Where the run is recorded; null if it is not.</summary>
    public RunFolder? Folder { get; init; }

    /// <summary>Hashes of the files that session and data came from, by what they are: for <see cref="RunFingerprint"/>.</summary>
    public IReadOnlyDictionary<string, string> FileHashes { get; init; } = new Dictionary<string, string>();

    /// <summary>Told the step that the run begins with, from 0: not 0 where a checkpoint was found.</summary>
    public Action<int>? Beginning { get; init; }

    /// <summary>Told the numbers of each step. The session may then be read, evaluated, and decoded with, but not changed.</summary>
    public Action<StepMetrics>? StepDone { get; init; }

    /// <summary>Told what a user should know and no metric says, in a line.</summary>
    public Action<string>? Notice { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public int TotalSteps => order.TotalSteps;

    /// <summary>Does all steps, or those after the newest checkpoint of the folder.</summary>
    /// <param name="cancellation">Looked at before every step; if asked to, the run stops there with a checkpoint.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The loss became NaN or infinite; the checkpoints before are still there.</exception>
    /// <exception cref="InputException">A checkpoint or a line cannot be written, or no checkpoint can be used.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        IReadOnlyDictionary<string, string> fingerprint = RunFingerprint.Of(options, data, FileHashes);
        int saved = Folder?.RestoreLatest(session, method, fingerprint, Notice) ?? 0;
        Beginning?.Invoke(saved);
        SayIfNothingIsLearned();
        for (int step = saved; step < TotalSteps; step++)
        {
            if (cancellation.IsCancellationRequested)
            {
                if (step > saved) Folder?.SaveCheckpoint(step, session, method, fingerprint);
                throw new OperationCanceledException($"stopped before step {step} of {TotalSteps}", cancellation);
            }
            DoStep(step);
            bool isDue = options.CheckpointEvery > 0 && (step + 1) % options.CheckpointEvery == 0;
            if (!isDue || Folder is null) continue;
            Folder.SaveCheckpoint(step + 1, session, method, fingerprint);
            saved = step + 1;
        }
    }

    private void SayIfNothingIsLearned()
    {
        if (Enumerable.Range(0, TotalSteps).Any(step => schedule.At(step) > 0)) return;
        string steps = TotalSteps == 1 ? "1 step" : FormattableString.Invariant($"{TotalSteps} steps");
        string advice = options.LearningRate > 0 ? "more steps, or a smaller --warmup-ratio" : "a --learning-rate above 0";
        Notice?.Invoke(FormattableString.Invariant(
            $"every step has learning rate 0 ({steps}, {schedule.WarmupSteps} of warm-up): nothing is learned; expected {advice}"));
    }

    private void DoStep(int step)
    {
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<int[]> samples = order.MicroBatches(step);
        Batch[] batches = [.. samples.Select(batch => new Batch([.. batch.Select(index => data.Samples[index])]))];
        int[][] records = [.. samples.Select(batch => RecordsOf(batch, data.Records))];
        float[] shares = Shares(batches);
        var metrics = new StepMetrics
        {
            Step = step,
            Epoch = order.Epoch(step),
            Samples = [.. records.SelectMany(static batch => batch)],
            LearningRate = schedule.At(step),
            Tokens = batches.Sum(static batch => (long)batch.TokenCount),
        };
        method.Step(new StepContext
        {
            Session = session,
            Number = step,
            Seed = options.Seed,
            LearningRate = metrics.LearningRate,
            Clip = options.Clip,
            MicroBatches = [.. batches.Select((batch, index) => CreateMicroBatch(step, batch, index, shares[index], metrics))],
            Harmful = harmful,
            Replay = order.Replay(step),
            Metrics = metrics,
            Notice = Notice,
        });
        RequireFinite(metrics);
        if (metrics.ProbeSamples is { } probe) metrics.ProbeSamples = RecordsOf(probe, data.HarmfulRecords);
        metrics.PeakBytes = session.Memory.Used;
        metrics.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Folder?.Append(metrics, new ReplayStep(step, records, metrics.ProbeSamples?.ToArray(), metrics.ActiveLayers?.ToArray()));
        StepDone?.Invoke(metrics);
    }

    private static int[] RecordsOf(IEnumerable<int> samples, IReadOnlyList<int>? records) =>
        [.. samples.Select(sample => records?[sample] ?? sample)];

    /// <summary>The weight of each micro-batch's mean in the step's.</summary>
    private float[] Shares(Batch[] batches)
    {
        if (options.LossMean == LossMean.Batch) return [.. batches.Select(_ => 1f / batches.Length)];
        int[] labels = [.. batches.Select(static batch => batch.LabelCounts.ToArray().Sum())];
        return [.. labels.Select(count => (float)((double)count / labels.Sum()))];
    }

    private MicroBatch CreateMicroBatch(int step, Batch batch, int index, float share, StepMetrics metrics)
    {
        uint number = unchecked((uint)(((long)step * options.Accumulate) + index));
        return new MicroBatch(batch, share, options.UsesDropout, options.Seed, number, metrics);
    }

    private static void RequireFinite(StepMetrics metrics)
    {
        if (double.IsFinite(metrics.Loss) && double.IsFinite(metrics.GradientNorm)) return;
        string what = FormattableString.Invariant($"the loss is {metrics.Loss} and the gradient's norm {metrics.GradientNorm}");
        throw new NotFiniteNumberException($"step {metrics.Step}: {what}; a lower learning rate or rho may help", metrics.Loss);
    }
}
