using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

/// <summary>What config.json means in each family, and what counts where it says nothing.</summary>
public sealed class ModelFamilyTests : IDisposable
{
    private const string Full = "\"full_attention\"";
    private const string Windowed = "\"sliding_attention\"";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Qwen3()
    {
        ModelConfiguration model = Load("tiny-qwen3");
        Assert.Same(ModelFamily.Qwen3, model.Family);
        Assert.Equal((4, 2, 48, 1e6), (model.HeadCount, model.KeyValueHeadCount, model.HeadSize, model.RopeTheta));
        Assert.Equal((true, false, false, false), (model.TieWordEmbeddings, model.QueryKeyValueBias, model.OutputBias, model.MlpBias));
        Assert.Equal((Activation.Silu, (double?)null, 0.0, 0.0), (model.Activation, model.QueryScalar, model.AttentionCap, model.LogitCap));
        Assert.Equal((0, true), (model.SlidingWindow, model.WindowedLayers.IsEmpty));
        Assert.Null(model.BeginOfSequenceId);
        ModelConfiguration biased = Changed("tiny-qwen3", ("attention_bias", "true"));
        Assert.Equal((true, true, false), (biased.QueryKeyValueBias, biased.OutputBias, biased.MlpBias));
    }

    [Fact]
    public void Gemma()
    {
        ModelConfiguration model = Load("tiny-gemma");
        Assert.Same(ModelFamily.Gemma, model.Family);
        Assert.Equal((4, 1, 32), (model.HeadCount, model.KeyValueHeadCount, model.HeadSize));
        Assert.Equal((Activation.GeluTanh, (double?)null, 0.0, 0.0), (model.Activation, model.QueryScalar, model.AttentionCap, model.LogitCap));
        Assert.Equal((true, 0, true), (model.TieWordEmbeddings, model.SlidingWindow, model.WindowedLayers.IsEmpty));
        Assert.Equal(9, StoredWeight.Of(model).Count(static weight => weight.Name.StartsWith("model.layers.0.", StringComparison.Ordinal)));
    }

    [Fact]
    public void Gemma2()
    {
        ModelConfiguration model = Load("tiny-gemma2");
        Assert.Same(ModelFamily.Gemma2, model.Family);
        Assert.Equal((Activation.GeluTanh, (double?)32, 50.0, 30.0), (model.Activation, model.QueryScalar, model.AttentionCap, model.LogitCap));
        Assert.Equal(16, model.SlidingWindow);
        Assert.Equal([true, false, true, false], model.WindowedLayers.ToArray());
        Assert.True(model.TieWordEmbeddings);
        Assert.Null(model.LocalRope);
        ModelConfiguration uncapped = Changed("tiny-gemma2", ("attn_logit_softcapping", "null"), ("final_logit_softcapping", "null"));
        Assert.Equal((0.0, 0.0), (uncapped.AttentionCap, uncapped.LogitCap));
    }

