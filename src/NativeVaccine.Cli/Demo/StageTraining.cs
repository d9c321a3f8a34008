using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Numerics;

namespace NativeVaccine.Cli.Demo;

// TEMPORARY: stands in until the library's trainer is here.
internal sealed record Recipe(double Rate, double Decay, int Batch, int Epochs, double Warmup, bool Falls, double Beta2, bool Full);

internal enum DemoMethod { Sft, Vaccine, TVaccine, Noise }

internal sealed class StageTraining(Device device)
{
    public static readonly Recipe Pretraining = new(3e-3, 0.01, 32, 1, 40.0 / 130, true, 0.98, true);
    public static readonly Recipe Alignment = new(3e-3, 0.1, 10, 20, 0.1, true, 0.999, false);
    public static readonly Recipe Attack = new(1e-3, 0, 10, 2, 0, false, 0.999, false);

    public void Train(
        IWeightSource weights, Recipe recipe, IReadOnlyList<Sample> samples, IReadOnlyList<Sample> probe, DemoMethod method, ulong seed,
        Action<Session, int> afterStep, Action<Session> atEnd, ProgressStage stage, int stepLimit = int.MaxValue)
    {
        int layers = ToyModel.Configuration.LayerCount;
        using MemoryPlan plan = MemoryPlan.Create(device, ToyModel.Configuration, new SessionOptions
        {
            MaxTokens = recipe.Batch * 24, MaxSamples = recipe.Batch, LongestSample = 24, Full = recipe.Full,
            Lora = recipe.Full ? null : new LoraOptions(8, 16, 0, Projections.All),
            AttentionSites = new SiteBudget(method == DemoMethod.Sft ? 0 : 1),
        });
        using Session session = Session.Create(device, plan);
        session.Load(weights);
        if (!recipe.Full) session.InitializeAdapter(seed);
        session.Optimizer.Beta2 = recipe.Beta2;
        session.Optimizer.WeightDecay = recipe.Decay;
        var order = new SampleOrder(samples.Count, recipe.Batch, 1, recipe.Epochs, seed);
        int steps = Math.Min(order.TotalSteps, stepLimit);
        double[] p = new double[layers];
        LayerSet chosen = LayerSet.All(layers);
        afterStep(session, 0);
        for (int step = 0; step < steps; step++)
        {
            var batch = new Batch([.. order.Batch(step)[0].Select(i => samples[i])]);
            if (method == DemoMethod.TVaccine && step % 20 == 0)
            {
                session.Forward(new Batch([probe[step / 20 % probe.Count]]));
                SiteNorms norms = session.Backward(new BackwardOptions { NormsOf = SiteKind.AttentionOutput })!;
                double sum = Enumerable.Range(0, layers).Sum(l => norms[l]);
                p = [.. Enumerable.Range(0, layers).Select(l => norms[l] / sum)];
            }
            if (method == DemoMethod.TVaccine && step % 5 == 0) chosen = LayerSet.Of(Draw(p, 6, new PhiloxStream(seed, 77, (ulong)step)));
            TensorSet tensors = recipe.Full ? session.AllTensors : session.TensorsOf(chosen);
            SiteTensor[] add = [];
            if (method != DemoMethod.Sft)
            {
                SiteTensor e = session.Site(SiteKind.AttentionOutput);
                e.Select(chosen);
                if (method == DemoMethod.Noise) e.Fill(1, seed, (uint)step, batch.TokenCount);
                else
                {
                    session.Forward(batch);
                    session.Backward(new BackwardOptions { Read = [e] , Floor = chosen.Lowest});
                }
                e.ScaleToNorm(2, e.Norms());
                add = [e];
            }
            session.Gradients.Zero(tensors);
            PassResult pass = session.Forward(batch, new ForwardOptions { Add = add });
            session.Backward(new BackwardOptions { Gradients = session.Gradients, Tensors = tensors });
            session.Optimizer.Step(session.Gradients, Rate(recipe, step, steps), tensors, 1);
            if (step % 10 == 9) stage.Report((double)(step + 1) / steps, $"loss {pass.MeanLoss:F3}");
            afterStep(session, step + 1);
        }
        atEnd(session);
    }

    private static double Rate(Recipe recipe, int step, int steps)
    {
        int warm = (int)Math.Ceiling(recipe.Warmup * steps);
        if (step < warm) return recipe.Rate * step / warm;
        return recipe.Falls ? recipe.Rate * 0.5 * (1 + Math.Cos(Math.PI * (step - warm) / (steps - warm))) : recipe.Rate;
    }

    private static int[] Draw(double[] weights, int count, PhiloxStream random)
    {
        double[] left = [.. weights];
        int[] drawn = new int[count];
        for (int i = 0; i < count; i++)
        {
            double x = random.NextDouble() * left.Sum();
            int l = 0;
            while (l < left.Length - 1 && (x -= left[l]) >= 0) l++;
            drawn[i] = l;
            left[l] = 0;
        }
        return drawn;
    }
}
