using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>The verbs on parameter vectors against plain loops: on the tensors of a set, and nowhere else.</summary>
public sealed class ParameterVectorTests
{
    private static readonly SessionOptions Options = FixtureSession.Options with
    {
        Lora = new LoraOptions(3, 4, 0, Projections.All),
        ExtraVectors = 3,
    };

    [Fact]
    public void VerbsTouchTheTensorsOfTheSetAndNoOther()
    {
        using var model = new FixtureSession("micro-llama", Options);
        Session session = model.Session;
        TensorSet set = session.TensorsOf(LayerSet.Of(1, 3), [Projection.Query, Projection.Down]);
        Assert.Equal(8, set.Count);
        (float[] x, float[] y, float[] z) = (Fill(session, 0, 1), Fill(session, 1, 2), Fill(session, 2, 3));

        (ParameterVector a, ParameterVector b, ParameterVector c) = (session.Extra(0), session.Extra(1), session.Extra(2));

        Check("zero", () => c.Zero(set), static (_, _, _) => 0);
        Check("copy", () => c.CopyFrom(a, set), static (p, _, _) => p);
        Check("scale", () => c.Scale(-2, set), static (_, _, r) => -2 * r);
        Check("add", () => c.Add(0.25f, a, set), static (p, _, r) => r + (0.25f * p));
        Check("multiply and add", () => c.MultiplyAdd(3, a, b, set), static (p, q, r) => r + (3 * p * q));
        Scalar norm = a.Norm(set);
        float length = (float)Math.Sqrt(Places(set).Sum(place => (double)x[place] * x[place]));
        Check("scale to a norm", () => c.ScaleToNorm(2, norm, 0.5f, set), (_, _, r) => 2 / (length + 0.5f) * r);
        Check("add to a norm", () => c.AddToNorm(-2, b, norm, 0.5f, set), (_, q, r) => r - (2 / (length + 0.5f) * q));
        double dot = Places(set).Sum(place => (double)x[place] * y[place]);
        Near.Equal("dot", dot, a.Dot(b, set).Value, 1e-9, 1e-9);
        double square = Places(session.AllTensors).Sum(place => (double)z[place] * z[place]);
        c.Write(z);
        Near.Equal("norm", Math.Sqrt(square), c.Norm().Value, 0, 1e-9);

        void Check(string verb, Action act, Func<float, float, float, float> element)
        {
            c.Write(z);
            act();
            float[] found = FixtureSession.Read(c);
            HashSet<int> inside = [.. Places(set)];
            foreach (int place in Places(session.AllTensors))
            {
                float expected = inside.Contains(place) ? element(x[place], y[place], z[place]) : z[place];
                Near.Equal($"{verb} [{place}]", expected, found[place], 1e-6, 1e-6);
            }
        }
    }

    [Fact]
    public void SetsCombine()
    {
        using var model = new FixtureSession("micro-llama", Options);
        Session session = model.Session;
        TensorSet layers = session.TensorsOf(LayerSet.Of(0, 2));
        TensorSet values = session.TensorsOf(LayerSet.All(4), [Projection.Value]);

        Assert.Equal(2 * 7 * 2, layers.Count);
        Assert.Equal(4 * 2, values.Count);
        Assert.Equal(28 + 8 - 4, layers.Union(values).Count);
        const string Module = "base_model.model.model.layers.0.self_attn.v_proj";
        string[] both = [.. layers.Intersect(values).Tensors.Take(2).Select(static tensor => tensor.Name)];
        Assert.Equal([$"{Module}.lora_A.weight", $"{Module}.lora_B.weight"], both);
        Assert.Equal(28 - 4, layers.Except(values).Count);
        Assert.Equal(session.TrainableTensors.Count, session.AllTensors.Count);
        Assert.All(values.Tensors, tensor => Assert.True(values[tensor.TrainableIndex!.Value]));
    }

    [Fact]
    public void VectorsAndSetsOfOtherSessionsAreRefused()
    {
        using var model = new FixtureSession("micro-llama", Options);
        using var other = new FixtureSession("micro-llama", Options);

        Assert.Throws<ArgumentException>(() => model.Session.Gradients.Zero(other.Session.AllTensors));
        Assert.Throws<ArgumentException>(() => model.Session.Gradients.CopyFrom(other.Session.Gradients));
        Scalar norm = other.Session.Gradients.Norm();
        Assert.Throws<ArgumentException>(() => model.Session.Gradients.ScaleToNorm(1, norm));
        Assert.Throws<ArgumentException>(() => model.Session.Gradients.AddToNorm(1, model.Session.Parameters, norm));
        Scalar dot = model.Session.Gradients.Dot(model.Session.Parameters);
        Assert.Throws<ArgumentException>(() => model.Session.Gradients.ScaleToNorm(1, dot));
        Assert.Throws<ArgumentException>(() => model.Session.AllTensors.Union(other.Session.AllTensors));
    }

    [Fact]
    public void AScalarMustBeReadBeforeItsPlaceIsUsedAgain()
    {
        using var model = new FixtureSession("micro-llama", Options);
        ParameterVector vector = model.Session.Extra(0);
        vector.Write([3f]);
        Scalar read = vector.Norm();
        Scalar unread = vector.Norm();
        Assert.Equal(3, read.Value);

        for (int i = 0; i < 4095; i++) vector.Norm();
        Assert.Equal(3, unread.Value);
        Scalar late = vector.Norm();
        for (int i = 0; i < 4096; i++) vector.Norm();

        Assert.Equal(3, read.Value);
        Assert.Contains("stale", Assert.Throws<InvalidOperationException>(() => late.Value).Message, StringComparison.Ordinal);
    }

    private static float[] Fill(Session session, int extra, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[session.Parameters.Length];
        foreach (int place in Places(session.AllTensors)) values[place] = random.NextSingle() - 0.5f;
        session.Extra(extra).Write(values);
        return values;
    }

    private static IEnumerable<int> Places(TensorSet set) =>
        set.Tensors.SelectMany(static tensor => Enumerable.Range((int)tensor.Offset, (int)tensor.ElementCount));
}
