using NativeVaccine.Data;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>Where a layer is perturbed.</summary>
public enum PerturbSite
{
    /// <summary>Its attention's output: the papers' embedding e_l.</summary>
    Attention,

    /// <summary>Its MLP's output. To perturb this is to perturb the residual stream that leaves the layer.</summary>
    Mlp,

    /// <summary>The residual stream that enters it.</summary>
    Residual,
}

/// <summary>Which samples are perturbed.</summary>
public enum PerturbSamples
{
    /// <summary>All of them.</summary>
    All,

    /// <summary>Those whose answers the built-in judge calls refused.</summary>
    Refusals,
}

/// <summary>
/// What Vaccine, T-Vaccine and random Vaccine have in common: the pass that trains is one in which something is added to the embeddings e_l
/// (the attention outputs, or what <c>--perturb-site</c> says) of some layers.
/// </summary>
/// <param name="settings">Of the method.</param>
internal sealed class PerturbedTraining(MethodSettings settings)
{
    private static readonly WordOption<PerturbSite> Where = new(
        "perturb_site", "what is perturbed in a layer: the output of its attention or MLP, or the residual stream that enters it", PerturbSite.Attention);
    private static readonly NumberOption Until = new(
        "perturb_until", "share of the steps, the first ones, that are perturbed; the others are plain", 1)
    {
        Maximum = 1,
        AcrossSteps = true,
    };
    private static readonly WordOption<PerturbSamples> Which = new(
        "perturb_samples", "which samples are perturbed: all, or those whose answers the built-in judge calls refused", PerturbSamples.All);

    /// <summary>The options that the three methods share.</summary>
    public static IReadOnlyList<MethodOption> Options { get; } = [Where, Until, Which];

    /// <summary>The metrics that they share.</summary>
    public static IReadOnlyList<MethodMetric> Metrics { get; } =
        [new("perturbation_norm", "Perturbation norm", "Of what is added to the embeddings, all layers together.")];

    /// <summary>The metrics of those that perturb against the loss.</summary>
    public static IReadOnlyList<MethodMetric> MetricsAgainstTheLoss { get; } =
    [
        .. Metrics,
        new("site_gradient_norm", "Embedding gradient norm", "Of the loss's gradient at the embeddings, before they are perturbed."),
        new("pass1_loss", "Loss of the first pass", "Cross-entropy without the perturbation, in nats."),
    ];

    /// <summary>The kind of site that is perturbed.</summary>
    public SiteKind Site => settings.Get(Where) switch
    {
        PerturbSite.Attention => SiteKind.AttentionOutput,
        PerturbSite.Mlp => SiteKind.MlpOutput,
        PerturbSite.Residual => SiteKind.Residual,
        PerturbSite other => throw new InvalidOperationException($"{other} is no site"),
    };

    /// <summary>True if steps are perturbed to the end of the run.</summary>
    public bool PerturbsToTheEnd => settings.Get(Until) == 1;

    /// <summary>What the plan must have room for.</summary>
    /// <param name="layers">How many layers are perturbed at once; 0 for all.</param>
    public MethodNeeds Needs(int layers = 0)
    {
        var budget = new SiteBudget(1, layers);
        return new MethodNeeds
        {
            AttentionSites = Site == SiteKind.AttentionOutput ? budget : default,
            MlpSites = Site == SiteKind.MlpOutput ? budget : default,
            ResidualSites = Site == SiteKind.Residual ? budget : default,
            JudgesRefusals = settings.Get(Which) == PerturbSamples.Refusals,
        };
    }

    /// <summary>
    /// The layer from which on a pass differs by its addition. The engine adds to the stream that enters a layer where the layer below
    /// leaves it.
    /// </summary>
    public int FirstTouched(int lowestLayer) => Site == SiteKind.Residual ? Math.Max(0, lowestLayer - 1) : lowestLayer;

    /// <summary>Whether a step is among the first ones that are perturbed.</summary>
    /// <remarks>Two quotients are compared: 0.07 * 100 is more than 7, but 7 / 100 is 0.07.</remarks>
    public bool IsPerturbed(int step, int totalSteps) => (double)step / totalSteps < settings.Get(Until);

