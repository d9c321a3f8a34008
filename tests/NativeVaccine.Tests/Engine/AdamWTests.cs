using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.TorchReference;
using static NativeVaccine.Tests.Engine.FixtureSession;

namespace NativeVaccine.Tests.Engine;

/// <summary>The optimizer against the textbook in double: Algorithm 2 of arXiv 1711.05101, clipped as PyTorch does.</summary>
public sealed class AdamWTests
{
    private const float Clip = 1;
    private const double WeightDecay = 0.1;

    private static readonly SessionOptions Options = FixtureSession.Options with
    {
        Lora = new LoraOptions(2, 4, 0, [Projection.Query, Projection.Up]),
        Optimizers = 1,
    };

    [Fact]
    public void StepsAreThoseOfTheTextbook()
    {
        using var model = new FixtureSession("micro-llama", Options);
        Session session = model.Session;
        session.InitializeAdapter(1);
        session.Optimizer.WeightDecay = WeightDecay;
        var textbook = new Textbook(session, Read(session.Parameters));
        var random = new Random(3);
        TensorSet all = session.AllTensors;
        TensorSet[] sets = [all, session.TensorsOf(LayerSet.Of(0, 2)), session.TensorsOf(LayerSet.Of(2, 3)), all];
        float[] scales = [0.001f, 1, 0.01f, 5];

        for (int step = 0; step < sets.Length; step++)
        {
            float[] gradient = new float[session.Gradients.Length];
            foreach (ModelTensor tensor in session.TrainableTensors)
            {
                for (int i = 0; i < tensor.ElementCount; i++) gradient[tensor.Offset + i] = (random.NextSingle() - 0.5f) * scales[step];
            }
            session.Gradients.Write(gradient);
            double rate = 1e-3 * (step + 1);

            Scalar norm = session.Optimizer.Step(session.Gradients, rate, sets[step], Clip);

            Near.Equal("norm", textbook.Step(gradient, rate, sets[step]), norm.Value, 0, 1e-6);
            float[] expected = [.. textbook.Parameters.Select(static value => (float)value)];
            Near.Equal("parameters", expected, Doubles(Read(session.Parameters)), 1e-7, 1e-6);
        }
        Assert.Equal([.. textbook.Steps], session.Optimizer.Steps);
        Assert.Equal([2, 3, 4], session.Optimizer.Steps.Distinct().Order());
    }

    [Fact]
    public void ASavedOptimizerGoesOnAsIfItHadNotStopped()
    {
        using var model = new FixtureSession("micro-llama", Options);
        using var resumed = new FixtureSession("micro-llama", Options);
        model.Session.InitializeAdapter(1);
        model.Session.Gradients.CopyFrom(model.Session.Parameters);
        model.Session.Optimizer.Step(model.Session.Gradients, 1e-2);

        resumed.Session.Optimizer.Steps = model.Session.Optimizer.Steps;
        resumed.Session.Optimizer.FirstMoment.Write(Read(model.Session.Optimizer.FirstMoment));
        resumed.Session.Optimizer.SecondMoment.Write(Read(model.Session.Optimizer.SecondMoment));
        resumed.Session.Parameters.Write(Read(model.Session.Parameters));
        foreach (Session session in new[] { model.Session, resumed.Session })
        {
            session.Gradients.CopyFrom(session.Parameters);
            session.Optimizer.Step(session.Gradients, 1e-2);
        }

        Assert.Equal(Read(model.Session.Parameters), Read(resumed.Session.Parameters));
        Assert.Throws<ArgumentException>(() => resumed.Session.Optimizer.Steps = [1]);
    }

    [Fact]
    public void OptimizersHaveMomentsAndStepsOfTheirOwn()
    {
        using var model = new FixtureSession("micro-llama", Options with { Optimizers = 3, ExtraVectors = 2 });
        Session session = model.Session;
        session.InitializeAdapter(1);
        float[] start = Read(session.Parameters);
        TensorSet part = session.TensorsOf(LayerSet.Of(1));
        session.Gradients.CopyFrom(session.Parameters);

        // Each as if it were alone, from the same parameters; the last one twice, anew after a reset.
        float[][] ends = new float[4][];
        foreach ((int place, int number) in new[] { 0, 1, 2, 2 }.Index())
        {
            if (place == 3) session.Optimizers[2].Reset();
            session.Parameters.Write(start);
            session.Optimizers[number].Step(session.Gradients, 1e-2);
            session.Optimizers[number].Step(session.Gradients, 1e-2, part);
            ends[place] = Read(session.Parameters);
        }
        Assert.All(ends, end => Assert.Equal(ends[0], end));
        Assert.NotEqual(start, ends[0]);
        session.Optimizers[1].Step(session.Gradients, 1e-2, part);
        Assert.Equal([1, 2], session.Optimizer.Steps.Distinct().Order());
        Assert.Equal([1, 3], session.Optimizers[1].Steps.Distinct().Order());

        // Their moments are vectors beside the method's own.
        session.Extra(1).Zero();
        Assert.NotEqual(0, session.Optimizers[1].FirstMoment.Norm().Value);
        double kept = session.Optimizers[1].SecondMoment.Norm().Value;
        session.Optimizers[2].Reset();
        Assert.Equal(0, session.Optimizers[2].FirstMoment.Norm().Value);
        Assert.Equal(0, session.Optimizers[2].SecondMoment.Norm().Value);
        Assert.All(session.Optimizers[2].Steps, static steps => Assert.Equal(0, steps));
        Assert.Equal(kept, session.Optimizers[1].SecondMoment.Norm().Value);
        Assert.Equal(session.Memory.Taken, session.Memory.Used);
    }

    [Fact]
    public void APlanWithoutOptimizersHasNone()
    {
        using var model = new FixtureSession("micro-llama", Options with { Optimizers = 0 });
        Assert.Empty(model.Session.Optimizers);
        Assert.Throws<InvalidOperationException>(() => model.Session.Optimizer);
    }

    private sealed class Textbook(Session session, float[] start)
    {
        private readonly double[] first = new double[start.Length];
        private readonly double[] second = new double[start.Length];

        public double[] Parameters { get; } = Array.ConvertAll(start, static value => (double)value);

        public long[] Steps { get; } = new long[session.TrainableTensors.Count];

        /// <summary>Gives the norm of the gradient over the set.</summary>
        public double Step(float[] gradient, double rate, TensorSet set)
        {
            double norm = Math.Sqrt(set.Tensors.Sum(tensor => SumOfSquares(gradient.AsSpan((int)tensor.Offset, (int)tensor.ElementCount))));
            double factor = Math.Min(1, Clip / (norm + 1e-6));
            foreach (ModelTensor tensor in set.Tensors)
            {
                long count = ++Steps[tensor.TrainableIndex!.Value];
                for (long i = tensor.Offset; i < tensor.Offset + tensor.ElementCount; i++)
                {
                    double g = gradient[i] * factor;
                    Parameters[i] -= rate * WeightDecay * Parameters[i];
                    first[i] = (0.9 * first[i]) + (0.1 * g);
                    second[i] = (0.999 * second[i]) + (0.001 * g * g);
                    double mean = first[i] / (1 - Math.Pow(0.9, count));
                    double variance = second[i] / (1 - Math.Pow(0.999, count));
                    Parameters[i] -= rate * mean / (Math.Sqrt(variance) + 1e-8);
                }
            }
            return norm;
        }

        private static double SumOfSquares(ReadOnlySpan<float> values)
        {
            double sum = 0;
            foreach (float value in values) sum += (double)value * value;
            return sum;
        }
    }
}
