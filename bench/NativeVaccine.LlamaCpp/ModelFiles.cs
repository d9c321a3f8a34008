using System.Globalization;
using System.Text.Json;
using NativeVaccine.Cli.Bench;
using NativeVaccine.Models;

namespace NativeVaccine.LlamaCpp;

/// <summary>A weight in the words of both formats.</summary>
/// <param name="Name">As Hugging Face has it, in safetensors.</param>
/// <param name="GgufName">As llama.cpp has it.</param>
/// <param name="Rows">0 for a vector.</param>
/// <param name="Columns">Elements of a row.</param>
/// <param name="IsRotated">Whether its rows are those of queries or keys, whose order within a head differs in GGUF.</param>
internal sealed record Weight(string Name, string GgufName, int Rows, int Columns, bool IsRotated = false);

/// <summary>A model of random weights as both programs read it: a folder with config.json and safetensors, and a GGUF file.</summary>
internal sealed class ModelFiles : IDisposable
{
    private readonly DirectoryInfo place = Directory.CreateTempSubdirectory("nativevaccine-llama-cpp-");

    private ModelFiles()
    {
    }

    /// <summary>133.9 M parameters: width and depth of GPT-2 small, layers and vocabulary of Llama, a head of its own.</summary>
    public static ModelConfiguration Shape { get; } = new()
    {
        Family = ModelFamily.Llama,
        VocabularySize = 32000,
        HiddenSize = 768,
        IntermediateSize = 2048,
        LayerCount = 12,
        HeadCount = 12,
        KeyValueHeadCount = 12,
        HeadSize = 64,
        MaximumPositions = 2048,
        RmsNormEpsilon = 1e-5,
    };

    public string Folder => place.FullName;

    public string Gguf => Path.Combine(Folder, "model.gguf");

    public static ModelFiles Write()
    {
        var files = new ModelFiles();
        var weights = new RandomWeights();
        Weight[] all = [.. Weights(Shape)];
        File.WriteAllText(Path.Combine(files.Folder, "config.json"), Configuration(Shape));
        SafetensorsWriter.Write(Path.Combine(files.Folder, "model.safetensors"), [.. all.Select(weight => new TensorToWrite(
            weight.Name,
            ElementType.Float32,
            weight.Rows == 0 ? [weight.Columns] : [weight.Rows, weight.Columns],
            (first, destination) => weights.ReadFloat32(weight.Name, destination, first)))]);
        GgufWriter.Write(files.Gguf, Shape, all, weights);
        return files;
    }

    public void Dispose() => place.Delete(recursive: true);

    private static IEnumerable<Weight> Weights(ModelConfiguration shape)
    {
        int hidden = shape.HiddenSize, queries = shape.HeadCount * shape.HeadSize, keys = shape.KeyValueHeadCount * shape.HeadSize;
        yield return new Weight("model.embed_tokens.weight", "token_embd.weight", shape.VocabularySize, hidden);
        for (int layer = 0; layer < shape.LayerCount; layer++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.");
            string gguf = string.Create(CultureInfo.InvariantCulture, $"blk.{layer}.");
            yield return new Weight(name + "input_layernorm.weight", gguf + "attn_norm.weight", 0, hidden);
            yield return new Weight(name + "self_attn.q_proj.weight", gguf + "attn_q.weight", queries, hidden, IsRotated: true);
            yield return new Weight(name + "self_attn.k_proj.weight", gguf + "attn_k.weight", keys, hidden, IsRotated: true);
            yield return new Weight(name + "self_attn.v_proj.weight", gguf + "attn_v.weight", keys, hidden);
            yield return new Weight(name + "self_attn.o_proj.weight", gguf + "attn_output.weight", hidden, queries);
            yield return new Weight(name + "post_attention_layernorm.weight", gguf + "ffn_norm.weight", 0, hidden);
            yield return new Weight(name + "mlp.gate_proj.weight", gguf + "ffn_gate.weight", shape.IntermediateSize, hidden);
            yield return new Weight(name + "mlp.up_proj.weight", gguf + "ffn_up.weight", shape.IntermediateSize, hidden);
            yield return new Weight(name + "mlp.down_proj.weight", gguf + "ffn_down.weight", hidden, shape.IntermediateSize);
        }
        yield return new Weight("model.norm.weight", "output_norm.weight", 0, hidden);
        yield return new Weight("lm_head.weight", "output.weight", shape.VocabularySize, hidden);
    }

    private static string Configuration(ModelConfiguration shape) => JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["architectures"] = new[] { "LlamaForCausalLM" },
        ["model_type"] = "llama",
        ["vocab_size"] = shape.VocabularySize,
        ["hidden_size"] = shape.HiddenSize,
        ["intermediate_size"] = shape.IntermediateSize,
        ["num_hidden_layers"] = shape.LayerCount,
        ["num_attention_heads"] = shape.HeadCount,
        ["num_key_value_heads"] = shape.KeyValueHeadCount,
        ["max_position_embeddings"] = shape.MaximumPositions,
        ["rms_norm_eps"] = shape.RmsNormEpsilon,
        ["hidden_act"] = "silu",
        ["tie_word_embeddings"] = false,
        ["torch_dtype"] = "float32",
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
    });
}
