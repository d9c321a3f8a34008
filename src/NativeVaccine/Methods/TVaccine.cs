using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// T-Vaccine (Liu et al., arXiv 2410.09760): Vaccine on few layers at a time, those at which harmful samples
/// pull hardest.
/// </summary>
public sealed class TVaccine(MethodSettings settings) : Method
{
    private static readonly NumberOption Rho = new("rho", "norm of the perturbation, all layers together", 3);
    private static readonly WholeNumberOption Layers = new("layers", "S: layers that T-Vaccine chooses", 8, minimum: 1);
    private static readonly WholeNumberOption ResampleEvery =
        new("resample_every", "J: steps between T-Vaccine's choices of layers", 20, minimum: 1) { AcrossSteps = true };
    private static readonly WholeNumberOption ProbeEvery =
        new("probe_every", "K: steps between T-Vaccine's looks at a harmful sample", 200, minimum: 1) { AcrossSteps = true };
    private static readonly WordOption<LayerSampling> Sampling = new(
        "layer_sampling",
        "how T-Vaccine chooses layers: by their gradient p, evenly (harmful samples are still looked at, for the metrics), by 1/p, the largest p, or by p in the upper half",
        LayerSampling.Gradient);
    private static readonly PoolOption HarmfulData =
        new("harmful_data", "harmful samples", SampleKind.Harmful, samplesAtATime: 1);
    private static readonly WordOption<FreezeScope> Scope =
        new("freeze_scope", "what T-Vaccine freezes in layers not chosen: all, or only their attention", FreezeScope.Layer, FreezeScope.Attention);
    private static readonly WordOption<BackwardFloor> FloorRule =
        new("backward_floor", "how far down T-Vaccine's training pass goes", BackwardFloor.Chosen, BackwardFloor.Neighbours);
    private static readonly SwitchOption SameMasks = new("same_masks", "the perturbed pass drops out what the first pass did");

    private readonly PerturbedTraining perturbed = new(settings);
    private double[] probabilities = [];
    private LayerSet chosen = LayerSet.Empty;
    private int layersOfModel;

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("tvaccine", static settings => new TVaccine(settings))
    {
        Stages = [TrainingStage.Align],
        Options = [Rho, Layers, ResampleEvery, ProbeEvery, Sampling, HarmfulData, Scope, FloorRule, SameMasks, .. PerturbedTraining.Options],
        Metrics =
        [
            new("active_layers", "Active layers", "Filled where the layer was chosen.", MetricKind.Layers),
            new(
                "probabilities", "Probe probabilities",
                "A column for each probe: every layer's share of the harmful samples' gradient norm.", MetricKind.LayerShares),
            new("probe_norms", "Probe norms", "A column for each probe: the norm of the harmful samples' gradient at each layer.", MetricKind.LayerNumbers),
            .. PerturbedTraining.MetricsAgainstTheLoss,
        ],
        Replay = [new ReplaySamples("probe_samples", SampleKind.Harmful), new ReplayLayers("active_layers")],
    };

    /// <inheritdoc/>
    public override MethodNeeds Needs => perturbed.Needs(settings.Get(Layers));

    /// <inheritdoc/>
    public override void RequireFits(int layerCount)
    {
        layersOfModel = layerCount;
        if (settings.Get(Layers) > layerCount)
            throw new InputException($"T-Vaccine cannot choose {settings.Get(Layers)} layers of {layerCount}; expected fewer (--layers)");
        int lowest = LayerSampler.LowestOf(settings.Get(Sampling), layerCount);
        if (settings.Get(Layers) > layerCount - lowest)
        {
            throw new InputException(
                $"T-Vaccine cannot choose {settings.Get(Layers)} of the {layerCount - lowest} layers of the upper half of {layerCount}; "
                + "expected fewer (--layers), or another --layer-sampling");
        }
    }

