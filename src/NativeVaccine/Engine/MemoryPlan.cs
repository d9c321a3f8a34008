using System.Runtime.CompilerServices;
using NativeVaccine.Interop;
using NativeVaccine.Models;

namespace NativeVaccine.Engine;

/// <summary>A line of a memory plan.</summary>
/// <param name="Name">What the bytes are for.</param>
/// <param name="Bytes">How many.</param>
public sealed record MemoryPlanItem(string Name, long Bytes);

/// <summary>
/// Every byte that a session will take, computed from shapes alone before anything is loaded or taken. It does not change, and one plan may
/// make many sessions.
/// </summary>
public sealed class MemoryPlan : IDisposable
{
    private MemoryPlan(PlanHandle handle, ModelConfiguration configuration, SessionOptions options)
    {
        (Handle, Configuration, Options) = (handle, configuration, options);
        var summary = new NativePlanSummary { StructSize = (uint)Unsafe.SizeOf<NativePlanSummary>() };
        NativeMethods.PlanGetSummary(handle, ref summary).ThrowIfFailed();
        TotalBytes = summary.TotalBytes;
        RecomputedLayers = summary.RecomputedLayers;
        HeadRows = summary.HeadRows;
        ParameterCount = summary.Parameters;
        TrainableParameterCount = summary.TrainableParameters;
        Items = [.. Enumerable.Range(0, summary.Items).Select(index => ReadItem(handle, index))];
    }

    /// <summary>All bytes together: exactly what a session takes from the device.</summary>
    public long TotalBytes { get; }

    /// <summary>What they are for; they add up to <see cref="TotalBytes"/>.</summary>
    public IReadOnlyList<MemoryPlanItem> Items { get; }

    /// <summary>How many layers, from the lowest, recompute their activations.</summary>
    public int RecomputedLayers { get; }

    /// <summary>Rows of logits computed at a time.</summary>
    public int HeadRows { get; }

    /// <summary>Parameters of the model, without adapters.</summary>
    public long ParameterCount { get; }

    /// <summary>Elements of a <see cref="ParameterVector"/>.</summary>
    public long TrainableParameterCount { get; }

    /// <summary>What was asked for.</summary>
    public SessionOptions Options { get; }

    /// <summary>The model that it is for.</summary>
    public ModelConfiguration Configuration { get; }

    internal PlanHandle Handle { get; }

    /// <summary>Makes a plan.</summary>
    /// <param name="device">The device that the sessions will be on.</param>
    /// <param name="configuration">Shapes of the model.</param>
    /// <param name="options">What there must be room for.</param>
    /// <exception cref="InputException">An option is out of range or unsupported on this device.</exception>
    /// <exception cref="EngineException">
    /// <see cref="EngineError.OutOfMemory"/>: the memory limit cannot be met; the message says by how much and what helps.
    /// </exception>
    public static unsafe MemoryPlan Create(Device device, ModelConfiguration configuration, SessionOptions options)
    {
        fixed (NativeLayerShape* layers = ShapeOfModel.Layers(configuration))
        {
            NativeModelShape shape = ShapeOfModel.Of(configuration, options.ActivationType, layers);
            NativeMethods.PlanCreate(device.Handle, shape, NativeOptions(options), out PlanHandle handle).ThrowIfFailed();
            return new MemoryPlan(handle, configuration, options);
        }
    }

    /// <summary>Makes the plan that the CUDA engine makes on any GPU, byte for byte; it and a GPU need not be there.</summary>
    /// <param name="configuration">Shapes of the model.</param>
    /// <param name="options">What there must be room for.</param>
    /// <exception cref="InputException">An option is out of range, or no engine is there.</exception>
    /// <exception cref="EngineException">As <see cref="Create"/>.</exception>
    public static unsafe MemoryPlan CreateForGpu(ModelConfiguration configuration, SessionOptions options)
    {
        Device.LoadAnyEngine();
        fixed (NativeLayerShape* layers = ShapeOfModel.Layers(configuration))
        {
            NativeModelShape shape = ShapeOfModel.Of(configuration, options.ActivationType, layers);
            NativeMethods.PlanCreateForGpu(shape, NativeOptions(options), out PlanHandle handle).ThrowIfFailed();
            return new MemoryPlan(handle, configuration, options);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();

    private static NativePlanOptions NativeOptions(SessionOptions options)
    {
        var native = new NativePlanOptions
        {
            StructSize = (uint)Unsafe.SizeOf<NativePlanOptions>(),
            MaxTokens = options.MaxTokens,
            MaxSamples = options.MaxSamples,
            LongestSample = options.LongestSample,
            WeightType = NativeType(options.WeightType, nameof(options.WeightType)),
            ActivationType = NativeType(options.ActivationType, nameof(options.ActivationType)),
            Training = options.Training ? 1 : 0,
            Full = options.Full ? 1 : 0,
            Optimizers = options.Optimizers,
            ExtraVectors = options.ExtraVectors,
            HeadRows = options.HeadRows,
            TeacherRows = options.TeacherRows,
            RecomputedLayers = options.RecomputedLayers,
            MemoryLimit = options.MemoryLimit,
            DecodeSamples = options.DecodeSamples,
            DecodeCapacity = options.DecodeCapacity,
        };
        if (options.Lora is { } lora)
        {
            native.LoraRank = lora.Rank;
            native.LoraAlpha = lora.Alpha;
            native.LoraDropout = lora.Dropout;
            native.LoraTargets = lora.Targets.Aggregate(0u, static (mask, target) => mask | (1u << (int)target));
        }
        foreach (SiteKind kind in Enum.GetValues<SiteKind>())
        {
            native.SiteTensors[(int)kind] = options.Sites(kind).Tensors;
            native.SiteLayers[(int)kind] = options.Sites(kind).Layers;
        }
        return native;
    }

    private static int NativeType(ElementType type, string option) => type switch
    {
        ElementType.Float32 => 0,
        ElementType.BFloat16 => 1,
        _ => throw new InputException($"{option} is {type}; expected {ElementType.Float32} or {ElementType.BFloat16}"),
    };

    private static MemoryPlanItem ReadItem(PlanHandle handle, int index)
    {
        var item = new NativePlanItem { StructSize = (uint)Unsafe.SizeOf<NativePlanItem>() };
        NativeMethods.PlanGetItem(handle, index, ref item).ThrowIfFailed();
        return new MemoryPlanItem(NativeText.Read(item.Name), item.Bytes);
    }
}
