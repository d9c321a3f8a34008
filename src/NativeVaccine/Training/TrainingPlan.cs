using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Methods;
using NativeVaccine.Models;

namespace NativeVaccine.Training;

/// <summary>What a session must have room for, so that a run fits into it exactly.</summary>
public static class TrainingPlan
{
    /// <summary>The session's options for a run whose data is known.</summary>
    /// <exception cref="InputException">The adapted projections cannot be parsed, or the data is empty.</exception>
    public static SessionOptions For(TrainingOptions options, Method method, TrainingData data, NumberTypes types) =>
        For(options, method, new SampleStreams(options, data).Limits(), types, data.TamperPrompts);

    /// <summary>The same for a run whose data is not: every sample may have the largest length.</summary>
    /// <param name="options">Of the run.</param>
    /// <param name="method">What a step is.</param>
    /// <param name="types">What numbers are held in.</param>
    /// <param name="tamperPrompts">What the model is asked on its way; null for nothing.</param>
    /// <exception cref="InputException">Batch and length together are more tokens than a batch can have, or as above.</exception>
    public static SessionOptions For(TrainingOptions options, Method method, NumberTypes types, HarmfulPrompts? tamperPrompts = null) =>
        For(options, method, LimitsOf(options), types, tamperPrompts);

    private static BatchLimits LimitsOf(TrainingOptions options)
    {
        IEnumerable<PoolOption> pools = MethodCatalog.Find(options.Method)?.Streams ?? [];
        int samples = pools.Select(pool => options.BatchOf(pool.Kind)).Append(options.Batch).Max();
        int tokens = Batch.RequireTokens((long)samples * options.MaxLength);
        return new BatchLimits(tokens, samples, options.MaxLength, MaxLabels: tokens - samples);
    }

    private static SessionOptions For(
        TrainingOptions options, Method method, BatchLimits limits, NumberTypes types, HarmfulPrompts? tamperPrompts)
    {
        SessionOptions training = For(options, method, limits, types);
        return tamperPrompts is null ? training : TamperWatch.AddRoom(training, tamperPrompts, options.TrackDrift);
    }

    private static SessionOptions For(TrainingOptions options, Method method, BatchLimits limits, NumberTypes types) => new()
    {
        MaxTokens = limits.MaxTokens,
        MaxSamples = limits.MaxSamples,
        LongestSample = limits.LongestSample,
        Full = options.Full,
        Lora = options.Full ? null : Lora(options),
        WeightType = options.Full ? ElementType.Float32 : types.Weights,
        ActivationType = types.Activations,
        AttentionSites = method.Needs.AttentionSites,
        MlpSites = method.Needs.MlpSites,
        ResidualSites = method.Needs.ResidualSites,
        Optimizers = 1 + method.Needs.FurtherOptimizers,
        ExtraVectors = method.Needs.Vectors.Count,
        TeacherRows = method.Needs.HasTeacher ? RequireFrozenHead(options, limits.MaxLabels) : 0,
        MemoryLimit = options.DeviceMemory,
    };

    /// <summary>A teacher's logits follow from what is kept of it only where the head stays as it is.</summary>
    private static int RequireFrozenHead(TrainingOptions options, int rows) => options.Full
        ? throw new InputException(
            $"method {options.Method} compares the model with what it was, which takes a head that does not train; expected an adapter, without --full")
        : rows;

    private static LoraOptions Lora(TrainingOptions options) => new(
        options.LoraRank, (float)options.LoraAlpha, (float)options.Dropout, Projections.Parse(options.LoraTargets, "lora_targets"));
}
