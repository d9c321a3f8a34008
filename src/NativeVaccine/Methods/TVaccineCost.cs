namespace NativeVaccine.Methods;

/// <summary>
/// The arithmetic of a step of T-Vaccine, in passes of the batch through a layer: forward and back cost the same where the weights are
/// frozen, so SFT's step has 2L and Vaccine's 4L. lm_head, the optimizer and the probe are not in it (docs/methods.md, "What they cost").
/// </summary>
internal sealed record TVaccineCost
{
    /// <summary>L.</summary>
    public required int LayerCount { get; init; }

    /// <summary>S.</summary>
    public required int Layers { get; init; }

    /// <summary>The lowest layer that may be chosen.</summary>
    public required int LowestAllowed { get; init; }

    /// <summary>The layer at which the second pass begins, by the lowest chosen one.</summary>
    public required Func<int, int> Start { get; init; }

    /// <summary>The layer at which the training pass ends, by the lowest chosen one.</summary>
    public required Func<int, int> Floor { get; init; }

    private int Vaccine => 4 * LayerCount;

    private int Sft => 2 * LayerCount;

    /// <summary>Passes through a layer of a step whose lowest chosen layer is <paramref name="lowest"/>.</summary>
    public int Passes(int lowest) => (4 * LayerCount) - lowest - Start(lowest) - Floor(lowest);

    /// <summary>The mean of a number of the lowest chosen layer, if the layers are drawn evenly.</summary>
    public double Mean(Func<int, double> of)
    {
        int allowed = LayerCount - LowestAllowed;
        double mean = 0, chance = (double)Layers / allowed;
        for (int above = 0; above <= allowed - Layers; above++)
        {
            mean += chance * of(LowestAllowed + above);
            chance *= (allowed - above - Layers) / Math.Max(1.0, allowed - above - 1);
        }
        return mean;
    }

    /// <summary>What is said of it.</summary>
    /// <param name="subject">"a step", or which steps.</param>
    public StepCost Describe(string subject)
    {
        (double lowest, double mean, int most) = (Mean(static lowest => lowest), Mean(lowest => Passes(lowest)), Passes(LowestAllowed));
        string drawn = LowestAllowed > 0 ? $"{Layers} of layers {LowestAllowed} to {LayerCount - 1}" : $"{Layers} of {LayerCount} layers";
        return new StepCost(
            [
                FormattableString.Invariant(
                    $"{subject} makes {mean / Vaccine:F2} of Vaccine's passes through layers, {mean / Sft:F2} of SFT's, if {drawn} are drawn evenly (the lowest is {lowest:F1} on average);"),
                FormattableString.Invariant(
                    $"at most {(double)most / Vaccine:F2} and {(double)most / Sft:F2}, where layer {LowestAllowed} is drawn; lm_head and the optimizer are not counted"),
            ],
            new Dictionary<string, double>
            {
                ["of_vaccine"] = mean / Vaccine,
                ["of_vaccine_at_most"] = (double)most / Vaccine,
                ["of_sft"] = mean / Sft,
                ["of_sft_at_most"] = (double)most / Sft,
                ["lowest_layer"] = lowest,
                ["lowest_layer_at_least"] = LowestAllowed,
            });
    }
}
