using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// What Vaccine, T-Vaccine and random Vaccine have in common: the pass that trains is one in which something is added to the embeddings e_l
/// (the attention outputs) of some layers.
/// </summary>
internal static class PerturbedTraining
{
    /// <summary>Does a step whose micro-batches are each trained on with an addition.</summary>
    /// <param name="step">The step.</param>
    /// <param name="layers">The layers that are perturbed.</param>
    /// <param name="trainable">What trains.</param>
    /// <param name="floor">No layer below it gets a gradient.</param>
    /// <param name="perturb">Fills the site tensor for a micro-batch.</param>
    public static void Step(
        StepContext step, LayerSet layers, TensorSet trainable, int floor, Func<MicroBatch, SiteTensor, Perturbation> perturb)
    {
        Session session = step.Session;
        SiteTensor e = session.Site(SiteKind.AttentionOutput);
        e.Select(layers);
        session.Gradients.Zero(trainable);
        foreach (MicroBatch micro in step.Take(SampleKind.Training))
        {
            Perturbation perturbation = perturb(micro, e);
            SiteNorms norm = e.Norms();

            // The loss at e_l + epsilon_l, with epsilon_l a constant, is the one that trains.
            PassResult pass = session.Forward(micro.Batch, perturbation.Options with { Add = [e] });
            session.Backward(new BackwardOptions
            {
                Gradients = session.Gradients,
                Tensors = trainable,
                Floor = floor,
                LossScale = micro.Share,
            });

            perturbation.Record?.Invoke();
            step.Metrics.Add("perturbation_norm", micro.Share * norm.Total);
            step.Metrics.Loss += micro.Share * pass.MeanLoss;
        }
        step.Update(trainable);
    }

    /// <summary>
    /// The perturbation that hurts most (arXiv 2402.01109, section 4): e = rho * g / (N + 1e-7), with g_l the gradient of the loss at e_l and
    /// N the norm of all of them. A pass forward and back, in which no weight needs a gradient.
    /// </summary>
    /// <returns>Notes the numbers of the pass; to be called when the device has other work, as it waits.</returns>
    public static Action AgainstTheLoss(StepContext step, MicroBatch micro, SiteTensor e, double rho)
    {
        PassResult pass = step.Session.Forward(micro.Batch, micro.PassOptions(pass: 1));
        step.Session.Backward(new BackwardOptions { Read = [e] });
        SiteNorms gradient = e.Norms();
        e.ScaleToNorm((float)rho, gradient);

        return () =>
        {
            step.Metrics.Add("pass1_loss", micro.Share * pass.MeanLoss);
            step.Metrics.Add("site_gradient_norm", micro.Share * gradient.Total);
            step.Metrics.Add("site_gradient_norms", gradient.Layers.Select(layer => KeyValuePair.Create(layer, micro.Share * gradient[layer])));
        };
    }
}

/// <summary>What a micro-batch is trained on with.</summary>
/// <param name="Options">Options of the pass in which the site tensor is added.</param>
/// <param name="Record">Notes what finding the perturbation told, when the pass is done; null for nothing.</param>
internal sealed record Perturbation(ForwardOptions Options, Action? Record = null);
