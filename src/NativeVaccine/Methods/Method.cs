using System.Text.Json.Nodes;

namespace NativeVaccine.Methods;

/// <summary>
/// A way to train: what happens between taking the samples of a step and stepping the optimizer. A method is written with the verbs of the
/// engine (passes, sites, parameter vectors) and reads like the algorithm in its paper; order, learning rate, metrics, and checkpoints
/// are the trainer's.
/// </summary>
public abstract class Method
{
    /// <summary>The name by which the command line selects it.</summary>
    public abstract string Name { get; }

    /// <summary>What the memory plan must have room for.</summary>
    public virtual MethodNeeds Needs { get; } = new();

    /// <summary>Refuses a model that the method's settings do not fit.</summary>
    /// <exception cref="InputException">They do not.</exception>
    public virtual void RequireFits(int layerCount) { }

    /// <summary>Does one optimizer step: it ends with <see cref="StepContext.Update"/>.</summary>
    public abstract void Step(StepContext step);

    /// <summary>What the method remembers from one step to the next, for a checkpoint.</summary>
    public virtual JsonObject SaveState() => [];

    /// <summary>Sets what <see cref="SaveState"/> gave.</summary>
    /// <exception cref="InputException">The state is not of this method.</exception>
    public virtual void RestoreState(JsonObject state) { }
}