    /// <inheritdoc/>
    public override StepCost Cost(int layerCount, bool dropout)
    {
        var cost = new TVaccineCost
        {
            LayerCount = layerCount,
            Layers = settings.Get(Layers),
            LowestAllowed = LayerSampler.LowestOf(settings.Get(Sampling), layerCount),
            Start = lowest => Repeats(dropout) ? perturbed.FirstTouched(lowest) : 0,
            // Where the others are frozen, nothing below the lowest chosen layer asks for a gradient.
            Floor = lowest => settings.Get(Scope) == FreezeScope.Layer
                ? lowest
                : TVaccineFreezing.Floor(settings.Get(FloorRule), LayerSet.Of(lowest), layerCount),
        };
        return cost.Describe(perturbed.PerturbsToTheEnd ? "a step" : "a perturbed step");
    }

    /// <inheritdoc/>
    public override void Step(StepContext step)
    {
        Session session = step.Session;
        if (step.Number % settings.Get(ProbeEvery) == 0) Probe(step);
        if (step.Number % settings.Get(ResampleEvery) == 0 || step.Replay?.Integers("active_layers") is not null) chosen = ChooseLayers(step);
        step.Metrics.Set("active_layers", chosen);

        int floor = TVaccineFreezing.Floor(settings.Get(FloorRule), chosen, session.LayerCount);
        TensorSet trainable = TVaccineFreezing.Trainable(session, settings.Get(Scope), chosen, floor);
        perturbed.Step(step, chosen, trainable, floor, (micro, e) =>
        {
            Action record = perturbed.AgainstTheLoss(step, micro, e, settings.Get(Rho));
            // Below what it perturbs the second pass would repeat the first one where both drop out the same.
            return new Perturbation(
                Repeats(micro.Dropout)
                    ? micro.PassOptions(pass: 1) with { FromLayer = perturbed.FirstTouched(chosen.Lowest) }
                    : micro.PassOptions(pass: 2),
                record);
        });
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

    /// <inheritdoc/>
    public override JsonObject EvenReplay(int layerCount)
    {
        (int lowest, int count) = (LayerSampler.LowestOf(settings.Get(Sampling), layerCount), settings.Get(Layers));
        IEnumerable<int> spread = Enumerable.Range(0, count).Select(index => lowest + (int)((long)index * (layerCount - lowest) / count));
        return new() { ["active_layers"] = new JsonArray([.. spread.Select(static layer => (JsonNode)layer)]) };
    }

    /// <summary>Whether both passes drop out the same.</summary>
    private bool Repeats(bool dropout) => settings.Get(SameMasks) || !dropout;

    /// <summary>p_l = |g_l| / sum_k |g_k|, of a harmful sample.</summary>
    private void Probe(StepContext step)
    {
        MicroBatch harmful = step.Take(SampleKind.Harmful)[0];
        PassResult pass = step.Session.Forward(harmful.Batch, harmful.PassOptions(pass: 1));
        SiteNorms norms = step.Session.Backward(new BackwardOptions { NormsOf = perturbed.Site })!;

        double[] byLayer = [.. Enumerable.Range(0, step.Session.LayerCount).Select(layer => norms[layer])];
        probabilities = LayerSampler.Probabilities(byLayer);
        step.Metrics.Set("probe_loss", pass.MeanLoss);
        step.Metrics.Set("probe_norms", byLayer);
        step.Metrics.Set("probabilities", probabilities);
    }

    private LayerSet ChooseLayers(StepContext step)
    {
        int count = settings.Get(Layers);
        if (step.Replay?.Integers("active_layers") is { } layers)
        {
            return layers.Length <= count
                ? LayerSet.Of(layers)
                : throw new InputException($"replay: step {step.Number} chooses {layers.Length} layers; expected at most {count} (--layers)");
        }
        LayerSampler.Choice choice = LayerSampler.Choose(settings.Get(Sampling), probabilities, count, step.Seed, step.Number);
        if (choice.Uniform)
            step.Notice?.Invoke($"step {step.Number}: the probe gave fewer than {count} layers a usable weight; all were equally likely");
        return choice.Layers;
    }
}
