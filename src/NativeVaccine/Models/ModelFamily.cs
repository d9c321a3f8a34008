using System.Collections.Frozen;
using System.Collections.Immutable;

namespace NativeVaccine.Models;

/// <summary>What the gate of an MLP goes through.</summary>
public enum Activation
{
    /// <summary>x sigmoid(x): "silu" or "swish".</summary>
    Silu,

    /// <summary>x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): "gelu_pytorch_tanh".</summary>
    GeluTanh,
}

/// <summary>Which layers have the sliding window, where config.json has no layer_types.</summary>
internal enum WindowRule
{
    /// <summary>None.</summary>
    None,

    /// <summary>All, if there is a window.</summary>
    All,

    /// <summary>Those from max_window_layers on, if use_sliding_window says so.</summary>
    FromMaxWindowLayers,

    /// <summary>All but every n-th.</summary>
    AllButEveryNth,
}

/// <summary>
/// A family of models: what all of its config.json files have in common, and what transformers' configuration class takes where a field is
/// missing (4.44 and 5.23). Passes know nothing of families: they are given what <see cref="ModelConfiguration"/> says.
/// </summary>
public sealed partial class ModelFamily
{
    private readonly FrozenSet<string> fields = FrozenSet<string>.Empty;

    private ModelFamily()
    {
    }

    /// <summary>Its name in those of its classes: "Llama" in LlamaForCausalLM.</summary>
    public required string Name { get; init; }

    /// <summary>model_type.</summary>
    public required string Type { get; init; }

    /// <summary>The class with a head.</summary>
    public string CausalClass => $"{Name}ForCausalLM";

    /// <summary>Whether every norm multiplies by 1 + w, w being what is stored, instead of w.</summary>
    public bool HasNormOffset { get; private init; }

    /// <summary>Whether what attention and MLP give passes a norm before it is added to the residual stream.</summary>
    public bool HasBlockOutputNorms { get; private init; }

    /// <summary>Whether every head of q and k passes a norm before rotary embedding.</summary>
    public bool HasQueryKeyNorms { get; private init; }

    /// <summary>Whether what leaves the embedding is multiplied by the root of the hidden size.</summary>
    public bool ScalesEmbedding { get; private init; }

    /// <summary>The linear modules of a layer, in the order of computation.</summary>
    public ImmutableArray<LinearModule> Modules { get; private init; } = LinearModule.Separate;

    /// <summary>The class without a head, whose files lack "model." before every name.</summary>
    internal string BaseClass { get => field ?? $"{Name}Model"; private init; }

    /// <summary>Fields of config.json that are read beside those that all families have.</summary>
    internal IEnumerable<string> Fields { get => fields; private init => fields = value.ToFrozenSet(StringComparer.Ordinal); }

    /// <summary>The field that names the activation.</summary>
    internal string ActivationField => Has("hidden_activation") ? "hidden_activation" : "hidden_act";

    internal Activation Activation { get; private init; }

    /// <summary>
    /// Whether transformers 4 reads hidden_activation alone, and 5 hidden_act alone. Gemma's first files say "gelu" in the latter, which was
    /// never meant: its weights were trained with the tanh form.
    /// </summary>
    internal bool NamesActivationTwice { get; private init; }

    internal int MaximumPositions { get; private init; }

    internal double RmsNormEpsilon { get; private init; } = 1e-6;

    internal bool TiesEmbedding { get; private init; }

    internal int? BeginId { get; private init; } = 1;

    internal int? EndId { get; private init; } = 2;

    /// <summary>head_dim; null for hidden_size / num_attention_heads.</summary>
    internal int? HeadSize { get; private init; }

    /// <summary>
    /// Whether there are as many key and value heads as query heads where num_key_value_heads is missing. In other families the default is
    /// that of one size, so a number is asked for.
    /// </summary>
    internal bool HasKeyValueHeadsOfItsOwn { get; private init; }

    /// <summary>Whether q, k and v always have biases; attention_bias, where it is read, gives the output projection one, too.</summary>
    internal bool HasQueryKeyValueBias { get; private init; }

    internal double RopeTheta { get; private init; } = 10000;

    /// <summary>Base of the angles in layers with a window, where these have a rotary embedding of their own; null if not.</summary>
    internal double? LocalRopeTheta { get; private init; }

    internal WindowRule Windows { get; private init; }

    /// <summary>sliding_window; null for none.</summary>
    internal int? Window { get; private init; }

    /// <summary>The n of <see cref="WindowRule.AllButEveryNth"/>.</summary>
    internal int WindowPattern { get; private init; }

    /// <summary>query_pre_attn_scalar.</summary>
    internal double QueryScalar { get; private init; }

    /// <summary>attn_logit_softcapping; 0 for none.</summary>
    internal double AttentionCap { get; private init; }

    /// <summary>final_logit_softcapping; 0 for none.</summary>
    internal double LogitCap { get; private init; }

    /// <summary>Whether a field of config.json is read in this family beside those that all have.</summary>
    internal bool Has(string field) => fields.Contains(field);

    /// <summary>The module that a projection is in.</summary>
    internal LinearModule ModuleOf(Projection projection)
    {
        foreach (LinearModule module in Modules)
        {
            if (module.Parts.Contains(projection)) return module;
        }
        throw new ArgumentOutOfRangeException(nameof(projection));
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
