using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>What <see cref="Tar"/>'s adversary trains with.</summary>
public enum InnerOptimizer
{
    /// <summary>A new AdamW in every step, with PyTorch's defaults (betas 0.9 and 0.999, epsilon 1e-8, decay 0.01).</summary>
    Adamw,

    /// <summary>Plain gradient descent, which needs no moments.</summary>
    Sgd,
}

/// <summary>
/// TAR (Tamirisa et al., arXiv 2408.00761, algorithm 1), its second stage: in every step an adversary fine-tunes the model on harmful
/// samples; on the way, gradients are collected that keep it uncertain about harmful samples which the adversary never sees. First order:
/// a gradient at the adversary's parameters counts as one at the model's own. docs/methods.md says what is left out.
/// </summary>
public sealed class Tar(MethodSettings settings) : Method
{
    private const double AdversaryDecay = 0.01;

    private static readonly WholeNumberOption InnerSteps =
        new("inner_steps", "K: steps that TAR's adversary takes in a step of the run", 64, minimum: 1);
    private static readonly WordOption<InnerOptimizer> Optimizer =
        new("inner_optimizer", "what the adversary trains with", InnerOptimizer.Adamw);
    private static readonly NumberOption InnerLearningRate = new("inner_learning_rate", "of the adversary", 2e-5);
    private static readonly NumberOption TamperWeight = new("tamper_weight", "weight of the gradients collected on the way", 4);
    private static readonly WholeNumberOption GradientEvery =
        new("tamper_gradient_every", "steps of the adversary between these gradients", 4, minimum: 1);
    private static readonly NumberOption TamperDecay =
        new("tamper_decay", "a gradient collected n steps before the adversary's last counts exp(-X n)", 0.0625);
    private static readonly NumberOption RetainWeight =
        new("retain_weight", "weight of the distance between the hidden states and those of the model as the run found it", 1);
    private static readonly PoolOption HarmfulData =
        new("harmful_data", "harmful samples", SampleKind.Harmful) { HeldOut = SampleKind.HeldOut };

