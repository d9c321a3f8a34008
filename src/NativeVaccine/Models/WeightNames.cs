using System.Globalization;

namespace NativeVaccine.Models;

/// <summary>
/// What Hugging Face calls a model's weights, and PEFT its LoRA matrices. Each projection has names of its own also where a family's files
/// fuse several into one tensor: see <see cref="StoredWeight"/>.
/// </summary>
public static class WeightNames
{
    /// <summary>(V, C): one row per token.</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary>(C): the norm before the head.</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary>(V, C): absent, or ignored, if the embedding is tied.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>The module of <see cref="Embedding"/>.</summary>
    internal const string EmbeddingModule = "model.embed_tokens";

    /// <summary>The module of <see cref="Head"/>.</summary>
    internal const string HeadModule = "lm_head";

    /// <summary>What the files of a model without a head lack before every name.</summary>
    internal const string BasePrefix = "model.";

    /// <summary>What PEFT puts before the names of the model's own modules.</summary>
    internal const string PeftPrefix = "base_model.model.";

    /// <summary>(C): the norm before attention.</summary>
    public static string InputNorm(int layer) => $"{Layer(layer)}.input_layernorm.weight";

    /// <summary>(C): the norm before the MLP.</summary>
    public static string MlpNorm(ModelFamily family, int layer) =>
        $"{Layer(layer)}.{(family.HasBlockOutputNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm")}.weight";

    /// <summary>(C): the norm on what attention gives, where there is one.</summary>
    public static string AttentionOutputNorm(int layer) => $"{Layer(layer)}.post_attention_layernorm.weight";

    /// <summary>(C): the norm on what the MLP gives, where there is one.</summary>
    public static string MlpOutputNorm(int layer) => $"{Layer(layer)}.post_feedforward_layernorm.weight";

    /// <summary>(HD): the norm on the heads of q, where there is one.</summary>
    public static string QueryNorm(int layer) => $"{Layer(layer)}.self_attn.q_norm.weight";

    /// <summary>(HD): the norm on the heads of k, where there is one.</summary>
    public static string KeyNorm(int layer) => $"{Layer(layer)}.self_attn.k_norm.weight";

    /// <summary>(outputs, inputs): a projection's matrix.</summary>
    public static string Weight(int layer, Projection projection) => $"{Module(layer, projection)}.weight";

    /// <summary>(outputs): a projection's bias.</summary>
    public static string Bias(int layer, Projection projection) => $"{Module(layer, projection)}.bias";

    /// <summary>(r, inputs): LoRA's A of a projection, as in a PEFT file where it is a module by itself.</summary>
    public static string LoraA(int layer, Projection projection) => LoraA(Module(layer, projection));

    /// <summary>(outputs, r): LoRA's B of a projection.</summary>
    public static string LoraB(int layer, Projection projection) => LoraB(Module(layer, projection));

    /// <summary>(r, inputs): LoRA's A of a module in a PEFT file.</summary>
    internal static string LoraA(string module) => $"{PeftPrefix}{module}.lora_A.weight";

    /// <summary>(outputs, r): LoRA's B of a module in a PEFT file.</summary>
    internal static string LoraB(string module) => $"{PeftPrefix}{module}.lora_B.weight";

    /// <summary>The path of a projection: model.layers.0.self_attn.q_proj.</summary>
    internal static string Module(int layer, Projection projection) => Module(layer, projection, projection.HuggingFaceName());

    /// <summary>The path of a module: model.layers.0.self_attn.qkv_proj.</summary>
    internal static string Module(int layer, LinearModule module) => Module(layer, module.Parts[0], module.Name);

    private static string Module(int layer, Projection projection, string name) =>
        $"{Layer(layer)}.{(projection.IsAttention() ? "self_attn" : "mlp")}.{name}";

    private static string Layer(int layer) => string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}");
}
