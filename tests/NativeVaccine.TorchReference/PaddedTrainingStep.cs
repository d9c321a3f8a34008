using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace NativeVaccine.TorchReference;

/// <summary>
/// A float32 training step as an ordinary TorchSharp user writes it, for comparisons of speed: the batch padded on the right, logits of all
/// rows, torch's attention kernel, its AdamW, its clipping. Weights outside <c>trains</c> are frozen.
/// </summary>
public sealed class PaddedTrainingStep : IDisposable
{
    private readonly Dictionary<string, Parameter> parameters = new(StringComparer.Ordinal);
    private readonly List<Parameter> trained = [];
    private readonly ReferenceConfiguration configuration;
    private readonly double loraScale;
    private readonly double dropout;
    private readonly double clip;
    private readonly AdamW optimizer;

    /// <param name="configuration">The shape.</param>
    /// <param name="weights">By Hugging Face name.</param>
    /// <param name="lora">The adapter, or null for training of the weights themselves.</param>
    /// <param name="trains">Which parameters train; null: the LoRA matrices, or all weights where there is no adapter.</param>
    /// <param name="learningRate">Constant.</param>
    /// <param name="weightDecay">AdamW's.</param>
    /// <param name="clip">The largest gradient norm.</param>
    /// <param name="dropout">On the input of the LoRA branches.</param>
    /// <param name="threads">What torch may use, in the whole process; null: as it stands.</param>
    public PaddedTrainingStep(
        ReferenceConfiguration configuration,
        IReadOnlyDictionary<string, ReferenceTensor> weights,
        ReferenceLora? lora,
        Func<string, bool>? trains = null,
        double learningRate = 1e-3,
        double weightDecay = 0.1,
        double clip = 1.0,
        double dropout = 0,
        int? threads = null)
    {
        this.configuration = configuration;
        this.clip = clip;
        this.dropout = dropout;
        loraScale = lora?.Scale ?? 0;
        trains ??= lora is null ? _ => true : ReferenceModel.IsLora;
        var none = new Dictionary<string, ReferenceTensor>();
        IEnumerable<string> names = configuration.ParameterShapes().Select(parameter => parameter.Name);
        IEnumerable<KeyValuePair<string, ReferenceTensor>> named = names.Select(name => KeyValuePair.Create(name, weights[name]));
        foreach ((string name, ReferenceTensor values) in named.Concat(lora?.Matrices ?? none))
        {
            Tensor data = tensor(values.Values, [.. values.Shape.Select(size => (long)size)]);
            var parameter = new Parameter(data, requires_grad: trains(name));
            parameters.Add(name, parameter);
            if (trains(name))
                trained.Add(parameter);
        }
        optimizer = optim.AdamW(trained, learningRate, weight_decay: weightDecay);
        if (threads is int count)
            TorchThreads.Count = count;  // last: the reference model's own start sets one thread
    }

    /// <summary>Supervised training: forward, backward, clip, update. Returns the mean loss.</summary>
    public double Step(IReadOnlyList<ReferenceSample> batch)
    {
        using DisposeScope scope = NewDisposeScope();
        PaddedBatch padded = PaddedBatch.Of(batch);
        Tensor loss = MeanLoss(padded, static (_, value) => value);
        loss.backward();
        return Update(loss);
    }

    /// <summary>Two passes, the attention outputs of <paramref name="layers"/> perturbed in the second. Returns its mean loss.</summary>
    public double PerturbedStep(IReadOnlyList<ReferenceSample> batch, double rho, IReadOnlyCollection<int> layers)
    {
        using DisposeScope scope = NewDisposeScope();
        PaddedBatch padded = PaddedBatch.Of(batch);
        var outputs = new Dictionary<ReferenceSite, Tensor>();
        bool IsPerturbed(ReferenceSite site) => site.Kind == ReferenceSiteKind.AttentionOutput && layers.Contains(site.Index);

        Tensor first = MeanLoss(padded, (site, value) => IsPerturbed(site) ? outputs[site] = value : value);
        ReferenceSite[] sites = [.. outputs.Keys];
        IList<Tensor> gradients = autograd.grad([first], [.. sites.Select(site => outputs[site])]);
        Tensor norm = stack(gradients.Select(gradient => gradient.square().sum())).sum().sqrt();
        Tensor scale = rho / (norm + 1e-7);
        var perturbations = sites.Zip(gradients).ToDictionary(each => each.First, each => each.Second * scale);

        Tensor second = MeanLoss(padded, (site, value) => IsPerturbed(site) ? value + perturbations[site] : value);
        second.backward();
        return Update(second);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        foreach (Parameter parameter in parameters.Values)
            parameter.Dispose();
    }

    private Tensor MeanLoss(PaddedBatch batch, Func<ReferenceSite, Tensor, Tensor> atSite)
    {
        var forward = new LlamaForward(configuration, parameters, loraScale)
        {
            FusedAttention = true,
            AtSite = atSite,
            IntoLora = (_, value) => dropout > 0 ? nn.functional.dropout(value, dropout) : value,
        };
        return batch.LossSum(forward.Logits(batch.Ids, batch.RealTokens)) / batch.LabelCount;
    }

    private double Update(Tensor loss)
    {
        nn.utils.clip_grad_norm_(trained, clip);
        optimizer.step();
        optimizer.zero_grad();
        return loss.ToDouble();
    }
}
