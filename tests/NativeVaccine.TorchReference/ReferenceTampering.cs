namespace NativeVaccine.TorchReference;

/// <summary>A batch, and what else each of its passes has, as dropout masks.</summary>
/// <param name="Samples">The samples.</param>
/// <param name="Options">By the number of the pass, from 1.</param>
public sealed record ReferenceBatch(IReadOnlyList<ReferenceSample> Samples, Func<uint, ReferenceRunOptions> Options);

/// <summary>The methods that look at what a step on harmful samples would do. LoRA alone trains.</summary>
public sealed partial class ReferenceTrainer
{
    /// <summary>Booster (arXiv 2409.01586): the gradient of f(w) + lambda (h(w) - h(w - alpha g_h / |g_h|)), the step a constant.</summary>
    public ReferenceStep BoosterStep(ReferenceBatch batch, ReferenceBatch harmful, double learningRate, double alpha, double lambda)
    {
        Dictionary<string, double[]> w = Parameters();
        ReferenceResult here = Run(harmful, pass: 1);
        double scale = alpha / (Norm(here.Gradients) + NormFloor);
        Write(Sum(w, here.Gradients, -scale));
        ReferenceResult there = Run(harmful, pass: 1);
        Write(w);
        ReferenceResult alignment = Run(batch, pass: 1);
        Dictionary<string, double[]> gradients = Sum(Sum(alignment.Gradients, here.Gradients, lambda), there.Gradients, -lambda);
        return Update(alignment.MeanLoss, gradients, learningRate, EveryLora) with
        {
            Numbers = new Dictionary<string, double>
            {
                ["harmful_loss"] = here.MeanLoss,
                ["harmful_loss_after"] = there.MeanLoss,
                ["harmful_gradient_norm"] = Norm(here.Gradients),
                ["harmful_gradient_norm_after"] = Norm(there.Gradients),
                ["alignment_gradient_norm"] = Norm(alignment.Gradients),
            },
        };
    }

    /// <summary>TAR's small form: the gradient of f(w) + weight f(w - rate g_h), the step a constant.</summary>
    public ReferenceStep TarLiteStep(ReferenceBatch batch, ReferenceBatch harmful, double learningRate, double innerRate, double weight)
    {
        Dictionary<string, double[]> w = Parameters();
        ReferenceResult harm = Run(harmful, pass: 1);
        Write(Sum(w, harm.Gradients, -innerRate));
        ReferenceResult there = Run(batch, pass: 2);
        Write(w);
        ReferenceResult alignment = Run(batch, pass: 1);
        return Update(alignment.MeanLoss, Sum(alignment.Gradients, there.Gradients, weight), learningRate, EveryLora) with
        {
            Numbers = new Dictionary<string, double>
            {
                ["harmful_loss"] = harm.MeanLoss,
                ["loss_after"] = there.MeanLoss,
                ["harmful_gradient_norm"] = Norm(harm.Gradients),
                ["gradient_norm_after"] = Norm(there.Gradients),
                ["alignment_gradient_norm"] = Norm(alignment.Gradients),
            },
        };
    }

    private Dictionary<string, double[]> Parameters() => model.LoraNames.ToDictionary(name => name, model.Read, StringComparer.Ordinal);

    private void Write(Dictionary<string, double[]> parameters)
    {
        foreach ((string name, double[] values) in parameters) model.Write(name, values);
    }

    private ReferenceResult Run(ReferenceBatch batch, uint pass) =>
        model.Run(batch.Samples, batch.Options(pass) with { GradientsOf = EveryLora });

    private static Dictionary<string, double[]> Sum(Dictionary<string, double[]> a, Dictionary<string, double[]> b, double factor) =>
        a.ToDictionary(each => each.Key, each => each.Value.Zip(b[each.Key], (x, y) => x + (factor * y)).ToArray(), StringComparer.Ordinal);

    private static double Norm(Dictionary<string, double[]> all) => Math.Sqrt(all.Values.Sum(each => each.Sum(value => value * value)));
}
