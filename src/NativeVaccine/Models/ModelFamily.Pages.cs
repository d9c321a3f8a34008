namespace NativeVaccine.Models;

/// <content>A page for each family.</content>
public sealed partial class ModelFamily
{
    /// <summary>LlamaForCausalLM: Llama 1 to 3, Vicuna and others.</summary>
    public static ModelFamily Llama { get; } = new()
    {
        Name = "Llama",
        Type = "llama",
        Fields = ["attention_bias", "mlp_bias", "layer_types"],
        MaximumPositions = 2048,
        HasKeyValueHeadsOfItsOwn = true,
    };

    /// <summary>MistralForCausalLM: a sliding window.</summary>
    public static ModelFamily Mistral { get; } = new()
    {
        Name = "Mistral",
        Type = "mistral",
        Fields = ["sliding_window", "layer_types"],
        MaximumPositions = 131072,
        Windows = WindowRule.All,
        Window = 4096,
    };

    /// <summary>Qwen2ForCausalLM: biases on q, k and v, and a window in the upper layers if it is switched on.</summary>
    public static ModelFamily Qwen2 { get; } = new()
    {
        Name = "Qwen2",
        Type = "qwen2",
        Fields = ["sliding_window", "use_sliding_window", "max_window_layers", "layer_types"],
        MaximumPositions = 32768,
        BeginId = null,
        EndId = null,
        HasQueryKeyValueBias = true,
        Windows = WindowRule.FromMaxWindowLayers,
        Window = 4096,
    };

    /// <summary>Qwen3ForCausalLM: norms on q and k, and a head size of its own.</summary>
    public static ModelFamily Qwen3 { get; } = new()
    {
        Name = "Qwen3",
        Type = "qwen3",
        Fields = ["attention_bias", "sliding_window", "use_sliding_window", "max_window_layers", "layer_types"],
        MaximumPositions = 32768,
        BeginId = null,
        EndId = null,
        HeadSize = 128,
        HasQueryKeyNorms = true,
        Windows = WindowRule.FromMaxWindowLayers,
        Window = 4096,
    };

    /// <summary>GemmaForCausalLM, the first: a scaled embedding, norms of 1 + w, and GELU in the MLP.</summary>
    public static ModelFamily Gemma { get; } = new()
    {
        Name = "Gemma",
        Type = "gemma",
        Fields = ["attention_bias", "hidden_activation"],
        Activation = Activation.GeluTanh,
        NamesActivationTwice = true,
        MaximumPositions = 8192,
        TiesEmbedding = true,
        BeginId = 2,
        EndId = 1,
        HeadSize = 256,
        HasNormOffset = true,
        ScalesEmbedding = true,
    };

    /// <summary>Gemma2ForCausalLM: norms of 1 + w around attention and MLP, capped scores and logits, a window in every second layer.</summary>
    public static ModelFamily Gemma2 { get; } = new()
    {
        Name = "Gemma2",
        Type = "gemma2",
        Fields =
        [
            "attention_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping",
            "sliding_window", "layer_types",
        ],
        Activation = Activation.GeluTanh,
        MaximumPositions = 8192,
        TiesEmbedding = true,
        BeginId = 2,
        EndId = 1,
        HeadSize = 256,
        HasNormOffset = true,
        HasBlockOutputNorms = true,
        ScalesEmbedding = true,
        Windows = WindowRule.AllButEveryNth,
        WindowPattern = 2,
        Window = 4096,
        QueryScalar = 256,
        AttentionCap = 50,
        LogitCap = 30,
    };

    /// <summary>
    /// Gemma3ForCausalLM, the text model: as Gemma-2, but norms on q and k in place of the cap on scores, and layers with a window have a
    /// rotary embedding of their own.
    /// </summary>
    public static ModelFamily Gemma3 { get; } = new()
    {
        Name = "Gemma3",
        Type = "gemma3_text",
        BaseClass = "Gemma3TextModel",
        Fields =
        [
            "attention_bias", "hidden_activation", "query_pre_attn_scalar", "final_logit_softcapping", "sliding_window",
            "sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq", "layer_types",
        ],
        Activation = Activation.GeluTanh,
        MaximumPositions = 131072,
        TiesEmbedding = true,
        BeginId = 2,
        EndId = 1,
        HeadSize = 256,
        HasNormOffset = true,
        HasBlockOutputNorms = true,
        HasQueryKeyNorms = true,
        ScalesEmbedding = true,
        RopeTheta = 1_000_000,
        LocalRopeTheta = 10_000,
        Windows = WindowRule.AllButEveryNth,
        WindowPattern = 6,
        Window = 4096,
        QueryScalar = 256,
    };

    /// <summary>Phi3ForCausalLM: q, k and v in one matrix, gate and up in another.</summary>
    public static ModelFamily Phi3 { get; } = new()
    {
        Name = "Phi3",
        Type = "phi3",
        Fields = ["sliding_window", "resid_pdrop", "embd_pdrop"],
        MaximumPositions = 4096,
        RmsNormEpsilon = 1e-5,
        EndId = 32000,
        HasKeyValueHeadsOfItsOwn = true,
        Modules =
        [
            new("qkv_proj", [Projection.Query, Projection.Key, Projection.Value]),
            new("o_proj", [Projection.Output]),
            new("gate_up_proj", [Projection.Gate, Projection.Up]),
            new("down_proj", [Projection.Down]),
        ],
        Windows = WindowRule.All,
    };

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } = [Llama, Mistral, Qwen2, Qwen3, Gemma, Gemma2, Gemma3, Phi3];
}
