namespace NativeVaccine.TorchReference;

/// <summary>What one training step saw.</summary>
public sealed record ReferenceStep
{
    /// <summary>The mean loss of the pass whose gradients train.</summary>
    public required double Loss { get; init; }

    /// <summary>Before clipping, over the tensors that have a gradient.</summary>
    public required double GradientNorm { get; init; }

    public required int TensorsWithGradient { get; init; }

    /// <summary>The first pass's loss; null in a step of one pass.</summary>
    public double? Pass1Loss { get; init; }

    /// <summary>The first pass's gradient norm at each perturbed layer's attention output.</summary>
    public IReadOnlyDictionary<int, double> SiteGradientNorms { get; init; } = new Dictionary<int, double>();

    /// <summary>The one norm over all of them.</summary>
    public double? SiteGradientNorm { get; init; }

    /// <summary>What else a method tells, by its names in metrics.jsonl.</summary>
    public IReadOnlyDictionary<string, double> Numbers { get; init; } = new Dictionary<string, double>();
}

/// <summary>Training steps on a reference model, each as its paper says it, without a scheduler or data.</summary>
/// <param name="model">The model; its parameters change.</param>
/// <param name="weightDecay">AdamW's, decoupled.</param>
/// <param name="clip">The largest gradient norm that is left as it is.</param>
/// <param name="epsilon">AdamW's.</param>
public sealed partial class ReferenceTrainer(ReferenceModel model, double weightDecay = 0.1, double clip = 1.0, double epsilon = 1e-8)
{
    private const double NormFloor = 1e-7;

    private readonly ReferenceAdamW optimizer = new(weightDecay, epsilon: epsilon);

    /// <summary>All LoRA matrices.</summary>
    public static bool EveryLora(string name) => ReferenceModel.IsLora(name);

    /// <summary>All LoRA matrices of some layers.</summary>
    public static Func<string, bool> LoraOf(IReadOnlyCollection<int> layers) =>
        name => ReferenceModel.IsLora(name) && layers.Contains(LayerOf(name));

    /// <summary>The attention's LoRA matrices of some layers, and the MLP's of all layers from the lowest of these up.</summary>
    public static Func<string, bool> AttentionLoraOf(IReadOnlyCollection<int> layers) =>
        name => ReferenceModel.IsLora(name)
            && (name.Contains(".mlp.", StringComparison.Ordinal) ? LayerOf(name) >= layers.Min() : layers.Contains(LayerOf(name)));

    /// <summary>Plain supervised training: one pass, one update of the tensors that <paramref name="trains"/> names.</summary>
    public ReferenceStep SupervisedStep(
        IReadOnlyList<ReferenceSample> batch, double learningRate, Func<string, bool> trains, ReferenceRunOptions? options = null) =>
        Update(model.Run(batch, (options ?? new()) with { GradientsOf = trains }), learningRate, trains);

    /// <summary>Supervised training of the LoRA matrices with a further term in the loss, whose gradient is given by their names.</summary>
    public ReferenceStep PenalizedStep(
        IReadOnlyList<ReferenceSample> batch,
        double learningRate,
        IReadOnlyDictionary<string, double[]> penaltyGradient,
        ReferenceRunOptions? options = null)
    {
        ReferenceResult result = model.Run(batch, (options ?? new()) with { GradientsOf = EveryLora });
        foreach ((string name, double[] gradient) in result.Gradients)
        {
            for (int i = 0; i < gradient.Length; i++)
                gradient[i] += penaltyGradient[name][i];
        }
        return Update(result, learningRate, EveryLora);
    }

    /// <summary>Vaccine: perturbs the attention output of every layer.</summary>
    /// <inheritdoc cref="TVaccineStep"/>
    public ReferenceStep VaccineStep(
        IReadOnlyList<ReferenceSample> batch,
        double learningRate,
        double rho,
        ReferenceRunOptions? first = null,
        ReferenceRunOptions? second = null) =>
        TVaccineStep(batch, learningRate, rho, [.. Enumerable.Range(0, model.Configuration.LayerCount)], EveryLora, first, second);

