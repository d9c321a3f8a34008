using TorchSharp;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace NativeVaccine.TorchReference;

/// <summary>
/// A Llama-family model in torch's autograd, slow and plain: each sample runs alone, which is what attention over packed samples of
/// unequal lengths means, and every gradient comes out. Not safe for use by several threads at once.
/// </summary>
public sealed class ReferenceModel : IDisposable
{
    private readonly Dictionary<string, Parameter> parameters = new(StringComparer.Ordinal);
    private readonly ScalarType type;
    private readonly double loraScale;

    // A second thread gains nothing in models this small, and torch's threads spin while they wait: on a busy machine a hundredfold loss.
    static ReferenceModel() => TorchThreads.Count = 1;

    /// <exception cref="InvalidDataException">A weight is missing, or has another shape than the configuration says.</exception>
    public ReferenceModel(
        ReferenceConfiguration configuration,
        IReadOnlyDictionary<string, ReferenceTensor> weights,
        ReferenceLora? lora = null,
        ReferencePrecision precision = ReferencePrecision.Fp64)
    {
        Configuration = configuration;
        type = precision == ReferencePrecision.Fp64 ? ScalarType.Float64 : ScalarType.Float32;
        loraScale = lora?.Scale ?? 0;
        foreach ((string name, int[] shape) in configuration.ParameterShapes())
        {
            if (!weights.TryGetValue(name, out ReferenceTensor? weight) || !weight.Shape.SequenceEqual(shape))
                throw new InvalidDataException($"{name}: expected a tensor of shape [{string.Join(", ", shape)}]");
            parameters.Add(name, ToParameter(weight));
        }
        foreach ((string key, ReferenceTensor matrix) in lora?.Matrices ?? new Dictionary<string, ReferenceTensor>())
            parameters.Add(key, ToParameter(matrix));
    }

    public ReferenceConfiguration Configuration { get; }

    /// <summary>Names of all weights (Hugging Face's) and LoRA matrices (<c>layers.0.self_attn.q_proj.lora_A</c>).</summary>
    public IReadOnlyCollection<string> ParameterNames => parameters.Keys;

    /// <summary>Names of the LoRA matrices alone.</summary>
    public IEnumerable<string> LoraNames => parameters.Keys.Where(IsLora);

    /// <summary>All sites of the model, layer by layer.</summary>
    public IEnumerable<ReferenceSite> Sites =>
        Enumerable.Range(0, Configuration.LayerCount)
            .SelectMany(layer => new ReferenceSite[]
            {
                new(ReferenceSiteKind.Residual, layer),
                new(ReferenceSiteKind.AttentionOutput, layer),
                new(ReferenceSiteKind.MlpOutput, layer),
            })
            .Append(new(ReferenceSiteKind.Residual, Configuration.LayerCount));

    /// <summary>Whether a parameter's name is that of a LoRA matrix.</summary>
    public static bool IsLora(string name) =>
        name.EndsWith(".lora_A", StringComparison.Ordinal) || name.EndsWith(".lora_B", StringComparison.Ordinal);

    /// <summary>A copy of a parameter, row by row.</summary>
    public double[] Read(string name) => parameters[name].Copy();

