using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace NativeVaccine.TorchReference;

/// <summary>
/// The forward pass as a textbook writes it, on (B, T) ids: RMSNorm, rotary attention with grouped heads, SwiGLU, LoRA on any projection.
/// Hooks see what passes a site or enters a LoRA branch, and say what goes on from there.
/// </summary>
/// <param name="configuration">The shape.</param>
/// <param name="parameters">Weights by Hugging Face name, LoRA matrices as <c>layers.0.self_attn.q_proj.lora_A</c>.</param>
/// <param name="loraScale">alpha / r.</param>
internal sealed class LlamaForward(
    ReferenceConfiguration configuration, IReadOnlyDictionary<string, Parameter> parameters, double loraScale)
{
    /// <summary>Called with each site's (B, T, hidden).</summary>
    public Func<ReferenceSite, Tensor, Tensor> AtSite { get; init; } = static (_, value) => value;

    /// <summary>Called with each LoRA branch's input, (B, T, in), and its module path, as <c>layers.0.self_attn.q_proj</c>.</summary>
    public Func<string, Tensor, Tensor> IntoLora { get; init; } = static (_, value) => value;

    /// <summary>Torch's own attention kernel instead of the explicit softmax; without a mask where causality is all there is.</summary>
    public bool FusedAttention { get; init; }

    /// <summary>Logits (B, T, vocabulary) of ids (B, T).</summary>
    /// <param name="ids">int64 token ids.</param>
    /// <param name="realTokens">bool (B, T), false at padding on the right; null where there is none.</param>
    public Tensor Logits(Tensor ids, Tensor? realTokens)
    {
        Tensor embeddings = parameters["model.embed_tokens.weight"];
        Tensor rows = embeddings.index_select(0, ids.flatten()).view(ids.shape[0], ids.shape[1], configuration.HiddenSize);
        Tensor stream = AtSite(new(ReferenceSiteKind.Residual, 0), rows);
        (Tensor cosine, Tensor sine) = RotaryEmbedding.Angles(configuration, (int)ids.shape[1], embeddings.dtype);
        bool plainlyCausal = realTokens is null && configuration.SlidingWindow is null;
        Tensor? allowed = FusedAttention && plainlyCausal ? null : AllowedPairs((int)ids.shape[1], realTokens);
        for (int layer = 0; layer < configuration.LayerCount; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Tensor attention = Attention(layer, Norm(prefix + "input_layernorm.weight", stream), cosine, sine, allowed);
            stream = stream.Plus(AtSite(new(ReferenceSiteKind.AttentionOutput, layer), attention));
            Tensor mlp = Mlp(layer, Norm(prefix + "post_attention_layernorm.weight", stream));
            stream = stream.Plus(AtSite(new(ReferenceSiteKind.MlpOutput, layer), mlp));
            stream = AtSite(new(ReferenceSiteKind.Residual, layer + 1), stream);
        }
        return Head(stream);
    }

    /// <summary>Final norm and output head: (B, T, vocabulary) of a residual stream (B, T, hidden).</summary>
    public Tensor Head(Tensor stream, int norms = 1)
    {
        Tensor head = parameters[configuration.TiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"];
        for (int norm = 0; norm < norms; norm++)
            stream = Norm("model.norm.weight", stream);
        return nn.functional.linear(stream, head);
    }

    private Tensor Attention(int layer, Tensor input, Tensor cosine, Tensor sine, Tensor? allowed)
    {
        long group = configuration.HeadCount / configuration.KeyValueHeadCount;
        Tensor query = RotaryEmbedding.Turn(Heads(Project(layer, "q_proj", input), configuration.HeadCount), cosine, sine);
        Tensor key = RotaryEmbedding.Turn(Heads(Project(layer, "k_proj", input), configuration.KeyValueHeadCount), cosine, sine);
        Tensor value = Heads(Project(layer, "v_proj", input), configuration.KeyValueHeadCount);
        if (group > 1)
        {
            key = key.repeat_interleave(group, 1);
            value = value.repeat_interleave(group, 1);
        }
        Tensor mixed = FusedAttention
            ? nn.functional.scaled_dot_product_attention(query, key, value, allowed, is_casual: allowed is null)
            : ExplicitAttention(query, key, value, allowed!);
        return Project(layer, "o_proj", mixed.transpose(1, 2).reshape(input.shape[0], input.shape[1], -1));
    }

    private static Tensor ExplicitAttention(Tensor query, Tensor key, Tensor value, Tensor allowed)
    {
        Tensor scores = query.matmul(key.transpose(2, 3)).Times(1 / Math.Sqrt(query.shape[3]));
        return nn.functional.softmax(scores.OrElse(allowed, double.NegativeInfinity), -1).matmul(value);
    }

    private Tensor Mlp(int layer, Tensor input)
    {
        Tensor gate = nn.functional.silu(Project(layer, "gate_proj", input));
        return Project(layer, "down_proj", gate * Project(layer, "up_proj", input));
    }

    private Tensor Project(int layer, string projection, Tensor input)
    {
        string module = $"layers.{layer}.{ReferenceConfiguration.ModulePath(projection)}";
        Tensor? bias = configuration.HasBias(projection) ? parameters[$"model.{module}.bias"] : null;
        Tensor output = nn.functional.linear(input, parameters[$"model.{module}.weight"], bias);
        if (!parameters.TryGetValue(module + ".lora_A", out Parameter? a))
            return output;
        Tensor low = nn.functional.linear(IntoLora(module, input), a);
        return output.Plus(nn.functional.linear(low, parameters[module + ".lora_B"]).Times(loraScale));
    }

    private Tensor Norm(string weight, Tensor input)
    {
        Tensor meanSquare = (input * input).mean([-1L], keepdim: true);
        return input * meanSquare.Plus(configuration.NormEpsilon).rsqrt() * parameters[weight];
    }

    /// <summary>(B, T, heads * size) to (B, heads, T, size).</summary>
    private Tensor Heads(Tensor rows, int heads) =>
        rows.view(rows.shape[0], rows.shape[1], heads, configuration.HeadSize).transpose(1, 2);

    /// <summary>bool (1 or B, 1, T, T): query position by key position, true where the query may look.</summary>
    private Tensor AllowedPairs(int length, Tensor? realTokens)
    {
        var allowed = new bool[length * length];
        var same = new bool[length * length];
        for (int query = 0; query < length; query++)
        {
            int first = Math.Max(0, query + 1 - (configuration.SlidingWindow ?? length));
            Array.Fill(allowed, true, (query * length) + first, query + 1 - first);
            same[(query * length) + query] = true;
        }
        Tensor pairs = tensor(allowed, [1, 1, length, length]);
        if (realTokens is null)
            return pairs;
        // A padding query sees itself: a row that sees nothing would have NaN for a softmax.
        Tensor visible = realTokens.view(-1, 1, 1, length).logical_or(tensor(same, [1, 1, length, length]));
        return pairs.logical_and(visible);
    }
}
