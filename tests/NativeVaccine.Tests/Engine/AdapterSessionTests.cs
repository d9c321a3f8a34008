using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;
using static NativeVaccine.Tests.Engine.FixtureSession;

namespace NativeVaccine.Tests.Engine;

/// <summary>LoRA in the engine against what peft computed for the two fixture adapters of tiny-llama.</summary>
public sealed class AdapterSessionTests
{
    [Theory]
    [InlineData("adapter-all")]
    [InlineData("adapter-qv")]
    public void LogitsAndGradientsAreThoseOfPeft(string folder)
    {
        using var expected = new ExpectedFile(folder);
        Adapter adapter = LoadAdapter(folder);
        using var model = new FixtureSession("tiny-llama", OptionsFor(adapter));
        model.Session.LoadAdapter(adapter);
        Batch batch = BatchOf(expected);

        PassResult result = model.Session.Forward(batch);
        model.Session.Backward(new BackwardOptions { Gradients = model.Session.Gradients });

        Near.Equal("loss", expected.Root.GetProperty("loss_on_all_but_first").GetDouble(), result.MeanLoss, 0, 1e-5);
        Assert.Equal(2 * adapter.Modules.Count, model.Session.TrainableTensors.Count);
        foreach (ModelTensor tensor in model.Session.TrainableTensors)
        {
            double[] gradient = Doubles(model.Session.Gradients.Read(tensor));
            Near.EqualToLargest(tensor.Name, expected.Tensors["gradient." + tensor.Name].Values, gradient, 1e-4);
        }
        Near.Equal("logits", expected.Tensors["logits"].Values, Doubles(model.Logits(0, batch.TokenCount)), 1e-4, 1e-4);
    }

    [Theory]
    [InlineData("adapter-all")]
    [InlineData("adapter-qv")]
    public void AMergedAdapterGivesPeftsLogits(string folder)
    {
        using var expected = new ExpectedFile(folder);
        using var model = new FixtureSession("tiny-llama", merged: [LoadAdapter(folder)]);

        model.Session.Forward(BatchOf(expected), new ForwardOptions { ForBackward = false });

        Near.Equal("logits", expected.Tensors["merged_logits"].Values, Doubles(model.Logits(0, BatchOf(expected).TokenCount)), 1e-4, 1e-4);
    }

    [Fact]
    public void AnAdapterComesBackAsItWentIn()
    {
        Adapter adapter = LoadAdapter("adapter-qv");
        using var model = new FixtureSession("tiny-llama", OptionsFor(adapter));
        model.Session.LoadAdapter(adapter);

        Adapter saved = model.Session.SaveAdapter("tiny-llama");

        Assert.Equal("tiny-llama", saved.BaseModel);
        Assert.Equal(adapter.Modules.Select(Form), saved.Modules.Select(Form));
        foreach (AdapterModule module in adapter.Modules)
        {
            LoraMatrices matrices = saved[module.Layer, module.Projection];
            Assert.Equal(module.Matrices.A, matrices.A);
            Assert.Equal(module.Matrices.B, matrices.B);
        }

        static (int, Projection, double, double) Form(AdapterModule module) =>
            (module.Layer, module.Projection, module.Alpha, module.Scale);
    }

    [Fact]
    public void AnAdapterMustBeTheOneThatWasPlannedFor()
    {
        Adapter adapter = LoadAdapter("adapter-qv");
        LoraOptions lora = OptionsFor(adapter).Lora!;
        Refuse(lora with { Rank = 4 }, "the adapter's rank: 3; the session was planned for 4");
        Refuse(lora with { Alpha = 1.5f }, "the adapter's alpha: 16; the session was planned for 1.5");
        Refuse(lora with { Targets = [Projection.Query] }, "the adapter's targets: q_proj, v_proj; the session was planned for q_proj");

        void Refuse(LoraOptions planned, string message)
        {
            using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = planned });
            Refusal.Of(() => model.Session.LoadAdapter(adapter), message);
        }
    }

    [Fact]
    public void AnAdapterStartsUniformAndChangesNothing()
    {
        using var expected = new ExpectedFile("tiny-llama");
        var lora = new LoraOptions(8, 4, 0.1f, Projections.All);
        using var model = new FixtureSession("tiny-llama", FixtureSession.Options with { Lora = lora });
        Batch batch = FixtureSession.BatchOf(expected);
        double without = model.Session.Forward(batch).LossSum.Value;

        model.Session.InitializeAdapter(7);

        Assert.Equal(without, model.Session.Forward(batch, new ForwardOptions { Dropout = true, Seed = 1 }).LossSum.Value);
        Adapter adapter = model.Session.SaveAdapter();
        foreach (Projection target in Projections.All)
        {
            LoraMatrices matrices = adapter[3, target];
            double bound = 1 / Math.Sqrt(matrices.Inputs);
            Assert.All(matrices.B, static value => Assert.Equal(0, value));
            Assert.All(matrices.A, value => Assert.InRange(value, -bound, bound));
            double deviation = Math.Sqrt(matrices.A.Average(static value => (double)value * value));
            Near.Equal("deviation", bound / Math.Sqrt(3), deviation, 0, 0.1);
        }
        model.Session.InitializeAdapter(7);
        Assert.Equal(adapter[3, Projection.Up].A, model.Session.SaveAdapter()[3, Projection.Up].A);
        model.Session.InitializeAdapter(8);
        Assert.NotEqual(adapter[3, Projection.Up].A, model.Session.SaveAdapter()[3, Projection.Up].A);
        Assert.NotEqual(adapter[3, Projection.Up].A, adapter[4, Projection.Up].A);
    }

    [Fact]
    public void WithoutAdaptersThereIsNothingToStart()
    {
        using var model = new FixtureSession("micro-llama", FixtureSession.Options with { Full = true });
        double norm = model.Session.Parameters.Norm().Value;

        Assert.Throws<InvalidOperationException>(() => model.Session.InitializeAdapter(1));
        Assert.Equal(norm, model.Session.Parameters.Norm().Value);
    }

    private static Adapter LoadAdapter(string folder) =>
        Adapter.Load(Fixtures.Path(folder), ModelConfiguration.Load(Fixtures.Path("tiny-llama")));

    private static SessionOptions OptionsFor(Adapter adapter)
    {
        UniformLora form = adapter.RequireUniform("the adapter");
        return FixtureSession.Options with { Lora = new LoraOptions(form.Rank, (float)form.Alpha, 0, form.Targets) };
    }

    private static Batch BatchOf(ExpectedFile expected)
    {
        int[] ids = [.. expected.Root.GetProperty("input_ids").EnumerateArray().Select(static id => id.GetInt32())];
        return new Batch([new Sample(ids, ids)]);
    }
}