    /// <summary>Overwrites a parameter.</summary>
    public void Write(string name, ReadOnlySpan<double> values)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        Parameter parameter = parameters[name];
        parameter.copy_(tensor(values.ToArray(), parameter.shape));
    }

    /// <summary>Adds every adapter's scale * B A to its weight and drops the adapter.</summary>
    public void MergeLora()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        foreach (string a in LoraNames.Where(name => name.EndsWith('A')).ToArray())
        {
            string module = a[..^".lora_A".Length];
            string b = module + ".lora_B";
            Parameter weight = parameters[$"model.{module}.weight"];
            weight.copy_(weight.Plus(parameters[b].matmul(parameters[a]).Times(loraScale)));
            foreach (string name in (string[])[a, b])
            {
                parameters[name].Dispose();
                parameters.Remove(name);
            }
        }
    }

    /// <summary>Forward and backward of a batch: losses, logits, and the gradient of everything.</summary>
    public ReferenceResult Run(IReadOnlyList<ReferenceSample> batch, ReferenceRunOptions? options = null)
    {
        options ??= new();
        var result = new ReferenceResult(batch.Count, options.Heads.Count);
        int tokens = batch.Sum(sample => sample.Ids.Length);
        foreach (ReferenceSite site in Sites)
        {
            result.Activations[site] = new double[tokens * Configuration.HiddenSize];
            result.SiteGradients[site] = new double[tokens * Configuration.HiddenSize];
        }
        foreach (string name in parameters.Keys.Where(options.GradientsOf))
            result.Gradients[name] = new double[parameters[name].numel()];

        int labels = Math.Max(batch.Sum(sample => sample.LabelCount), 1);
        int firstToken = 0;
        for (int i = 0; i < batch.Count; firstToken += batch[i].Ids.Length, i++)
            new SampleRun(this, batch[i], firstToken, options).Into(result, i, labels);
        return result;
    }

    /// <summary>A loss of its own, and its gradients.</summary>
    /// <param name="of">The parameters whose gradients are computed.</param>
    /// <param name="objective">The loss, of the forward pass and of the values that this leaves at each site.</param>
    internal (double Loss, Dictionary<string, double[]> Gradients) Differentiate(
        Func<string, bool> of, Func<LlamaForward, Dictionary<ReferenceSite, Tensor>, Tensor> objective)
    {
        using DisposeScope scope = NewDisposeScope();
        var sites = new Dictionary<ReferenceSite, Tensor>();
        var forward = new LlamaForward(Configuration, parameters, loraScale) { AtSite = (site, value) => sites[site] = value };
        Tensor loss = objective(forward, sites);
        string[] names = [.. parameters.Keys.Where(of)];
        IList<Tensor> gradients = autograd.grad([loss], [.. names.Select(name => (Tensor)parameters[name])]);
        return (loss.Copy()[0], names.Index().ToDictionary(name => name.Item, name => gradients[name.Index].Copy()));
    }

    /// <summary>
    /// The loss of a batch padded on the right to its longest sample and run at once: sum over the labelled tokens, and their number.
    /// </summary>
    public ReferenceSampleLoss ForwardPadded(IReadOnlyList<ReferenceSample> batch)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        PaddedBatch padded = PaddedBatch.Of(batch);
        Tensor logits = new LlamaForward(Configuration, parameters, loraScale).Logits(padded.Ids, padded.RealTokens);
        return new(padded.LossSum(logits).Copy()[0], padded.LabelCount);
    }

    public void Dispose()
    {
        foreach (Parameter parameter in parameters.Values)
            parameter.Dispose();
    }

    private Parameter ToParameter(ReferenceTensor values)
    {
        using Tensor single = tensor(values.Values, [.. values.Shape.Select(size => (long)size)]);
        return new Parameter(single.to(type, copy: true));
    }

    /// <summary>One sample of a batch on its way through the model.</summary>
    private sealed class SampleRun(ReferenceModel model, ReferenceSample sample, int firstToken, ReferenceRunOptions options)
    {
        private readonly Dictionary<ReferenceSite, Tensor> sites = [];

        /// <summary>Adds the sample's share to the result; its loss counts <c>1 / labels</c> a token.</summary>
        public void Into(ReferenceResult result, int index, int labels)
        {
            using DisposeScope scope = NewDisposeScope();
            var forward = new LlamaForward(model.Configuration, model.parameters, model.loraScale) { AtSite = AtSite, IntoLora = IntoLora };
            Tensor logits = forward.Logits(tensor(sample.Ids, [1, sample.Ids.Length]).to(ScalarType.Int64), null);
            result.Logits[index] = logits.Copy();
            PaddedBatch alone = PaddedBatch.Of([sample]);
            Tensor sum = alone.LossSum(logits);
            result.Samples[index] = new(sum.Copy()[0], sample.LabelCount);

            Tensor objective = sum.Times(1.0 / labels);
            foreach ((int place, ReferenceHead head) in options.Heads.Index())
            {
                Tensor loss = LossOf(head.Kind, forward.Head(sites[new(ReferenceSiteKind.Residual, head.Residual)], head.Norms), alone, index);
                result.HeadLossSums[place] += loss.Copy()[0];
                objective = objective.Plus(loss.Times(head.Weight / labels));
            }
            foreach ((ReferenceSite site, double[] gradient) in options.AddedGradients)
                objective = objective.Plus((Rows(gradient, model.Configuration.HiddenSize) * sites[site]).sum());
            Backward(objective, result);
        }

        private Tensor LossOf(ReferenceLossKind kind, Tensor logits, PaddedBatch alone, int index)
        {
            if (kind == ReferenceLossKind.Labels) return alone.LossSum(logits);
            Tensor own = nn.functional.log_softmax(logits, -1);
            if (kind == ReferenceLossKind.NegativeEntropy) return alone.SumOverLabelled(own.exp() * own);
            Tensor teacher = nn.functional.log_softmax(tensor(options.TeacherLogits[index], logits.shape).to(model.type), -1);
            return alone.SumOverLabelled(teacher.exp() * (teacher - own));
        }

        private void Backward(Tensor objective, ReferenceResult result)
        {
            foreach ((ReferenceSite site, Tensor activation) in sites)
                activation.Copy().CopyTo(result.Activations[site], firstToken * model.Configuration.HiddenSize);
            string[] names = [.. result.Gradients.Keys];
            ReferenceSite[] places = [.. sites.Keys];
            Tensor[] inputs = [.. names.Select(name => model.parameters[name]), .. places.Select(site => sites[site])];
            IList<Tensor> gradients = autograd.grad([objective], inputs);
            for (int i = 0; i < names.Length; i++)
            {
                double[] total = result.Gradients[names[i]];
                double[] share = gradients[i].Copy();
                for (int j = 0; j < total.Length; j++)
                    total[j] += share[j];
            }
            for (int i = 0; i < places.Length; i++)
                gradients[names.Length + i].Copy().CopyTo(result.SiteGradients[places[i]], firstToken * model.Configuration.HiddenSize);
        }

        private Tensor AtSite(ReferenceSite site, Tensor value)
        {
            sites.Add(site, value);
            return options.Perturbations.TryGetValue(site, out double[]? perturbation)
                ? value.Plus(Rows(perturbation, model.Configuration.HiddenSize))
                : value;
        }

        private Tensor IntoLora(string module, Tensor value) =>
            options.DropoutMasks.TryGetValue(module, out double[]? mask) ? value * Rows(mask, (int)value.shape[2]) : value;

        /// <summary>The sample's rows of a (T, width) array, as (1, T_i, width).</summary>
        private Tensor Rows(double[] all, int width) =>
            tensor(all[(firstToken * width)..((firstToken + sample.Ids.Length) * width)], [1, sample.Ids.Length, width]).to(model.type);
    }
}
