namespace NativeVaccine.TorchReference;

/// <summary>A batch, and what else each of its passes has, as dropout masks.</summary>
/// <param name="Samples">The samples.</param>
/// <param name="Options">By the number of the pass, from 1.</param>
public sealed record ReferenceBatch(IReadOnlyList<ReferenceSample> Samples, Func<uint, ReferenceRunOptions> Options);

/// <summary>What <see cref="ReferenceTrainer.TarStep"/> is told.</summary>
/// <param name="InnerRate">The adversary's learning rate.</param>
/// <param name="UsesAdamW">False for plain gradient descent.</param>
/// <param name="Every">Steps of the adversary between the gradients that are collected.</param>
/// <param name="Weight">Of these gradients.</param>
/// <param name="Decay">Each of them counts exp(-Decay n), n steps before the last.</param>
/// <param name="RetainWeight">Of the hidden distance.</param>
public sealed record ReferenceTar(double InnerRate, bool UsesAdamW, int Every, double Weight, double Decay, double RetainWeight);

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
                ["harmful_difference_norm"] = Norm(Sum(here.Gradients, there.Gradients, -1)),
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

    /// <summary>TAR (arXiv 2408.00761): an adversary's steps with a gradient of the negative entropy on the way, and the retain loss.</summary>
    /// <param name="batch">The samples to be kept.</param>
    /// <param name="adversary">A batch for each of the adversary's steps.</param>
    /// <param name="heldOut">What the negative entropy is taken on.</param>
    /// <param name="original">The parameters that the hidden states are compared with those of.</param>
    /// <param name="learningRate">Of the step.</param>
    /// <param name="settings">The rest.</param>
    public ReferenceStep TarStep(
        ReferenceBatch batch, ReferenceBatch[] adversary, ReferenceBatch heldOut, Dictionary<string, double[]> original, double learningRate, ReferenceTar settings)
    {
        Dictionary<string, double[]> w = Parameters();
        Dictionary<string, double[]> tamper = w.ToDictionary(each => each.Key, each => new double[each.Value.Length]);
        var inner = new ReferenceAdamW(weightDecay: 0.01);
        (double tamperLoss, ReferenceResult? first) = (0, null);
        for (int i = 0; i < adversary.Length; i++)
        {
            uint pass = (uint)i + 1;
            ReferenceResult harm = Run(adversary[i], pass);
            first ??= harm;
            Dictionary<string, double[]> at = Parameters();
            foreach ((string name, double[] values) in at)
            {
                if (settings.UsesAdamW) inner.Step(name, values, harm.Gradients[name], settings.InnerRate);
                else for (int j = 0; j < values.Length; j++) values[j] -= settings.InnerRate * harm.Gradients[name][j];
            }
            Write(at);
            if ((i + 1) % settings.Every != 0) continue;
            double weight = Math.Exp(settings.Decay * (i - (adversary.Length - 1)));
            (double entropy, Dictionary<string, double[]> gradient) = NegativeEntropy(heldOut, pass);
            tamperLoss += weight * entropy;
            tamper = Sum(tamper, gradient, weight);
        }
        Write(w);
        (ReferenceResult retain, double distance) = Retain(batch, original, w, settings.RetainWeight);
        double loss = retain.MeanLoss + (settings.RetainWeight * distance) + (settings.Weight * tamperLoss);
        return Update(loss, Sum(retain.Gradients, tamper, settings.Weight), learningRate, EveryLora) with
        {
            Numbers = new Dictionary<string, double>
            {
                ["harmful_loss"] = first!.MeanLoss,
                ["loss_after"] = tamperLoss,
                ["ce_loss"] = retain.MeanLoss,
                ["hidden_distance"] = distance,
                ["harmful_gradient_norm"] = Norm(first.Gradients),
                ["gradient_norm_after"] = Norm(tamper),
                ["alignment_gradient_norm"] = Norm(retain.Gradients),
            },
        };
    }

    /// <summary>All LoRA matrices, copied.</summary>
    public Dictionary<string, double[]> Parameters() => model.LoraNames.ToDictionary(name => name, model.Read, StringComparer.Ordinal);

    private void Write(Dictionary<string, double[]> parameters)
    {
        foreach ((string name, double[] values) in parameters) model.Write(name, values);
    }

    private ReferenceResult Run(ReferenceBatch batch, uint pass) =>
        model.Run(batch.Samples, batch.Options(pass) with { GradientsOf = EveryLora });

    /// <summary>Its gradient is the difference of two runs, as a run's gradient has the cross-entropy in it.</summary>
    private (double Mean, Dictionary<string, double[]> Gradient) NegativeEntropy(ReferenceBatch batch, uint pass)
    {
        ReferenceRunOptions options = batch.Options(pass) with { GradientsOf = EveryLora };
        ReferenceHead head = new(model.Configuration.LayerCount, 1, ReferenceLossKind.NegativeEntropy);
        ReferenceResult both = model.Run(batch.Samples, options with { Heads = [head] });
        ReferenceResult alone = model.Run(batch.Samples, options);
        return (both.HeadLossSums[0] / both.LabelCount, Sum(both.Gradients, alone.Gradients, -1));
    }

    /// <summary>Cross-entropy, and the mean of |h - h0| over tokens and points of the residual stream; the gradients are of both.</summary>
    private (ReferenceResult Result, double Distance) Retain(
        ReferenceBatch batch, Dictionary<string, double[]> original, Dictionary<string, double[]> w, double weight)
    {
        Write(original);
        ReferenceResult there = model.Run(batch.Samples, new ReferenceRunOptions { GradientsOf = NoParameter });
        Write(w);
        ReferenceResult here = Run(batch, pass: 1);
        int width = model.Configuration.HiddenSize;
        ReferenceSite[] points = [.. model.Sites.Where(site => site.Kind == ReferenceSiteKind.Residual)];
        int rows = here.Activations[points[0]].Length / width * points.Length;
        (double distance, var added) = (0.0, new Dictionary<ReferenceSite, double[]>());
        foreach (ReferenceSite point in points)
        {
            double[] h = here.Activations[point], h0 = there.Activations[point];
            double[] gradient = added[point] = new double[h.Length];
            for (int first = 0; first < h.Length; first += width)
            {
                double norm = Math.Sqrt(Enumerable.Range(first, width).Sum(i => (h[i] - h0[i]) * (h[i] - h0[i])));
                distance += norm / rows;
                for (int i = first; i < first + width && norm > 0; i++) gradient[i] = weight / rows * (h[i] - h0[i]) / norm;
            }
        }
        return (model.Run(batch.Samples, batch.Options(1) with { GradientsOf = EveryLora, AddedGradients = added }), distance);
    }

    private static Dictionary<string, double[]> Sum(Dictionary<string, double[]> a, Dictionary<string, double[]> b, double factor) =>
        a.ToDictionary(each => each.Key, each => each.Value.Zip(b[each.Key], (x, y) => x + (factor * y)).ToArray(), StringComparer.Ordinal);

    private static double Norm(Dictionary<string, double[]> all) => Math.Sqrt(all.Values.Sum(each => each.Sum(value => value * value)));
}