    /// <summary>Does a step whose micro-batches are each trained on with an addition, or a plain one where the perturbed steps are over.</summary>
    /// <param name="step">The step.</param>
    /// <param name="layers">The layers that are perturbed.</param>
    /// <param name="trainable">What trains.</param>
    /// <param name="floor">No layer below it gets a gradient.</param>
    /// <param name="perturb">Fills the site tensor for a micro-batch.</param>
    public void Step(
        StepContext step, LayerSet layers, TensorSet trainable, int floor, Func<MicroBatch, SiteTensor, Perturbation> perturb)
    {
        Session session = step.Session;
        SiteTensor e = session.Site(Site);
        e.Select(layers);
        session.Gradients.Zero(trainable);
        bool isPerturbed = IsPerturbed(step.Number, step.TotalSteps);
        foreach (MicroBatch micro in step.Take(SampleKind.Training))
        {
            Perturbation? perturbation = isPerturbed ? perturb(micro, e) : null;
            SiteNorms? norm = perturbation is null ? null : e.Norms();

            // The loss at e_l + epsilon_l, with epsilon_l a constant, is the one that trains.
            PassResult pass = session.Forward(micro.Batch, perturbation is null ? micro.PassOptions(pass: 1) : perturbation.Options with { Add = [e] });
            session.Backward(new BackwardOptions
            {
                Gradients = session.Gradients,
                Tensors = trainable,
                Floor = floor,
                LossScale = micro.Share,
            });

            perturbation?.Record?.Invoke();
            step.Metrics.Add("perturbation_norm", micro.Share * (norm?.Total ?? 0));
            step.Metrics.Loss += micro.Share * pass.MeanLoss;
        }
        step.Update(trainable);
    }

    /// <summary>
    /// The perturbation that hurts most (arXiv 2402.01109, section 4): e = rho * g / (N + 1e-7), with g_l the gradient of the loss at e_l and
    /// N the norm of all of them. A pass forward and back, in which no weight needs a gradient.
    /// </summary>
    /// <returns>Notes the numbers of the pass; to be called when the device has other work, as it waits.</returns>
    public Action AgainstTheLoss(StepContext step, MicroBatch micro, SiteTensor e, double rho)
    {
        PassResult pass = step.Session.Forward(micro.Batch, micro.PassOptions(pass: 1));
        step.Session.Backward(new BackwardOptions { Read = [e] });
        KeepChosenSamples(micro, e);
        SiteNorms gradient = e.Norms();
        e.ScaleToNorm((float)rho, gradient);

        return () =>
        {
            step.Metrics.Add("pass1_loss", micro.Share * pass.MeanLoss);
            step.Metrics.Add("site_gradient_norm", micro.Share * gradient.Total);
            step.Metrics.Add("site_gradient_norms", gradient.Layers.Select(layer => KeyValuePair.Create(layer, micro.Share * gradient[layer])));
        };
    }

    /// <summary>
    /// Makes the rows of samples that are not to be perturbed zero. To be called before a norm is taken, so that it is that of the others.
    /// </summary>
    public void KeepChosenSamples(MicroBatch micro, SiteTensor e)
    {
        if (settings.Get(Which) == PerturbSamples.All) return;
        e.MaskRows([.. micro.Samples.SelectMany(RowsThatRefuse)]);
    }

    private static IEnumerable<bool> RowsThatRefuse(Sample sample)
    {
        IReadOnlyList<bool> refuses =
            sample.Refuses ?? throw new InvalidOperationException("nobody judged whether the samples refuse; expected samples that were read so");
        return refuses.Zip(sample.PartLengths).SelectMany(static part => Enumerable.Repeat(part.First, part.Second));
    }
}

/// <summary>What a micro-batch is trained on with.</summary>
/// <param name="Options">Options of the pass in which the site tensor is added.</param>
/// <param name="Record">Notes what finding the perturbation told, when the pass is done; null for nothing.</param>
internal sealed record Perturbation(ForwardOptions Options, Action? Record = null);