    [Fact]
    public void Gemma3_as_transformers_5_writes_it()
    {
        ModelConfiguration model = Load("tiny-gemma3");
        Assert.Same(ModelFamily.Gemma3, model.Family);
        Assert.Equal((Activation.GeluTanh, (double?)24, 0.0, 0.0), (model.Activation, model.QueryScalar, model.AttentionCap, model.LogitCap));
        Assert.Equal([true, true, true, true, true, false, true], model.WindowedLayers.ToArray());
        Assert.Equal((16, 1e6), (model.SlidingWindow, model.RopeTheta));
        Assert.Equal(new RopeScaling(RopeScalingKind.Linear, 8), model.RopeScaling);
        Assert.Equal(new RotaryEmbedding(10000, RopeScaling.None), model.LocalRope);
        Assert.DoesNotContain("\"rope_scaling\"", model.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void Gemma3_as_transformers_4_writes_it()
    {
        ModelConfiguration model = Changed(
            "tiny-gemma3", ["rope_parameters", "layer_types", "_sliding_window_pattern"],
            ("rope_theta", "500000"), ("rope_local_base_freq", "7000"), ("rope_scaling", """{"rope_type":"linear","factor":4.0}"""),
            ("sliding_window_pattern", "3"));
        Assert.Equal([true, true, false, true, true, false, true], model.WindowedLayers.ToArray());
        Assert.Equal((500000, new RopeScaling(RopeScalingKind.Linear, 4)), (model.RopeTheta, model.RopeScaling));
        Assert.Equal(new RotaryEmbedding(7000, RopeScaling.None), model.LocalRope);
    }

    [Fact]
    public void Phi3_has_its_window_in_every_layer()
    {
        ModelConfiguration model = Load("tiny-phi3");
        Assert.Same(ModelFamily.Phi3, model.Family);
        Assert.Equal((20, true), (model.SlidingWindow, model.WindowedLayers.IsEmpty));
        Assert.Equal(0, Changed("tiny-phi3", ("sliding_window", "null")).SlidingWindow);
        Assert.Equal(0, Changed("tiny-phi3", ["sliding_window"]).SlidingWindow);
        string[] stored = [.. StoredWeight.Of(model).Select(static weight => weight.Name)];
        Assert.Contains("model.layers.2.self_attn.qkv_proj.weight", stored);
        Assert.DoesNotContain(stored, static name => name.Contains("q_proj", StringComparison.Ordinal));
        StoredWeight fused = StoredWeight.Of(model).First(static weight => weight.Name.Contains("gate_up_proj", StringComparison.Ordinal));
        Assert.Equal([512, 96], fused.Shape.ToArray());
    }

    /// <summary>What the configuration classes of transformers 4.44 and 5.23 say.</summary>
    [Theory]
    [InlineData("tiny-qwen3", 32768, 1e-6, 128, 1e4, false, null, null)]
    [InlineData("tiny-gemma", 8192, 1e-6, 256, 1e4, true, 2, 1)]
    [InlineData("tiny-gemma2", 8192, 1e-6, 256, 1e4, true, 2, 1)]
    [InlineData("tiny-gemma3", 131072, 1e-6, 256, 1e6, true, 2, 1)]
    [InlineData("tiny-phi3", 4096, 1e-5, 24, 1e4, false, 1, null)] // its 32000 ends no text of 800 tokens
    public void What_is_missing_is_as_in_transformers(
        string fixture, int positions, double epsilon, int headSize, double theta, bool isTied, int? begin, int? end)
    {
        ModelConfiguration model = Changed(fixture, [
            "max_position_embeddings", "rms_norm_eps", "head_dim", "rope_theta", "rope_parameters", "tie_word_embeddings", "bos_token_id",
            "eos_token_id", "hidden_activation", "hidden_act", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"]);
        Assert.Equal((positions, epsilon, headSize, theta), (model.MaximumPositions, model.RmsNormEpsilon, model.HeadSize, model.RopeTheta));
        Assert.Equal((isTied, begin), (model.TieWordEmbeddings, model.BeginOfSequenceId));
        Assert.Equal(end is { } id ? [id] : [], model.EndOfSequenceIds.ToArray());
        bool isGemma = model.Family == ModelFamily.Gemma2 || model.Family == ModelFamily.Gemma3;
        bool hasGelu = isGemma || model.Family == ModelFamily.Gemma;
        Assert.Equal((hasGelu ? Activation.GeluTanh : Activation.Silu, isGemma ? 256 : (double?)null), (model.Activation, model.QueryScalar));
        bool isCapped = model.Family == ModelFamily.Gemma2;
        Assert.Equal((isCapped ? 50.0 : 0, isCapped ? 30.0 : 0), (model.AttentionCap, model.LogitCap));
        Assert.Equal(model.Family == ModelFamily.Gemma3 ? new RotaryEmbedding(10000, RopeScaling.None) : null, model.LocalRope);
        // What is written without the file's own fields says the same.
        ModelConfiguration fresh = model with { SourceJson = null };
        Assert.Equal(fresh.ToJson(), (Parse(JsonNode.Parse(fresh.ToJson())!.AsObject()) with { SourceJson = null }).ToJson());
    }

    [Fact]
    public void Windows_may_differ_from_layer_to_layer()
    {
        ModelConfiguration mistral = Changed("tiny-mistral", ("layer_types", $"[{Full},{Windowed},{Full}]"));
        Assert.Equal(24, mistral.SlidingWindow);
        Assert.Equal([false, true, false], mistral.WindowedLayers.ToArray());
        (string, string)[] upper = [("sliding_window", "24"), ("use_sliding_window", "true"), ("max_window_layers", "2")];
        foreach (string fixture in new[] { "tiny-qwen2", "tiny-qwen3" })
        {
            ModelConfiguration qwen = Changed(fixture, ["layer_types"], upper);
            Assert.Equal(24, qwen.SlidingWindow);
            Assert.Equal([false, false, true, true], qwen.WindowedLayers.ToArray());
            ModelConfiguration typed = Changed(fixture, [.. upper, ("layer_types", $"[{Windowed},{Full},{Full},{Full}]")]);
            Assert.Equal([true, false, false, false], typed.WindowedLayers.ToArray());
            Assert.Equal(4096, Changed(fixture, ["layer_types", "sliding_window"], upper[1..]).SlidingWindow);
        }
        ModelConfiguration full = Changed("tiny-gemma2", ("layer_types", $"[{Full},{Full},{Full},{Full}]"), ("sliding_window", "null"));
        Assert.Equal((0, true), (full.SlidingWindow, full.WindowedLayers.IsEmpty));
    }

    [Theory]
    [InlineData("tiny-gemma3", "architectures", "[\"Gemma3ForConditionalGeneration\"]", "architectures is 'Gemma3ForConditionalGeneration'; expected LlamaForCausalLM")]
    [InlineData("tiny-gemma3", "architectures", "[\"Gemma2ForCausalLM\"]", "model_type is 'gemma3_text'; expected the family of architectures")]
    [InlineData("tiny-gemma2", "hidden_activation", "\"gelu\"", "hidden_activation is 'gelu'; expected silu or gelu_pytorch_tanh")]
    [InlineData("tiny-gemma2", "use_bidirectional_attention", "true", "use_bidirectional_attention is true; expected false")]
    [InlineData("tiny-gemma2", "sliding_window", "null", "sliding_window is null; expected a whole number, since layers of Gemma2")]
    [InlineData("tiny-gemma2", "query_pre_attn_scalar", "0", "query_pre_attn_scalar is 0; expected a positive number")]
    [InlineData("tiny-gemma2", "final_logit_softcapping", "-1", "final_logit_softcapping is -1; expected a positive number")]
    [InlineData("tiny-gemma3", "rope_scaling", "{\"rope_type\":\"linear\",\"factor\":2}", "expected nothing beside rope_parameters")]
    [InlineData("tiny-gemma3", "rope_parameters", "{\"rope_theta\":1e6}", "rope_parameters.rope_theta is 1e6; expected full_attention and sliding_attention")]
    [InlineData(
        "tiny-gemma3", "rope_parameters", "{\"full_attention\":{\"rope_type\":\"yarn\",\"factor\":2}}",
        "rope_parameters.full_attention.rope_type is 'yarn'; expected default, linear or llama3")]
    [InlineData("tiny-phi3", "rope_parameters", "{\"rope_type\":\"longrope\",\"short_factor\":[1]}", "rope_parameters.rope_type is 'longrope'")]
    [InlineData("tiny-phi3", "rope_parameters", "{\"partial_rotary_factor\":0.5}", "rope_parameters.partial_rotary_factor is less than 1")]
    [InlineData("tiny-qwen3", "rope_scaling", "{\"rope_type\":\"dynamic\",\"factor\":2}", "rope_scaling.rope_type is 'dynamic'")]
    [InlineData("tiny-qwen3", "head_dim", "47", "head_dim is 47; expected an even number")]
    [InlineData("tiny-qwen2", "max_window_layers", "-1", "max_window_layers is -1")]
    public void What_a_family_has_no_rule_for_is_refused_by_name(string fixture, string field, string value, string expected) =>
        Refusal.Of(() => Changed(fixture, (field, value)), "config.json", expected);

    [Theory]
    [InlineData("tiny-gemma2", "hidden_act", "\"silu\"", "hidden_act is not used, but hidden_activation, as in transformers: gelu_pytorch_tanh")]
    [InlineData("tiny-gemma3", "attn_logit_softcapping", "50.0", "field attn_logit_softcapping is not known")]
    [InlineData("tiny-gemma3", "rope_local_base_freq", "7000", "rope_local_base_freq and rope_parameters.sliding_attention.rope_theta disagree")]
    [InlineData("tiny-phi3", "layer_types", "[\"full_attention\"]", "field layer_types is not known")]
    [InlineData("tiny-phi3", "resid_pdrop", "0.1", "resid_pdrop is not 0: transformers drops some of the residual stream in training")]
    public void What_is_not_read_is_named_in_a_line(string fixture, string field, string value, string expected)
    {
        var notices = new List<string>();
        JsonObject json = Source(fixture);
        json[field] = JsonNode.Parse(value);
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json", notices.Add);
        Assert.Contains(expected, Assert.Single(notices), StringComparison.Ordinal);
    }

    /// <summary>
    /// google/gemma-2b's first config.json. transformers 4.44 reads hidden_activation and takes the tanh form where it is null; 5.12 takes
    /// hidden_act as it stands, so that what we write names the same in both.
    /// </summary>
    [Theory]
    [InlineData("\"gelu\"", "null", "hidden_act is 'gelu', which transformers 5 takes; here gelu_pytorch_tanh counts, as in transformers 4", "gelu_pytorch_tanh")]
    [InlineData("\"gelu\"", "\"silu\"", "hidden_act is 'gelu', which transformers 5 takes; here silu counts", "silu")]
    [InlineData("\"gelu_pytorch_tanh\"", "null", null, "gelu_pytorch_tanh")]
    public void Gemma_is_written_with_one_activation_for_every_reader(string act, string activation, string? expected, string used)
    {
        var notices = new List<string>();
        JsonObject json = With(Source("tiny-gemma"), ("hidden_act", act), ("hidden_activation", activation));
        ModelConfiguration model = ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json", notices.Add);
        Assert.Equal(expected is null ? 0 : 1, notices.Count);
        Assert.All(notices, notice => Assert.Contains(expected!, notice, StringComparison.Ordinal));
        foreach (ModelConfiguration written in new[] { model, model with { SourceJson = null } })
        {
            JsonNode again = JsonNode.Parse(written.ToJson())!;
            Assert.Equal((used, used), ((string?)again["hidden_act"], (string?)again["hidden_activation"]));
        }
    }

    [Theory]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    public void Published_gemma_configurations_name_the_activation_twice(string fixture) => ModelConfiguration.Parse(
        Encoding.UTF8.GetBytes(With(Source(fixture), ("hidden_act", "\"gelu_pytorch_tanh\"")).ToJsonString()), "config.json", static line => Assert.Fail(line));

    [Theory]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma")]
    public void Mutations_are_read_or_refused(string fixture) =>
        Mutation.Run(File.ReadAllBytes(Fixtures.Path(fixture, "config.json")), 5_000, seed: 4, static damaged =>
        {
            ModelConfiguration model = ModelConfiguration.Parse(damaged, "config.json") with { SourceJson = null };
            ModelConfiguration again = ModelConfiguration.Parse(Encoding.UTF8.GetBytes(model.ToJson()), "again") with { SourceJson = null };
            Assert.Equal(model.ToJson(), again.ToJson());
        });

    /// <summary>LlamaModel.save_pretrained writes no "model." before the names, and no head.</summary>
    [Theory]
    [InlineData("tiny-qwen3", "Qwen3Model")]
    [InlineData("tiny-gemma3", "Gemma3TextModel")]
    [InlineData("tiny-gemma", "GemmaModel")]
    [InlineData("tiny-gemma2", "Gemma2Model")]
    public void A_saved_base_model_is_read_and_written_again(string fixture, string architecture)
    {
        WriteBase(fixture, architecture, withHead: false);
        using ModelFolder whole = ModelFolder.Open(Fixtures.Path(fixture));
        using ModelFolder model = ModelFolder.Open(folder.File("base"));
        Assert.Empty(model.Notices);
        foreach (ExpectedWeight weight in ExpectedWeight.Of(whole.Configuration))
        {
            float[] wanted = new float[weight.ElementCount], found = new float[weight.ElementCount];
            whole.ReadFloat32(weight.Name, wanted);
            model.ReadFloat32(weight.Name, found);
            Assert.Equal(wanted, found);
        }
        ModelMerger.Merge(model, [], folder.File("merged"), ElementType.BFloat16);
        using var written = new SafetensorsReader(folder.File("merged", "model.safetensors"));
        Assert.Contains("embed_tokens.weight", written.Names);
        Assert.DoesNotContain(written.Names, static name => name.StartsWith("model.", StringComparison.Ordinal));
    }

    [Fact]
    public void A_base_model_that_needs_a_head_is_refused()
    {
        WriteBase("tiny-phi3", "Phi3Model", withHead: false);
        Refusal.Of(() => ModelFolder.Open(folder.File("base")).Dispose(), "'lm_head.weight' is missing");
        Directory.Delete(folder.File("base"), recursive: true);
        WriteBase("tiny-phi3", "Phi3Model", withHead: true);
        ModelFolder.Open(folder.File("base")).Dispose();
    }

    private void WriteBase(string fixture, string architecture, bool withHead)
    {
        Directory.CreateDirectory(folder.File("base"));
        File.WriteAllText(folder.File("base", "config.json"), With(Source(fixture), ("architectures", $"[\"{architecture}\"]")).ToJsonString());
        using var source = new SafetensorsReader(Fixtures.Path(fixture, "model.safetensors"));
        SafetensorsWriter.Write(folder.File("base", "model.safetensors"), [.. source.Names.Where(name => withHead || name != "lm_head.weight").Select(name =>
            new TensorToWrite(
                name.StartsWith("model.", StringComparison.Ordinal) ? name["model.".Length..] : name,
                source.Info(name).Type,
                source.Info(name).Shape,
                (first, destination) => source.ReadFloat32(name, destination, first)))]);
    }

    private static ModelConfiguration Load(string fixture) => ModelConfiguration.Load(Fixtures.Path(fixture));

    private static JsonObject Source(string fixture) => JsonNode.Parse(File.ReadAllText(Fixtures.Path(fixture, "config.json")))!.AsObject();

    private static ModelConfiguration Parse(JsonObject json) =>
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json");

    private static JsonObject With(JsonObject json, params (string Field, string Value)[] changes)
    {
        foreach ((string field, string value) in changes) json[field] = JsonNode.Parse(value);
        return json;
    }

    private static ModelConfiguration Changed(string fixture, params (string Field, string Value)[] changes) => Changed(fixture, [], changes);

    private static ModelConfiguration Changed(string fixture, string[] removed, params (string Field, string Value)[] changes)
    {
        JsonObject json = Source(fixture);
        foreach (string field in removed) json.Remove(field);
        return Parse(With(json, changes));
    }
}
