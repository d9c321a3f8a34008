using System.Diagnostics;
using System.Text.Json;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Reporting;

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
    private readonly MethodInfo info;
    private readonly SampleStreams streams;
    private readonly LearningRateSchedule schedule;
    private readonly TamperWatch? watch;

    /// <summary>A trainer for a session that has its weights, and its adapter as it shall begin.</summary>
    /// <param name="session">With room for the run: see <see cref="TrainingPlan"/>.</param>
    /// <param name="method">What a step is.</param>
    /// <param name="options">The numbers of the run; its files are not looked at.</param>
    /// <param name="data">What is learned from.</param>
    /// <exception cref="InputException">An option is out of range, or a stream of the method has no samples.</exception>
    public Trainer(Session session, Method method, TrainingOptions options, TrainingData data)
    {
        options.Validate("options");
        method.RequireFits(session.LayerCount);
        (this.session, this.method, this.options, this.data) = (session, method, options, data);
        info = MethodCatalog.Require(options.Method);
        streams = new SampleStreams(options, data);
        schedule = new LearningRateSchedule(options.Schedule, options.LearningRate, options.WarmupRatio, streams.TotalSteps);
        if (data.TamperPrompts is { } prompts) watch = new TamperWatch(session, prompts, options, TotalSteps);
        foreach (SampleKind kind in info.Streams.SelectMany(static pool => pool.Kinds)) streams.Pool(kind);
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

    /// <summary>Told of each look at the model; there are none without <see cref="TrainingData.TamperPrompts"/>.</summary>
    public Action<TamperLook>? Looked { get; init; }

    /// <summary>Told what a user should know and no metric says, in a line.</summary>
    public Action<string>? Notice { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public int TotalSteps => streams.TotalSteps;

    /// <summary>Does all steps, or those after the newest checkpoint of the folder.</summary>
    /// <param name="cancellation">
    /// Looked at before every step, and in every look at the model; if asked to, the run stops there with a checkpoint. What a method does
    /// once, before the first step, it ends at once, without a checkpoint: the resumed run begins again.
    /// </param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NotFiniteNumberException">The loss became NaN or infinite; the checkpoints before are still there.</exception>
    /// <exception cref="InputException">A checkpoint or a line cannot be written, or no checkpoint can be used.</exception>
    public void Run(CancellationToken cancellation = default)
    {
        IReadOnlyDictionary<string, string> fingerprint = RunFingerprint.Of(options, data, FileHashes);
        watch?.Begin();
        int saved = Folder?.RestoreLatest(State, fingerprint, Notice) ?? 0;
        Folder?.WritePlan(PlanRecord.Of(session.Plan, TotalSteps));
        Beginning?.Invoke(saved);
        SayIfNothingIsLearned();
        for (int step = saved; step < TotalSteps; step++)
        {
            if (cancellation.IsCancellationRequested || !Look(step, cancellation)) Stop(step);
            DoStep(step, cancellation);
            bool isDue = options.CheckpointEvery > 0 && (step + 1) % options.CheckpointEvery == 0;
            if (!isDue || Folder is null) continue;
            Folder.SaveCheckpoint(step + 1, State, fingerprint);
            saved = step + 1;
        }
        if (!Look(TotalSteps, cancellation)) Stop(TotalSteps);

        void Stop(int step)
        {
            if (step > saved) Folder?.SaveCheckpoint(step, State, fingerprint);
            throw Stopped(step, cancellation);
        }
    }

    /// <summary>
    /// Looks at the model after so many steps, if it is time to. A checkpoint after these steps does not have the look: a run that goes on from
    /// it looks again.
    /// </summary>
    /// <returns>False if it was cancelled.</returns>
    private bool Look(int step, CancellationToken cancellation)
    {
        try
        {
            if (watch?.LookIfDue(step, cancellation) is not { } look) return true;
            Folder?.Append(look);
            Looked?.Invoke(look);
            return true;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return false;
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

    private RunState State => new(session, method, info, streams);

    private OperationCanceledException Stopped(int step, CancellationToken cancellation) =>
        new(step < TotalSteps ? $"stopped before step {step} of {TotalSteps}" : "stopped after the last step", cancellation);

    private void Begin(StepContext first)
    {
        try
        {
            method.Begin(first);
        }
        catch (OperationCanceledException) when (first.Cancellation.IsCancellationRequested)
        {
            throw Stopped(0, first.Cancellation);
        }
    }

    private void DoStep(int step, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        double flops = session.Flops;
        var samples = new StepSamples(streams, options, step);
        var metrics = new StepMetrics { Step = step, Epoch = streams.Epoch(step), LearningRate = schedule.At(step) };
        var context = new StepContext
        {
            Session = session,
            Number = step,
            TotalSteps = TotalSteps,
            Seed = options.Seed,
            LearningRate = metrics.LearningRate,
            Clip = options.Clip,
            Samples = samples,
            Vectors = method.Needs.Vectors,
            Metrics = metrics,
            Notice = Notice,
            Cancellation = cancellation,
        };
        if (step == 0) Begin(context);
        method.Step(context);
        RequireFinite(metrics);
        ReplayStep replay = Record(samples, metrics);
        metrics.PeakBytes = session.Memory.Used;
        metrics.Flops = session.Flops - flops;
        metrics.Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        watch?.AddStep(metrics.Seconds);
        Folder?.Append(metrics, replay);
        StepDone?.Invoke(metrics);
    }

    /// <summary>What the step has used, by the records of the files.</summary>
    private ReplayStep Record(StepSamples samples, StepMetrics metrics)
    {
        Dictionary<SampleKind, IReadOnlyList<int[]>> records = samples.Taken.ToDictionary(
            static taken => taken.Key,
            taken => (IReadOnlyList<int[]>)[.. taken.Value.Select(batch => streams.Pool(taken.Key).RecordsOf(batch))]);
        var replay = new ReplayStep(metrics.Step, records);
        foreach (ReplayField field in info.Replay)
        {
            if (metrics.Values.TryGetValue(field.Name, out object? said))
                replay.Values[field.Name] = JsonSerializer.SerializeToNode(said, said.GetType(), TrainingJsonContext.Default);
        }
        SampleKind main = info.MainStream(replay);
        foreach (ReplaySamples field in info.Replay.OfType<ReplaySamples>().Where(field => field.Kind != main && !field.InBatches))
        {
            if (records.TryGetValue(field.Kind, out IReadOnlyList<int[]>? taken))
                metrics.Set(field.Name, taken.SelectMany(static batch => batch));
        }
        if (!records.TryGetValue(main, out IReadOnlyList<int[]>? trained)) return replay;
        metrics.Samples = [.. trained.SelectMany(static batch => batch)];
        metrics.Tokens = streams.TokensOf(main, samples.Taken[main].SelectMany(static batch => batch));
        return replay;
    }

    private static void RequireFinite(StepMetrics metrics)
    {
        if (double.IsFinite(metrics.Loss) && double.IsFinite(metrics.GradientNorm)) return;
        string what = FormattableString.Invariant($"the loss is {metrics.Loss} and the gradient's norm {metrics.GradientNorm}");
        throw new NotFiniteNumberException($"step {metrics.Step}: {what}; a lower learning rate or rho may help", metrics.Loss);
    }
}
