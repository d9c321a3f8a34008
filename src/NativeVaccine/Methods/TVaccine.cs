using System.Text.Json.Nodes;
using NativeVaccine.Engine;

namespace NativeVaccine.Methods;

/// <summary>
/// T-Vaccine (Liu et al., arXiv 2410.09760): Vaccine on few layers at a time, those at which harmful samples
/// pull hardest.
/// </summary>
public sealed class TVaccine(TVaccineOptions options) : Method
{
    private double[] probabilities = [];
    private LayerSet chosen = LayerSet.Empty;
    private int layersOfModel;

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new(
        "tvaccine",
        static options => new TVaccine(
            new TVaccineOptions(options.Rho, options.Layers, options.ResampleEvery, options.ProbeEvery)
            {
                FreezeScope = options.FreezeScope,
                BackwardFloor = options.BackwardFloor,
                SameMasks = options.SameMasks,
            }),
        new MethodOption("rho", Default: 3),
        new MethodOption("layers"),
        new MethodOption("resample_every"),
        new MethodOption("probe_every"),
        new MethodOption("probe_data"),
        new MethodOption("freeze_scope"),
        new MethodOption("backward_floor"),
        new MethodOption("same_masks"));

    /// <inheritdoc/>
    public override string Name => Info.Name;

    /// <inheritdoc/>
    public override MethodNeeds Needs { get; } = new() { AttentionSites = new SiteBudget(1, options.Layers), HarmfulPool = true };

    /// <inheritdoc/>
    public override void RequireFits(int layerCount)
    {
        layersOfModel = layerCount;
        if (options.Layers > layerCount)
            throw new InputException($"T-Vaccine cannot choose {options.Layers} layers of {layerCount}; expected fewer (--layers)");
    }

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        if (step.Number % options.ProbeEvery == 0) Probe(step);
        if (step.Number % options.ResampleEvery == 0 || step.Replay?.ActiveLayers is not null) chosen = ChooseLayers(step);
        step.Metrics.ActiveLayers = chosen;

        int floor = TrainableTensors.Floor(options.BackwardFloor, chosen, session.LayerCount);
        TensorSet trainable = TrainableTensors.Of(session, options.FreezeScope, chosen, floor);
        SiteTensor e = session.Site(SiteKind.AttentionOutput);
        e.Select(chosen);
        session.Gradients.Zero(trainable);
        foreach (MicroBatch micro in step.MicroBatches)
        {
            // First pass: g_l, the gradient at e_l of the chosen layers, and N, the norm of all of them. No weight needs a gradient.
            ForwardOptions masks = micro.Masks(pass: 1);
            PassResult first = session.Forward(micro.Batch, masks);
            session.Backward(new BackwardOptions { Read = [e] });
            SiteNorms gradient = e.Norms();

            // epsilon_l = rho * g_l / (N + 1e-7)
            e.ScaleToNorm((float)options.Rho, gradient);
            SiteNorms perturbation = e.Norms();

            // Second pass: the loss at e_l + epsilon_l, with epsilon_l a constant, is the one that trains. Below the lowest chosen layer it
            // would repeat the first one where both drop out the same.
            bool repeats = options.SameMasks || !masks.Dropout;
            masks = repeats ? masks with { FromLayer = chosen.Lowest } : micro.Masks(pass: 2);
            PassResult second = session.Forward(micro.Batch, masks with { Add = [e] });
            session.Backward(new BackwardOptions
            {
                Gradients = session.Gradients,
                Tensors = trainable,
                Floor = floor,
                LossScale = micro.Share,
            });

            micro.RecordFirstPass(first, gradient);
            micro.RecordPerturbation(perturbation);
            micro.Record(second);
        }
        step.Update(trainable);
    }

    /// <inheritdoc/>
    public override JsonObject SaveState() => new()
    {
        ["probabilities"] = new JsonArray([.. probabilities.Select(static p => double.IsFinite(p) ? JsonValue.Create(p) : null)]),
        ["chosen"] = new JsonArray([.. chosen.Select(static layer => (JsonNode)layer)]),
    };

    /// <inheritdoc/>
    public override void RestoreState(JsonObject state)
    {
        if (state["probabilities"] is not JsonArray savedProbabilities || state["chosen"] is not JsonArray savedLayers)
            throw new InputException("the checkpoint has no state of T-Vaccine; expected probabilities and chosen layers");
        bool isOfTheModel = savedProbabilities.Count <= layersOfModel && savedLayers.All(IsLayer);
        if (!isOfTheModel) throw new InputException($"the checkpoint names other layers than the model's {layersOfModel}");
        probabilities =
            [.. savedProbabilities.Select(static p => p is JsonValue value && value.TryGetValue(out double share) ? share : double.NaN)];
        chosen = LayerSet.Of(savedLayers.Select(static layer => layer!.GetValue<int>()));

        bool IsLayer(JsonNode? node) => node is JsonValue value && value.TryGetValue(out int layer) && (uint)layer < (uint)layersOfModel;
    }

    /// <summary>p_l = |g_l| / sum_k |g_k|, of a harmful sample.</summary>
    private void Probe(StepContext step)
    {
        HarmfulPool pool = step.Harmful ?? throw new InvalidOperationException("T-Vaccine needs harmful samples");
        int[] samples = step.Replay?.ProbeSamples ?? [pool.Draw(step.Number / options.ProbeEvery)];
        PassResult pass = step.Session.Forward(pool.Batch(samples), step.ProbeMasks());
        SiteNorms norms = step.Session.Backward(new BackwardOptions { NormsOf = SiteKind.AttentionOutput })!;

        double[] byLayer = [.. norms.Layers.Select(layer => norms[layer])];
        probabilities = LayerSampler.Probabilities(byLayer);
        step.Metrics.ProbeSamples = samples;
        step.Metrics.ProbeLoss = pass.MeanLoss;
        step.Metrics.ProbeNorms = byLayer;
        step.Metrics.Probabilities = probabilities;
    }

    private LayerSet ChooseLayers(StepContext step)
    {
        if (step.Replay?.ActiveLayers is { } layers)
        {
            if (layers.Length > options.Layers)
            {
                throw new InputException(
                    $"replay: step {step.Number} chooses {layers.Length} layers; expected at most {options.Layers} (--layers)");
            }
            return LayerSet.Of(layers);
        }
        LayerSampler.Choice choice = LayerSampler.Sample(probabilities, options.Layers, step.Seed, step.Number);
        if (choice.Uniform)
            step.Notice?.Invoke($"step {step.Number}: the probe gave fewer than {options.Layers} usable layers; all were equally likely");
        return choice.Layers;
    }
}
