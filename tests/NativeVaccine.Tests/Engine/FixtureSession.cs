using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>A fixture model in the engine, beside what the ecosystem computed for it.</summary>
internal sealed class FixtureSession : IDisposable
{
    /// <summary>Room for the fixtures' batch of four samples.</summary>
    public static readonly SessionOptions Options = new() { MaxTokens = 105, MaxSamples = 4, LongestSample = 64, Optimizers = 0 };

    private readonly MemoryPlan plan;

    public FixtureSession(string folder, SessionOptions? options = null, int threads = 2, Adapter[]? merged = null)
    {
        // tiny-llama-linear-rope is tiny-llama's weights under its own config.json.
        string weights = folder == "tiny-llama-linear-rope" ? "tiny-llama" : folder;
        using var model = ModelFolder.Open(Fixtures.Path(weights), ModelConfiguration.Load(Fixtures.Path(folder)));
        Device = TestDevice.Open(threads);
        plan = MemoryPlan.Create(Device, model.Configuration, TestDevice.InPrecision(options ?? Options));
        Session = Session.Create(Device, plan);
        Session.Load(new MergedWeights(model, merged ?? []));
    }

    public Device Device { get; }

    public Session Session { get; }

    public static Batch BatchOf(ExpectedFile expected) =>
        new([.. expected.Batch.Select(static sample => new Sample(sample.Ids, sample.Labels))]);

    /// <summary>The models that have numbers, by folder.</summary>
    public static TheoryData<string> Models() => new(
        "tiny-llama", "tiny-llama-linear-rope", "tiny-gqa", "tiny-qwen2", "tiny-mistral", "tiny-qwen3", "tiny-gemma", "tiny-gemma2",
        "tiny-gemma3", "tiny-phi3");

    public float[] Logits(int firstRow, int rows)
    {
        float[] logits = new float[rows * Session.Configuration.VocabularySize];
        Session.ReadLogits(firstRow, rows, logits);
        return logits;
    }

    public static double[] Doubles(float[] values) => Array.ConvertAll(values, static value => (double)value);

    public static float[] Read(ParameterVector vector)
    {
        float[] values = new float[vector.Length];
        vector.Read(values);
        return values;
    }

    public void Dispose()
    {
        Session.Dispose();
        plan.Dispose();
        Device.Dispose();
    }
}
