using System.Text.Json.Nodes;

namespace NativeVaccine.Methods;

/// <summary>
/// A way to train: what happens between taking the samples of a step and stepping the optimizer. A method is written with the verbs of the
/// engine (passes, sites, parameter vectors) and reads like the algorithm in its paper; order, learning rate, metrics, and checkpoints
/// are the trainer's.
/// </summary>
public abstract class Method
{
    /// <summary>What the memory plan must have room for.</summary>
    public virtual MethodNeeds Needs { get; } = new();

    /// <summary>Refuses a model that the method's settings do not fit.</summary>
    /// <exception cref="InputException">They do not.</exception>
    public virtual void RequireFits(int layerCount) { }

    /// <summary>What a step costs beside those of other methods; null where nothing is to be said.</summary>
    /// <param name="layerCount">L.</param>
    /// <param name="dropout">True if adapters' inputs are dropped out.</param>
    public virtual StepCost? Cost(int layerCount, bool dropout) => null;

    /// <summary>Does what comes once, before the first step; not where a run goes on from a checkpoint.</summary>
    /// <param name="step">The context of the first step.</param>
    /// <exception cref="OperationCanceledException">It was cancelled: a method that passes over many samples here heeds that.</exception>
    public virtual void Begin(StepContext step) { }

    /// <summary>Does one optimizer step: it ends with <see cref="StepContext.Update"/>.</summary>
    public abstract void Step(StepContext step);

    /// <summary>What the method remembers from one step to the next beside its vectors, for a checkpoint.</summary>
    public virtual JsonObject SaveState() => [];

    /// <summary>Sets what <see cref="SaveState"/> gave.</summary>
    /// <exception cref="InputException">The state is not of this method.</exception>
    public virtual void RestoreState(JsonObject state) { }

    /// <summary>
    /// What a benchmark that times single steps replays in all of them, by the fields of replay.jsonl, so that each costs the same: for a
    /// method that chooses layers, layers spread over the model. Empty where nothing is chosen.
    /// </summary>
    public virtual JsonObject EvenReplay(int layerCount) => [];
}
