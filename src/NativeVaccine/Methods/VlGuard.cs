using NativeVaccine.Data;
using NativeVaccine.Training;

namespace NativeVaccine.Methods;

/// <summary>
/// VLGuard's recipe (Zong et al., arXiv 2402.02207, "mixed" fine-tuning), a baseline of the Vaccine paper (arXiv 2402.01109): some guide
/// samples are appended to the user's, and all are fine-tuned on. A step is SFT's.
/// </summary>
public static class VlGuard
{
    private static readonly WholeNumberOption GuideCount =
        new("guide_count", "how many of the guide samples, the first ones, are appended to the user's", 500, minimum: 1) { AcrossSteps = true };
    private static readonly PoolOption GuideData =
        new("guide_data", "samples that keep a fine-tuned model safe", SampleKind.Guide) { Appended = GuideCount };

    /// <summary>Its name and options.</summary>
    public static MethodInfo Info { get; } = new("vlguard", static _ => new Sft())
    {
        Stages = [TrainingStage.Finetune],
        Options = [GuideCount, GuideData],
        WhyNoReference = "the authors' program for it does not start, as it lacks arguments that it requires",
    };
}