    /// <summary>
    /// T-Vaccine after its choice of layers: pass 1 reads the gradients g at the attention outputs of <paramref name="layers"/>, pass 2
    /// runs with rho g / (norm + 1e-7) added there, the norm being one number over all of them, and its gradients train.
    /// </summary>
    /// <param name="batch">The samples of both passes.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="rho">The perturbation's norm.</param>
    /// <param name="layers">The perturbed layers.</param>
    /// <param name="trains">The tensors to update.</param>
    /// <param name="first">What else pass 1 has, as dropout masks.</param>
    /// <param name="second">What else pass 2 has.</param>
    /// <param name="kind">The site of a layer that is perturbed; of the residual stream the point that enters the layer.</param>
    /// <param name="isPerturbed">The samples that are perturbed, by their place; null for all. The norm is that of their rows.</param>
    public ReferenceStep TVaccineStep(
        IReadOnlyList<ReferenceSample> batch,
        double learningRate,
        double rho,
        IReadOnlyCollection<int> layers,
        Func<string, bool> trains,
        ReferenceRunOptions? first = null,
        ReferenceRunOptions? second = null,
        ReferenceSiteKind kind = ReferenceSiteKind.AttentionOutput,
        Func<int, bool>? isPerturbed = null)
    {
        ReferenceSite SiteOf(int layer) => new(kind, layer);
        double[] rows =
            [.. batch.SelectMany((sample, index) => Enumerable.Repeat(isPerturbed?.Invoke(index) == false ? 0.0 : 1.0, sample.Ids.Length * model.Configuration.HiddenSize))];
        ReferenceResult pass1 = model.Run(batch, (first ?? new()) with { GradientsOf = NoParameter });
        Dictionary<int, double[]> gradients = layers.ToDictionary(
            layer => layer, layer => pass1.SiteGradients[SiteOf(layer)].Zip(rows, static (gradient, row) => gradient * row).ToArray());
        Dictionary<int, double> norms = gradients.ToDictionary(
            static layer => layer.Key, static layer => Math.Sqrt(layer.Value.Sum(static value => value * value)));
        double norm = Math.Sqrt(norms.Values.Sum(each => each * each));
        double scale = rho / (norm + NormFloor);
        var perturbations = layers.ToDictionary(SiteOf, layer => gradients[layer].Select(gradient => scale * gradient).ToArray());

        ReferenceResult pass2 = model.Run(batch, (second ?? new()) with { Perturbations = perturbations, GradientsOf = trains });
        return Update(pass2, learningRate, trains) with
        {
            Pass1Loss = pass1.MeanLoss,
            SiteGradientNorms = norms,
            SiteGradientNorm = norm,
        };
    }

    /// <summary>T-Vaccine's probe: one sample's loss and gradient norm at every layer's attention output. Nothing changes.</summary>
    public (double Loss, double[] Norms) Probe(ReferenceSample sample, ReferenceRunOptions? options = null)
    {
        ReferenceResult result = model.Run([sample], (options ?? new()) with { GradientsOf = NoParameter });
        return (
            result.MeanLoss,
            [.. Enumerable.Range(0, model.Configuration.LayerCount).Select(layer => result.SiteGradientNorm(AttentionOutput(layer)))]);
    }

    /// <summary>RepNoise (arXiv 2405.14577) as the formula of tests/fixtures/traces/repnoise-mmd/config.json says it.</summary>
    /// <param name="harmless">One side of the pairs.</param>
    /// <param name="harmful">The other.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="trains">The tensors to update.</param>
    /// <param name="alpha">Weight of unlearning.</param>
    /// <param name="beta">Weight of the noise loss.</param>
    /// <param name="noise">For each layer (tokens of the harmful side, hidden).</param>
    public ReferenceStep RepNoiseStep(
        IReadOnlyList<ReferenceSample> harmless,
        IReadOnlyList<ReferenceSample> harmful,
        double learningRate,
        Func<string, bool> trains,
        double alpha,
        double beta,
        IReadOnlyList<double[]> noise)
    {
        var pairs = new ReferenceRepNoise(harmless, harmful);
        (double loss, Dictionary<string, double[]> gradients) =
            model.Differentiate(trains, (forward, sites) => pairs.Loss(forward, sites, alpha, beta, noise));
        return Update(loss, gradients, learningRate, trains);
    }

    private static bool NoParameter(string name) => false;

    private static ReferenceSite AttentionOutput(int layer) => new(ReferenceSiteKind.AttentionOutput, layer);

    /// <summary>The layer of a parameter named <c>layers.N. ...</c>.</summary>
    private static int LayerOf(string name) => int.Parse(name.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture);

    private ReferenceStep Update(ReferenceResult result, double learningRate, Func<string, bool> trains) =>
        Update(result.MeanLoss, result.Gradients, learningRate, trains);

    private ReferenceStep Update(double loss, Dictionary<string, double[]> gradients, double learningRate, Func<string, bool> trains)
    {
        string[] names = [.. model.ParameterNames.Where(trains)];
        double norm = Math.Sqrt(names.Sum(name => gradients[name].Sum(gradient => gradient * gradient)));
        double coefficient = Math.Min(1, clip / (norm + 1e-6));
        foreach (string name in names)
        {
            double[] values = model.Read(name);
            double[] clipped = [.. gradients[name].Select(gradient => coefficient * gradient)];
            optimizer.Step(name, values, clipped, learningRate);
            model.Write(name, values);
        }
        return new ReferenceStep { Loss = loss, GradientNorm = norm, TensorsWithGradient = names.Length };
    }
}
