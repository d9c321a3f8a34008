using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// Vaccine (Huang, Hu and Liu, arXiv 2402.01109): every layer's embedding e_l is disturbed in the direction in which the loss
/// rises fastest, and the model learns to answer well in spite of it.
/// </summary>
public sealed class Vaccine(MethodSettings settings) : Method
{
    private static readonly NumberOption Rho = new("rho", "norm of the perturbation, all layers together", 2);
    private static readonly SwitchOption SameMasks = new("same_masks", "the perturbed pass drops out what the first pass did");

    private readonly PerturbedTraining perturbed = new(settings);

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("vaccine", static settings => new Vaccine(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [Rho, SameMasks, .. PerturbedTraining.Options],
        Metrics = PerturbedTraining.MetricsAgainstTheLoss,
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs => perturbed.Needs();

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        uint secondPass = settings.Get(SameMasks) ? 1u : 2u;
        perturbed.Step(step, LayerSet.All(session.LayerCount), session.AllTensors, floor: 0, (micro, e) =>
        {
            Action record = perturbed.AgainstTheLoss(step, micro, e, settings.Get(Rho));
            return new Perturbation(micro.PassOptions(secondPass), record);
        });
    }
}
