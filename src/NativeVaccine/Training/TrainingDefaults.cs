using NativeVaccine.Methods;

namespace NativeVaccine.Training;

/// <summary>The settings of a run that nobody gave: those of the papers, or of the authors' programs.</summary>
public static class TrainingDefaults
{
    private const double PaperAlignmentAlpha = 4;
    private const double PlainAlpha = 1;
    private const double Gsm8kAlpha = 0.5;

    /// <summary>The settings for a stage, a method and a preset.</summary>
    /// <param name="stage">Alignment or fine-tuning.</param>
    /// <param name="method">Name of the method.</param>
    /// <param name="preset">Paper or reference.</param>
    /// <param name="data">The training data; "gsm8k" in its name halves alpha in fine-tuning, as in the authors' program.</param>
    public static TrainingOptions For(TrainingStage stage, string method, Preset preset, string? data = null) => new()
    {
        Stage = stage,
        Preset = preset,
        Method = method,
        Data = data,
        LearningRate = stage == TrainingStage.Align ? 1e-3 : 1e-5,
        LoraAlpha = Alpha(stage, preset, data),
        Rho = Rho(method),
        FreezeScope = preset == Preset.Paper ? FreezeScope.Layer : FreezeScope.Attention,
        BackwardFloor = preset == Preset.Paper ? BackwardFloor.Chosen : BackwardFloor.Neighbours,
    };

    private static double Alpha(TrainingStage stage, Preset preset, string? data)
    {
        if (stage == TrainingStage.Align) return preset == Preset.Paper ? PaperAlignmentAlpha : PlainAlpha;
        return data?.Contains("gsm8k", StringComparison.OrdinalIgnoreCase) == true ? Gsm8kAlpha : PlainAlpha;
    }

    /// <summary>The random method's is a variance from the middle of the paper's grid of 1e-4 to 1.</summary>
    private static double Rho(string method) => method switch
    {
        "vaccine" => 2,
        "tvaccine" => 3,
        "random-vaccine" => 0.01,
        _ => 0,
    };
}