    private static readonly MethodVector Saved = new("saved_parameters");
    private static readonly MethodVector TamperGradient = new("tamper_gradient");
    private static readonly MethodVector Original = new("original_parameters", IsKept: true);

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("tar", static settings => new Tar(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [InnerSteps, Optimizer, InnerLearningRate, TamperWeight, GradientEvery, TamperDecay, RetainWeight, HarmfulData],
        Metrics =
        [
            new("harmful_loss", "Harmful loss", "Cross-entropy of the adversary's first samples."),
            new("harmful_loss_after", "Harmful loss of the adversary", "Cross-entropy of its last samples, before its last step."),
            new("loss_after", "Tamper resistance", "Negative entropy on the samples held out, summed with its weights of the adversary's steps."),
            new("ce_loss", "Retain loss", "Cross-entropy of the training samples."),
            new("hidden_distance", "Hidden distance", "From the hidden states of the model as the run found it, mean over tokens and layers."),
            new("harmful_gradient_norm", "Harmful gradient", "Norm of the adversary's first gradient."),
            new("gradient_norm_after", "Tamper resistance gradient", "Norm of the gradients collected on the way, with their weights."),
            new("alignment_gradient_norm", "Retain gradient", "Norm of the gradient of retain loss and hidden distance."),
        ],
        Replay =
        [
            new ReplaySamples("harmful_samples", SampleKind.Harmful, InBatches: true),
            new ReplaySamples("held_out_samples", SampleKind.HeldOut, InBatches: true),
        ],
        WhyNoReference = "the authors' program is for its own mixtures of data, in two stages over all parameters",
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new()
    {
        Vectors = settings.Get(RetainWeight) > 0 ? [Saved, TamperGradient, Original] : [Saved, TamperGradient],
        ResidualSites = settings.Get(RetainWeight) > 0 ? new SiteBudget(2) : default,
        FurtherOptimizers = settings.Get(Optimizer) == InnerOptimizer.Adamw ? 1 : 0,
    };

    /// <inheritdoc/>
    public override void RequireFits(int layerCount)
    {
        (int steps, int every) = (settings.Get(InnerSteps), settings.Get(GradientEvery));
        if (every > steps)
        {
            throw new InputException(FormattableString.Invariant(
                $"TAR's adversary takes {steps} steps, and no gradient is collected in fewer than {every}; expected at most {steps} (--tamper-gradient-every)"));
        }
    }

    /// <inheritdoc/>
    public override void Begin(StepContext step)
    {
        if (settings.Get(RetainWeight) > 0) step.Vector(Original).CopyFrom(step.Session.Parameters);
    }

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        ParameterVector saved = step.Vector(Saved), tamper = step.Vector(TamperGradient);
        saved.CopyFrom(session.Parameters);
        double tamperLoss = Tamper(step, tamper);
        session.Parameters.CopyFrom(saved);

        session.Gradients.Zero();
        double retainLoss = Retain(step, saved);
        Scalar retainNorm = session.Gradients.Norm(), tamperNorm = tamper.Norm();
        session.Gradients.Add((float)settings.Get(TamperWeight), tamper);
        step.Update(session.AllTensors);

        step.Metrics.Loss = retainLoss + (settings.Get(TamperWeight) * tamperLoss);
        step.Metrics.Set("loss_after", tamperLoss);
        step.Metrics.Set("gradient_norm_after", tamperNorm.Value);
        step.Metrics.Set("alignment_gradient_norm", retainNorm.Value);
    }

    /// <summary>The adversary's steps, which leave the parameters where they lead.</summary>
    /// <param name="step">The step.</param>
    /// <param name="tamper">Receives the weighted sum of the gradients of the negative entropy.</param>
    /// <returns>The weighted sum of the negative entropies.</returns>
    private double Tamper(StepContext step, ParameterVector tamper)
    {
        (Session session, int steps) = (step.Session, settings.Get(InnerSteps));
        IReadOnlyList<MicroBatch> heldOut = step.Take(SampleKind.HeldOut);
        Scalar? firstNorm = null;
        double tamperLoss = 0;
        if (settings.Get(Optimizer) == InnerOptimizer.Adamw) session.Optimizers[1].Reset();
        tamper.Zero();
        foreach ((int i, IReadOnlyList<MicroBatch> batches) in step.Take(SampleKind.Harmful, steps).Index())
        {
            uint pass = (uint)i + 1;
            session.Gradients.Zero();
            double loss = step.AddGradient(batches, session.Gradients, pass);
            if (i == 0) step.Metrics.Set("harmful_loss", loss);
            if (i == steps - 1) step.Metrics.Set("harmful_loss_after", loss);
            Scalar norm = StepAdversary(session);
            firstNorm ??= norm;
            if ((i + 1) % settings.Get(GradientEvery) != 0) continue;
            double weight = Math.Exp(settings.Get(TamperDecay) * (i - (steps - 1)));
            tamperLoss += weight * AddUncertaintyGradient(session, heldOut, tamper, pass, weight);
        }
        step.Metrics.Set("harmful_gradient_norm", firstNorm!.Value);
        return tamperLoss;
    }

    private Scalar StepAdversary(Session session)
    {
        double rate = settings.Get(InnerLearningRate);
        if (settings.Get(Optimizer) == InnerOptimizer.Adamw)
        {
            session.Optimizers[1].WeightDecay = AdversaryDecay;
            return session.Optimizers[1].Step(session.Gradients, rate);
        }
        Scalar norm = session.Gradients.Norm();
        session.Parameters.Add(-(float)rate, session.Gradients);
        return norm;
    }

    /// <summary>The negative entropy of some micro-batches, and its gradient times a weight, which is added to a vector.</summary>
    private static double AddUncertaintyGradient(
        Session session, IReadOnlyList<MicroBatch> batches, ParameterVector gradient, uint pass, double weight)
    {
        LossHead[] heads = [new(session.LayerCount, LossKind.NegativeEntropy)];
        double loss = 0;
        foreach (MicroBatch micro in batches)
        {
            PassResult result = session.Forward(micro.Batch, micro.PassOptions(pass) with { Heads = heads });
            session.Backward(new BackwardOptions { Gradients = gradient, LossScale = (float)(weight * micro.Share) });
            loss += micro.Share * result.MeanLoss;
        }
        return loss;
    }

    /// <summary>Cross-entropy and hidden distance of the training samples, whose gradient is added to the session's.</summary>
    private double Retain(StepContext step, ParameterVector saved)
    {
        IReadOnlyList<MicroBatch> batches = step.Take(SampleKind.Training);
        double weight = settings.Get(RetainWeight);
        if (weight == 0)
        {
            double alone = step.AddGradient(batches, step.Session.Gradients);
            step.Metrics.Set("ce_loss", alone);
            return alone;
        }
        Session session = step.Session;
        SiteTensor here = session.Site(SiteKind.Residual, 0), there = session.Site(SiteKind.Residual, 1);
        here.Select(LayerSet.All(session.LayerCount + 1));
        there.Select(LayerSet.All(session.LayerCount + 1));
        (double loss, double distance) = (0, 0);
        foreach (MicroBatch micro in batches)
        {
            session.Parameters.CopyFrom(step.Vector(Original));
            session.Forward(micro.Batch, new ForwardOptions { ForBackward = false, Heads = [], Record = [there] });
            session.Parameters.CopyFrom(saved);
            PassResult result = session.Forward(micro.Batch, micro.PassOptions(pass: 1) with { Record = [here] });
            distance += micro.Share * TakeDistance(here, there, weight * micro.Share);
            session.Backward(new BackwardOptions { Gradients = session.Gradients, LossScale = micro.Share, Add = [here] });
            loss += micro.Share * result.MeanLoss;
        }
        step.Metrics.Set("ce_loss", loss);
        step.Metrics.Set("hidden_distance", distance);
        return loss + (weight * distance);
    }

    /// <summary>
    /// The mean over tokens and points of |h - h0|, the Euclidean norm over the hidden elements; <paramref name="here"/>, which was h,
    /// becomes its gradient by h times <paramref name="weight"/>. Where both are the same, that is 0. On the host, a point at a time.
    /// </summary>
    private static double TakeDistance(SiteTensor here, SiteTensor there, double weight)
    {
        double sum = 0;
        double rows = (double)here.TokenCount * here.Layers.Count;
        foreach (int point in here.Layers)
        {
            float[] h = here.Read(point), h0 = there.Read(point);
            int width = h.Length / here.TokenCount;
            for (int first = 0; first < h.Length; first += width)
            {
                double square = 0;
                for (int i = first; i < first + width; i++)
                {
                    h[i] -= h0[i];
                    square += (double)h[i] * h[i];
                }
                double norm = Math.Sqrt(square);
                float factor = norm > 0 ? (float)(weight / rows / norm) : 0;
                for (int i = first; i < first + width; i++) h[i] *= factor;
                sum += norm;
            }
            here.Write(point, h);
        }
        return sum / rows;
    }
}
