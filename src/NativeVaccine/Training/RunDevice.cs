using NativeVaccine.Engine;
using NativeVaccine.Models;

namespace NativeVaccine.Training;

/// <summary>What the options about the device mean on the device that they name.</summary>
public static class RunDevice
{
    /// <summary>
    /// The options as they take effect: on a GPU <see cref="WeightPrecision.Stored"/> stands for bf16, no
    /// <see cref="TrainingOptions.DeviceMemory"/> for what is free less <see cref="Device.ReservedBytes"/>, and
    /// <see cref="GemmChoice.Auto"/> for the GEMM backend there, so that a run goes on with the same bits elsewhere or not at all.
    /// </summary>
    public static TrainingOptions Effective(TrainingOptions options, Device device) => !device.IsGpu ? options : OnAnyGpu(options) with
    {
        DeviceMemory = options.DeviceMemory == 0 ? device.PlannableBytes : options.DeviceMemory,
        Gemm = device.Info.Gemm,
    };

    /// <summary>
    /// The same for a run that goes on, which keeps to its own settings but takes no more memory than is free now. Results are bit-identical
    /// whatever the plan.
    /// </summary>
    public static TrainingOptions EffectiveAgain(TrainingOptions options, Device device)
    {
        TrainingOptions effective = Effective(options, device);
        return !device.IsGpu ? effective : effective with { DeviceMemory = Math.Min(effective.DeviceMemory, device.PlannableBytes) };
    }

    /// <summary>The part of <see cref="Effective"/> that holds on every GPU.</summary>
    public static TrainingOptions OnAnyGpu(TrainingOptions options) => options with
    {
        Precision = options.Precision == WeightPrecision.Stored ? WeightPrecision.Bf16 : options.Precision,
    };

    /// <summary>What a session on the device holds its numbers in.</summary>
    /// <param name="device">The device; null for any GPU.</param>
    /// <param name="precision">As it was asked for.</param>
    /// <param name="isStoredAsBFloat16">Whether all weights are bf16 in their files, and nothing is merged into them.</param>
    public static NumberTypes Types(Device? device, WeightPrecision precision, bool isStoredAsBFloat16) => precision switch
    {
        WeightPrecision.Fp32 => NumberTypes.Fp32,
        _ when device?.IsGpu ?? true => NumberTypes.Bf16,
        WeightPrecision.Bf16 => new NumberTypes(ElementType.BFloat16, ElementType.Float32),
        _ => new NumberTypes(isStoredAsBFloat16 ? ElementType.BFloat16 : ElementType.Float32, ElementType.Float32),
    };

    /// <summary>The same for a model from its files. Weights that adapters are merged into would lose in bf16 what the adapters added.</summary>
    public static NumberTypes Types(Device? device, WeightPrecision precision, ModelFolder model, int mergedAdapters) => Types(
        device,
        precision,
        mergedAdapters == 0 && ExpectedWeight.Of(model.Configuration).All(weight => model.Info(weight.Name).Type == ElementType.BFloat16));
}
