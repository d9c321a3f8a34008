using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// Lisa (Huang et al., arXiv 2405.18641, "Lazy Safety Alignment"): fine-tuning in turns, some steps on guide samples that keep the model
/// safe, then some on the user's. A proximal term holds the weights near those that the other state left.
/// </summary>
public sealed class Lisa(MethodSettings settings) : Method
{
    private const string Guide = "guide";
    private const string User = "user";

    /// <summary>The authors' program adds the proximal term after this share of the steps.</summary>
    private const double WithoutProximal = 0.1;

    private static readonly NumberOption Rho = new("rho", "weight of the proximal term (0.01 in Booster's comparison)", 1);
    private static readonly WholeNumberOption GuideSteps =
        new("guide_steps", "steps on guide samples before the user's have their turn", 100, minimum: 1) { AcrossSteps = true };
    private static readonly WholeNumberOption UserSteps =
        new("user_steps", "steps on the user's samples before the guide's have their turn", 900, minimum: 1) { AcrossSteps = true };
    private static readonly PoolOption GuideData = new("guide_data", "samples that keep a fine-tuned model safe", SampleKind.Guide);

    /// <summary>w_other: the weights when this state began, as the other one left them; before that the initial ones.</summary>
    private static readonly MethodVector Other = new("the other state's weights", IsKept: true);
    private static readonly MethodVector Drift = new("w - w_other");

    private string? last;

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("lisa", static settings => new Lisa(settings))
    {
        Stages = [TrainingStage.Finetune],
        Options = [Rho, GuideSteps, UserSteps, GuideData],
        Metrics =
        [
            new("ce_loss", "Cross-entropy", "On the samples of the step's state, in nats."),
            new("proximal", "Proximal term", "rho/2 |w - w_other|^2, a part of the loss."),
        ],
        Replay = [new ReplayWord("state", Guide, User), new ReplaySamples("discarded_user_samples", SampleKind.Training)],
        States = new ReplayStates(
            "state", new Dictionary<string, SampleKind> { [Guide] = SampleKind.Guide, [User] = SampleKind.Training }),
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { Vectors = [Other, Drift] };

    /// <inheritdoc/>
    public override void Begin(StepContext step) => step.Vector(Other).CopyFrom(step.Session.Parameters);

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        string state = step.Replay?.Word("state") ?? StateOf(step.Number);
        if (last is not null && state != last) step.Vector(Other).CopyFrom(session.Parameters);
        last = state;

        // The user's samples are drawn in every step, as they count the steps; a guide step drops its own.
        IReadOnlyList<MicroBatch> user = step.Take(SampleKind.Training);
        session.Gradients.Zero();
        double loss = step.AddGradient(state == Guide ? step.Take(SampleKind.Guide) : user, session.Gradients);
        double proximal = step.Number > WithoutProximal * step.TotalSteps ? AddProximalGradient(step) : 0;
        step.Metrics.Set("state", state);
        step.Metrics.Set("ce_loss", loss);
        step.Metrics.Set("proximal", proximal);
        step.Metrics.Loss = loss + proximal;
        step.Update(session.AllTensors);
    }

    /// <inheritdoc/>
    public override JsonObject SaveState() => new() { ["state"] = last };

    /// <inheritdoc/>
    public override void RestoreState(JsonObject state) =>
        last = state["state"] is JsonValue value && value.TryGetValue(out string? word) && word is Guide or User
            ? word
            : throw new InputException($"the checkpoint has no state of Lisa; expected {Guide} or {User}");

    /// <summary>Turns, the guide's first.</summary>
    private string StateOf(int step) =>
        step % ((long)settings.Get(GuideSteps) + settings.Get(UserSteps)) < settings.Get(GuideSteps) ? Guide : User;

    /// <summary>rho/2 |w - w_other|^2, whose gradient is rho (w - w_other).</summary>
    private double AddProximalGradient(StepContext step)
    {
        double rho = settings.Get(Rho);
        ParameterVector drift = step.Vector(Drift);
        drift.CopyFrom(step.Session.Parameters);
        drift.Add(-1, step.Vector(Other));
        step.Session.Gradients.Add((float)rho, drift);
        return rho / 2 * drift.Dot(drift).Value;
    }
}
