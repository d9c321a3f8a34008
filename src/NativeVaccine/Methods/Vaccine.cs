using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// Vaccine (Huang, Hu and Liu, arXiv 2402.01109): every layer's embedding e_l is disturbed in the direction in which the loss
/// rises fastest, and the model learns to answer well in spite of it.
/// </summary>
/// <param name="rho">Norm of the perturbation, all layers together.</param>
/// <param name="sameMasks">True if the second pass drops out what the first did.</param>
public sealed class Vaccine(double rho, bool sameMasks = false) : Method
{
    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new(
        "vaccine",
        static options => new Vaccine(options.Rho, options.SameMasks),
        new MethodOption("rho", Default: 2),
        new MethodOption("same_masks"));

    /// <inheritdoc/>
    public override string Name => Info.Name;

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { AttentionSites = new SiteBudget(1) };

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        SiteTensor e = session.Site(SiteKind.AttentionOutput);
        e.Select(LayerSet.All(session.LayerCount));
        session.Gradients.Zero();
        foreach (MicroBatch micro in step.MicroBatches)
        {
            // First pass: g_l, the gradient at e_l of every layer, and N, the norm of all of them. No weight needs a gradient.
            PassResult first = session.Forward(micro.Batch, micro.Masks(pass: 1));
            session.Backward(new BackwardOptions { Read = [e] });
            SiteNorms gradient = e.Norms();

            // epsilon_l = rho * g_l / (N + 1e-7)
            e.ScaleToNorm((float)rho, gradient);
            SiteNorms perturbation = e.Norms();

            // Second pass: the loss at e_l + epsilon_l, with epsilon_l a constant, is the one that trains.
            PassResult second = session.Forward(micro.Batch, micro.Masks(pass: sameMasks ? 1u : 2u) with { Add = [e] });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = micro.Share });

            micro.RecordFirstPass(first, gradient);
            micro.RecordPerturbation(perturbation);
            micro.Record(second);
        }
        step.Update(session.AllTensors);
    }
}
