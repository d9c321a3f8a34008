using System.Globalization;

namespace NativeVaccine.Models;

/// <summary>What Hugging Face's Llama, Mistral and Qwen2 call their weights, and PEFT its LoRA matrices.</summary>
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

    /// <summary>What PEFT puts before the names of the model's own modules.</summary>
    internal const string PeftPrefix = "base_model.model.";

    /// <summary>(C): the norm before attention.</summary>
    public static string InputNorm(int layer) => $"{Layer(layer)}.input_layernorm.weight";

    /// <summary>(C): the norm before the MLP.</summary>
    public static string PostAttentionNorm(int layer) => $"{Layer(layer)}.post_attention_layernorm.weight";

    /// <summary>(outputs, inputs): a projection's matrix.</summary>
    public static string Weight(int layer, Projection projection) => $"{Module(layer, projection)}.weight";

    /// <summary>(outputs): a projection's bias.</summary>
    public static string Bias(int layer, Projection projection) => $"{Module(layer, projection)}.bias";

    /// <summary>(r, inputs): LoRA's A in a PEFT file.</summary>
    public static string LoraA(int layer, Projection projection) => $"{PeftPrefix}{Module(layer, projection)}.lora_A.weight";

    /// <summary>(outputs, r): LoRA's B in a PEFT file.</summary>
    public static string LoraB(int layer, Projection projection) => $"{PeftPrefix}{Module(layer, projection)}.lora_B.weight";

    /// <summary>The path of a projection: model.layers.0.self_attn.q_proj.</summary>
    internal static string Module(int layer, Projection projection) =>
        $"{Layer(layer)}.{(projection.IsAttention() ? "self_attn" : "mlp")}.{projection.HuggingFaceName()}";

    private static string Layer(int layer) => string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}");
}
