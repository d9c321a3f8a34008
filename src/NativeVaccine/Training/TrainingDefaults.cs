using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>The settings of a run that nobody gave: those of the papers, or of the authors' programs.</summary>
public static class TrainingDefaults
{
    private const double PaperAlignmentAlpha = 4;
    private const double PlainAlpha = 1;

    /// <summary>The settings for a stage, a method and a preset.</summary>
    /// <param name="stage">Alignment or fine-tuning.</param>
    /// <param name="method">Name of the method.</param>
    /// <param name="preset">Paper or reference.</param>
    /// <exception cref="InputException">The method has no such preset.</exception>
    public static TrainingOptions For(TrainingStage stage, string method, Preset preset)
    {
        if (preset == Preset.Reference && MethodCatalog.Find(method)?.WhyNoReference is { } why)
            throw new InputException($"method {method} has no preset reference: {why}; expected --preset paper");
        return new()
        {
            Stage = stage,
            Preset = preset,
            Method = method,
            Settings = MethodSettings.Of(preset),
            LearningRate = stage == TrainingStage.Align ? 1e-3 : 1e-5,
            LoraAlpha = stage == TrainingStage.Align && preset == Preset.Paper ? PaperAlignmentAlpha : PlainAlpha,
        };
    }
}
