using System.Diagnostics;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Models;
using NativeVaccine.Reporting;

namespace NativeVaccine.Training;

/// <summary>
/// Looks at a model while it is fine-tuned: how it answers harmful prompts, and how far its hidden states have drifted on them. Looking changes
/// nothing that trains.
/// </summary>
internal sealed class TamperWatch(Session session, HarmfulPrompts prompts, TrainingOptions options, int totalSteps)
{
    private readonly LookPause pause = new(options.TamperEvery);
    private EmbeddingDrift? drift;

    /// <summary>The prompts that the options name; null if they name none.</summary>
    /// <exception cref="InputException">The prompts or the rules cannot be used.</exception>
    public static HarmfulPrompts? Open(TrainingOptions options, SampleForm form, ModelFolder model, Action<string> notice)
    {
        if (options.TamperPrompts is not { } file) return null;
        RefusalRules rules = options.TamperRules is { } path ? RefusalRules.Read(path) : RefusalRules.Default;
        var prompts = HarmfulPrompts.Open(file, rules, form, model, options.TamperNewTokens, notice);
        if (options.TrackDrift)
        {
            double bytes = EmbeddingDrift.ReferenceBytes(model.Configuration, prompts.TokenCount);
            notice(FormattableString.Invariant(
                $"{file}: the hidden states before the first step take {bytes / (1 << 20):F1} MiB of the host's memory beside the plan"));
        }
        return prompts;
    }

    /// <summary>A session's options with room for looking; the site tensor of the drift is the last one in the residual stream.</summary>
    public static SessionOptions AddRoom(SessionOptions training, HarmfulPrompts prompts, bool tracksDrift)
    {
        SessionOptions room = prompts.AddRoom(training);
        return tracksDrift ? room with { ResidualSites = new SiteBudget(room.ResidualSites.Tensors + 1) } : room;
    }

    /// <summary>Keeps what drift is measured from. Comes before any step, and before a checkpoint is restored.</summary>
    public void Begin()
    {
        if (!options.TrackDrift) return;
        long start = Stopwatch.GetTimestamp();
        SiteTensor site = session.Site(SiteKind.Residual, session.Plan.Options.ResidualSites.Tensors - 1);
        drift = new EmbeddingDrift(session, prompts.Ids, site);
        pause.AddPreparation(Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Told how long a step took.</summary>
    public void AddStep(double seconds) => pause.AddStep(seconds);

    /// <summary>Looks, if it is time to.</summary>
    /// <param name="step">Steps taken so far.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>Null if it is not.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public TamperLook? LookIfDue(int step, CancellationToken cancellation)
    {
        if (!pause.IsDue(step, totalSteps)) return null;
        long start = Stopwatch.GetTimestamp();
        HarmfulScore score = prompts.Ask(session, cancellation);
        double[] drifts = drift?.Measure(cancellation) ?? [];
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        pause.AddLook(seconds);
        return new TamperLook
        {
            Step = step,
            Verdicts = new TamperVerdicts(
                score.Count(Verdict.Answered), score.Count(Verdict.Refused), score.Count(Verdict.Degenerate)),
            Drift = drifts,
            Seconds = seconds,
        };
    }
}
