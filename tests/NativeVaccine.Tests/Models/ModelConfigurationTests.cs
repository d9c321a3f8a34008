using System.Text;
using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class ModelConfigurationTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Llama_in_the_form_of_llama_2()
    {
        ModelConfiguration model = Load("tiny-llama");
        Assert.Equal(ModelFamily.Llama, model.Family);
        Assert.Equal((800, 128, 344, 8), (model.VocabularySize, model.HiddenSize, model.IntermediateSize, model.LayerCount));
        Assert.Equal((4, 4, 32, 256), (model.HeadCount, model.KeyValueHeadCount, model.HeadSize, model.MaximumPositions));
        Assert.Equal((1e-5, 10000.0), (model.RmsNormEpsilon, model.RopeTheta));
        Assert.Equal(RopeScaling.None, model.RopeScaling);
        Assert.Equal((0, false), (model.SlidingWindow, model.TieWordEmbeddings));
        Assert.Equal((false, false, false), (model.QueryKeyValueBias, model.OutputBias, model.MlpBias));
        Assert.Equal(1, model.BeginOfSequenceId);
        Assert.Equal([2], model.EndOfSequenceIds.ToArray());
        Assert.Equal(ElementType.Float32, model.StoredType);
    }

    [Fact]
    public void Llama_in_the_form_of_llama_3()
    {
        ModelConfiguration model = Load("tiny-gqa");
        Assert.Equal((4, 2, 64), (model.HeadCount, model.KeyValueHeadCount, model.HeadSize));
        Assert.Equal(new RopeScaling(RopeScalingKind.Llama3, 8, 1, 4, 64), model.RopeScaling);
        Assert.Equal(500000, model.RopeTheta);
        Assert.True(model.TieWordEmbeddings);
        Assert.Equal([701, 702], model.EndOfSequenceIds.ToArray());
        Assert.Equal(ElementType.BFloat16, model.StoredType);
    }

    [Fact]
    public void Linear_scaling()
    {
        Assert.Equal(new RopeScaling(RopeScalingKind.Linear, 4), Load("tiny-llama-linear-rope").RopeScaling);
        ModelConfiguration older = Changed("tiny-llama", "rope_scaling", """{"type":"linear","factor":2}""");
        Assert.Equal(new RopeScaling(RopeScalingKind.Linear, 2), older.RopeScaling);
    }

    [Fact]
    public void Qwen2_has_biases_on_query_key_and_value_and_its_window_only_when_switched_on()
    {
        ModelConfiguration model = Load("tiny-qwen2");
        Assert.Equal(ModelFamily.Qwen2, model.Family);
        Assert.Equal((true, false, false), (model.QueryKeyValueBias, model.OutputBias, model.MlpBias));
        Assert.Null(model.BeginOfSequenceId);
        Assert.Equal(ElementType.Float16, model.StoredType);
        Assert.Equal(0, Changed("tiny-qwen2", "sliding_window", "24").SlidingWindow);
        Assert.Equal(0, Changed("tiny-qwen2", ("sliding_window", "24"), ("use_sliding_window", "true")).SlidingWindow);
        (string, string)[] everyLayer = [("sliding_window", "24"), ("use_sliding_window", "true"), ("max_window_layers", "0")];
        Assert.Equal(24, Changed("tiny-qwen2", everyLayer).SlidingWindow);
    }

    [Fact]
    public void Mistral_has_its_window_unless_null()
    {
        ModelConfiguration model = Load("tiny-mistral");
        Assert.Equal((ModelFamily.Mistral, 24, 64), (model.Family, model.SlidingWindow, model.HeadSize));
        Assert.Equal(0, Changed("tiny-mistral", "sliding_window", "null").SlidingWindow);
    }

    [Fact]
    public void Llama_attention_bias_covers_the_output_projection_too()
    {
        ModelConfiguration model = Changed("tiny-llama", ("attention_bias", "true"), ("mlp_bias", "true"));
        Assert.All(Projections.All, projection => Assert.True(model.HasBias(projection)));
    }

    [Fact]
    public void The_newer_form_of_config_json()
    {
        JsonObject json = Source("tiny-llama");
        foreach (string name in new[] { "rope_theta", "rope_scaling", "torch_dtype" }) json.Remove(name);
        json["dtype"] = "bfloat16";
        json["rope_parameters"] = JsonNode.Parse("""
            {"rope_type":"llama3","rope_theta":500000.0,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
            "original_max_position_embeddings":64}
            """);
        ModelConfiguration model = Parse(json);
        Assert.Equal(500000, model.RopeTheta);
        Assert.Equal(new RopeScaling(RopeScalingKind.Llama3, 8, 1, 4, 64), model.RopeScaling);
        Assert.Equal(ElementType.BFloat16, model.StoredType);

        ModelConfiguration back = ModelConfiguration.Parse(Encoding.UTF8.GetBytes(model.ToJson()), "again");
        Assert.Equal((model.RopeTheta, model.RopeScaling, model.StoredType), (back.RopeTheta, back.RopeScaling, back.StoredType));
    }

    /// <summary>transformers 4 passes over rope_parameters in silence; 5 reads both, and finds the same.</summary>
    [Theory]
    [InlineData("""{"rope_type":"linear","rope_theta":500000.0,"factor":8.0}""", """{"rope_type":"linear","type":"linear","factor":8.0}""")]
    [InlineData("""{"rope_type":"default","rope_theta":500000.0}""", null)]
    public void The_newer_form_is_written_with_the_older_one_beside_it(string parameters, string? scaling)
    {
        JsonObject json = Source("tiny-llama");
        foreach (string name in new[] { "rope_theta", "rope_scaling" }) json.Remove(name);
        json["rope_parameters"] = JsonNode.Parse(parameters);
        ModelConfiguration model = Parse(json);
        JsonObject written = JsonNode.Parse(model.ToJson())!.AsObject();
        json["rope_theta"] = 500000.0;
        if (scaling is not null) json["rope_scaling"] = JsonNode.Parse(scaling);
        Assert.True(JsonNode.DeepEquals(json, written), written.ToJsonString());
        var notices = new List<string>();
        AssertSameSettings(model, ModelConfiguration.Parse(Encoding.UTF8.GetBytes(model.ToJson()), "again", notices.Add));
        Assert.Empty(notices);
    }

    [Fact]
    public void Generation_settings_are_read_in_one_place_and_not_here()
    {
        File.Copy(Fixtures.Path("tiny-llama", "config.json"), folder.File("config.json"));
        File.WriteAllText(folder.File("generation_config.json"), """{"eos_token_id": [7, 9]}""");
        ModelConfiguration model = ModelConfiguration.Load(folder.Root);
        Assert.Equal([2], model.EndOfSequenceIds.ToArray());
        Assert.Equal([7, 9], GenerationConfiguration.Read(folder.Root, model).EndIds);
    }

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama-linear-rope")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-qwen3")]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-phi3")]
    public void A_written_configuration_reads_the_same_and_keeps_unknown_fields(string fixture)
    {
        JsonObject json = Source(fixture);
        json["some_future_field"] = JsonNode.Parse("""{"a":[1.0,2]}""");
        ModelConfiguration model = Parse(json);
        AssertSameSettings(model, ModelConfiguration.Parse(Encoding.UTF8.GetBytes(model.ToJson()), "again"));
        Assert.Equal("""{"a":[1.0,2]}""", JsonNode.Parse(model.ToJson())!["some_future_field"]!.ToJsonString());

        ModelConfiguration fresh = model with { SourceJson = null };
        AssertSameSettings(model, ModelConfiguration.Parse(Encoding.UTF8.GetBytes(fresh.ToJson()), "fresh"));
        Assert.Matches($"\"rope_theta\": {(int)model.RopeTheta}\\.0\\b", fresh.ToJson());
    }

    [Theory]
    [InlineData("llama-2-7b", 6_738_415_616)]
    [InlineData("llama-2-13b", 13_015_864_320)]
    [InlineData("llama-3-8b", 8_030_261_248)]
    [InlineData("mistral-7b", 7_241_732_096)]
    [InlineData("qwen2-7b", 7_615_616_512)]
    [InlineData("qwen3-8b", 8_190_735_360)]
    [InlineData("gemma-2b", 2_506_172_416)]
    [InlineData("gemma-2-2b", 2_614_341_888)]
    [InlineData("gemma-3-1b", 999_885_952)]
    [InlineData("phi-3-mini", 3_821_079_552)]
    public void Published_shapes_have_the_published_number_of_parameters(string name, long parameters) =>
        Assert.Equal(parameters, ModelConfiguration.Shape(name).ParameterCount);

    [Fact]
    public void An_unknown_shape_is_refused_with_the_known_ones() =>
        Refusal.Of(() => ModelConfiguration.Shape("llama-9"), "'llama-9'", "llama-2-7b", "qwen2-7b");

    [Theory]
    [InlineData("architectures", "[\"GPT2LMHeadModel\"]", "architectures is 'GPT2LMHeadModel'; expected LlamaForCausalLM")]
    [InlineData("architectures", "[\"LlamaForSequenceClassification\"]", "architectures is 'LlamaForSequenceClassification'")]
    [InlineData("model_type", "\"mistral\"", "model_type is 'mistral'; expected the family of architectures, 'LlamaForCausalLM'")]
    [InlineData("model_type", "\"gemma\"", "model_type is 'gemma'; expected the family of architectures, 'LlamaForCausalLM'")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act is 'gelu'; expected silu or gelu_pytorch_tanh")]
    [InlineData("use_bidirectional_attention", "true", "use_bidirectional_attention is true; expected false")]
    [InlineData("rope_parameters", "{\"full_attention\":{\"rope_theta\":1}}", "rope_parameters.full_attention is {\"rope_theta\":1}")]
    [InlineData("is_causal", "false", "is_causal is false; expected true")]
    [InlineData("partial_rotary_factor", "0.5", "partial_rotary_factor is less than 1")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":2}", "rope_scaling.type is 'yarn'")]
    [InlineData("rope_scaling", "{\"rope_type\":\"dynamic\",\"factor\":2}", "rope_scaling.rope_type is 'dynamic'")]
    [InlineData("rope_scaling", "{\"rope_type\":\"linear\"}", "rope_scaling.factor is missing")]
    [InlineData(
        "rope_scaling",
        "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,\"original_max_position_embeddings\":8}",
        "rope_scaling.high_freq_factor is 4; expected a number greater than low_freq_factor")]
    [InlineData("rope_scaling", "7", "rope_scaling is 7; expected an object")]
    [InlineData("hidden_size", "130", "hidden_size is 130; expected a multiple of num_attention_heads, 4")]
    [InlineData("hidden_size", "\"128\"", "hidden_size is \"128\"; expected a whole number")]
    [InlineData("hidden_size", "0", "hidden_size is 0")]
    [InlineData("hidden_size", "1e300", "hidden_size is 1e300")]
    [InlineData("hidden_size", "null", "hidden_size is null")]
    [InlineData("head_dim", "31", "head_dim is 31; expected an even number")]
    [InlineData("num_key_value_heads", "3", "num_key_value_heads is 3; expected a divisor")]
    [InlineData("num_hidden_layers", "2000000000", "num_hidden_layers is 2000000000")]
    [InlineData("rms_norm_eps", "-1", "rms_norm_eps is -1")]
    [InlineData("rope_theta", "1e999", "rope_theta is 1e999")]
    [InlineData("eos_token_id", "800", "eos_token_id is 800; expected a whole number from 0 to 799")]
    [InlineData("eos_token_id", "[1, \"2\"]", "eos_token_id is \"2\"")]
    [InlineData("torch_dtype", "\"int8\"", "torch_dtype is 'int8'")]
    [InlineData("quantization_config", "{\"quant_method\":\"awq\"}", "quantization_config")]
    [InlineData("attention_bias", "1", "attention_bias is 1; expected true or false")]
    public void A_bad_field_is_refused_by_name(string field, string value, string expected) =>
        Refusal.Of(() => Changed("tiny-llama", field, value), "config.json", expected);

    [Theory]
    [InlineData(
        "tiny-llama", "some_future_field", "3",
        "field some_future_field is not known to this program; transformers may compute with it")]
    [InlineData("tiny-llama", "bias", "true", "field bias is not known")]
    [InlineData("tiny-llama", "sliding_window", "24", "field sliding_window is not known")]
    [InlineData("tiny-mistral", "attention_bias", "true", "field attention_bias is not known")]
    [InlineData("tiny-qwen2", "mlp_bias", "true", "field mlp_bias is not known")]
    [InlineData("tiny-llama", "repetition_penalty", "1.1", "field repetition_penalty is not known")]
    [InlineData("tiny-llama", "attention_dropout", "0.1", "attention_dropout is not 0: transformers drops")]
    [InlineData(
        "tiny-llama", "rope_parameters", "{\"rope_theta\":500000.0}",
        "rope_theta and rope_parameters.rope_theta disagree; that of rope_parameters")]
    [InlineData(
        "tiny-llama-linear-rope", "rope_parameters", "{\"rope_theta\":10000.0}",
        "rope_scaling and rope_parameters disagree; rope_scaling counts")]
    [InlineData(
        "tiny-llama-linear-rope", "rope_scaling", "{\"type\":\"llama3\",\"rope_type\":\"linear\",\"factor\":4.0}",
        "rope_scaling.rope_type and type disagree; rope_type counts")]
    [InlineData(
        "tiny-llama-linear-rope", "rope_scaling", "{\"type\":\"linear\",\"factor\":4.0,\"beta_fast\":32}",
        "field rope_scaling.beta_fast is not known")]
    [InlineData(
        "tiny-mistral", "layer_types", "[\"full_attention\",\"full_attention\",\"full_attention\"]",
        "sliding_window is not used, since layer_types")]
    public void What_is_not_read_or_contradicts_is_named_in_a_line(string fixture, string field, string value, string expected)
    {
        var notices = new List<string>();
        JsonObject json = Source(fixture);
        json[field] = JsonNode.Parse(value);
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json", notices.Add);
        string notice = Assert.Single(notices);
        Assert.StartsWith("config.json: ", notice, StringComparison.Ordinal);
        Assert.Contains(expected, notice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-llama-linear-rope")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    [InlineData("tiny-qwen3")]
    [InlineData("tiny-gemma")]
    [InlineData("tiny-gemma2")]
    [InlineData("tiny-gemma3")]
    [InlineData("tiny-phi3")]
    public void What_is_known_or_off_is_not_worth_a_line(string fixture)
    {
        JsonObject json = Source(fixture);
        foreach (string field in new[] { "_name_or_path", "pad_token_id", "pretraining_tp", "max_length" }) json[field] = 1;
        foreach ((string field, string value) in new[] { ("use_mrope", "false"), ("a", "null"), ("b", "[]"), ("c", "{}"), ("d", "0.0") })
            json[field] = JsonNode.Parse(value);
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json", static line => Assert.Fail(line));
    }

    /// <summary>As transformers 5.23 resolves them.</summary>
    [Fact]
    public void Contradicting_rope_forms_count_as_in_transformers()
    {
        const string nested = """{"rope_theta":500000.0,"rope_type":"linear","factor":2.0}""";
        ModelConfiguration both = Changed("tiny-llama", "rope_parameters", nested);
        Assert.Equal((500000, new RopeScaling(RopeScalingKind.Linear, 2)), (both.RopeTheta, both.RopeScaling));
        both = Changed("tiny-llama-linear-rope", "rope_parameters", "{\"rope_theta\":500000.0,\"rope_type\":\"default\"}");
        Assert.Equal((10000, new RopeScaling(RopeScalingKind.Linear, 4)), (both.RopeTheta, both.RopeScaling));
        const string old = """{"type":"linear","factor":4.0,"rope_theta":700}""";
        Assert.Equal(700, Changed("tiny-llama-linear-rope", "rope_scaling", old).RopeTheta);
    }

    [Fact]
    public void Begin_and_end_are_the_familys_where_absent_and_none_where_null()
    {
        foreach (string fixture in new[] { "tiny-llama", "tiny-mistral", "tiny-qwen2" })
        {
            JsonObject json = Source(fixture);
            json.Remove("bos_token_id");
            json.Remove("eos_token_id");
            ModelConfiguration absent = Parse(json);
            bool isQwen = fixture == "tiny-qwen2";
            Assert.Equal(isQwen ? null : 1, absent.BeginOfSequenceId);
            Assert.Equal(isQwen ? [] : [2], absent.EndOfSequenceIds.ToArray());
            JsonObject written = JsonNode.Parse(absent.ToJson())!.AsObject();
            Assert.False(written.ContainsKey("bos_token_id") || written.ContainsKey("eos_token_id"));
            json["bos_token_id"] = null;
            json["eos_token_id"] = null;
            Assert.Null(Parse(json).BeginOfSequenceId);
            Assert.Empty(Parse(json).EndOfSequenceIds);
        }
    }

    [Fact]
    public void A_written_configuration_changes_only_the_type()
    {
        JsonObject json = Source("tiny-llama");
        json["dtype"] = "float16";
        json["auto_map"] = JsonNode.Parse("""{"AutoModel":"code.Model"}""");
        json["a"] = JsonNode.Parse("[1.0,2]");
        JsonObject written = JsonNode.Parse((Parse(json) with { StoredType = ElementType.BFloat16 }).ToJson())!.AsObject();
        json["dtype"] = "bfloat16";
        json["torch_dtype"] = "bfloat16";
        json.Remove("auto_map");
        Assert.True(JsonNode.DeepEquals(json, written), written.ToJsonString());
        json.Remove("dtype");
        json.Remove("torch_dtype");
        Assert.True(JsonNode.DeepEquals(json, JsonNode.Parse(Parse(json).ToJson())));
    }

    [Theory]
    [InlineData("tiny-mistral", "sliding_attention", 24)]
    [InlineData("tiny-mistral", "full_attention", 0)]
    [InlineData("tiny-qwen2", "sliding_attention", 8)]
    [InlineData("tiny-qwen2", "full_attention", 0)]
    [InlineData("tiny-llama", "full_attention", 0)]
    public void Layer_types_that_are_all_the_same_count(string fixture, string type, int window)
    {
        (string, string)[] changes =
            fixture == "tiny-qwen2" ? [("use_sliding_window", "true"), ("sliding_window", "8"), ("max_window_layers", "2")] : [];
        int layers = Load(fixture).LayerCount;
        string types = $"[{string.Join(',', Enumerable.Repeat($"\"{type}\"", layers))}]";
        Assert.Equal(window, Changed(fixture, [.. changes, ("layer_types", types)]).SlidingWindow);
    }

    [Theory]
    [InlineData("tiny-mistral", "[\"full_attention\"]", "expected 3 entries, one for each layer")]
    [InlineData("tiny-mistral", "[\"full_attention\",\"chunked_attention\",\"full_attention\"]", "layer_types is 'chunked_attention'")]
    [InlineData(
        "tiny-qwen2",
        "[\"sliding_attention\",\"sliding_attention\",\"sliding_attention\",\"sliding_attention\"]",
        "no sliding_window is")]
    public void Layer_types_that_the_engine_has_no_rule_for_are_refused(string fixture, string types, string expected) =>
        Refusal.Of(() => Changed(fixture, "layer_types", types), "layer_types is", expected);

    [Fact]
    public void Broken_json_is_refused_with_file_and_line()
    {
        string path = folder.File("config.json");
        File.WriteAllText(path, "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"hidden_size\": 12,,\n}");
        Refusal.Of(() => ModelConfiguration.Load(folder.Root), $"{path}:3: broken JSON");
        File.WriteAllBytes(path, [(byte)'{', (byte)'\n', (byte)'"', 0xFF, (byte)'"', (byte)'}']);
        Refusal.Of(() => ModelConfiguration.Load(folder.Root), $"{path}:2: broken JSON", "UTF-8");
        File.WriteAllText(path, "{\"a\":1,\n\"a\":2}");
        Refusal.Of(() => ModelConfiguration.Load(folder.Root), path, "Duplicate");
        File.WriteAllText(path, "");
        Refusal.Of(() => ModelConfiguration.Load(folder.Root), $"{path}: is empty");
        File.Delete(path);
        Refusal.Of(() => ModelConfiguration.Load(folder.Root), $"{path}: no such file");
        Refusal.Of(() => ModelConfiguration.Load(folder.File("nowhere")), "no such folder");
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        byte[] original = File.ReadAllBytes(Fixtures.Path("tiny-gqa", "config.json"));
        Mutation.Run(original, 10_000, seed: 2, static damaged =>
        {
            ModelConfiguration model = ModelConfiguration.Parse(damaged, "config.json");
            AssertSameSettings(model, ModelConfiguration.Parse(Encoding.UTF8.GetBytes(model.ToJson()), "again"));
        });
    }

    private static void AssertSameSettings(ModelConfiguration expected, ModelConfiguration actual)
    {
        Assert.Equal(expected.EndOfSequenceIds.ToArray(), actual.EndOfSequenceIds.ToArray());
        Assert.Equal(expected.WindowedLayers.ToArray(), actual.WindowedLayers.ToArray());
        Assert.Equal(
            expected with { SourceJson = null, EndOfSequenceIds = [], WindowedLayers = [] },
            actual with { SourceJson = null, EndOfSequenceIds = [], WindowedLayers = [] });
    }

    private static ModelConfiguration Load(string fixture) => ModelConfiguration.Load(Fixtures.Path(fixture));

    private static JsonObject Source(string fixture) => JsonNode.Parse(File.ReadAllText(Fixtures.Path(fixture, "config.json")))!.AsObject();

    private static ModelConfiguration Parse(JsonObject json) =>
        ModelConfiguration.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()), "config.json");

    private static ModelConfiguration Changed(string fixture, string field, string value) => Changed(fixture, (field, value));

    private static ModelConfiguration Changed(string fixture, params (string Field, string Value)[] changes)
    {
        JsonObject json = Source(fixture);
        foreach ((string field, string value) in changes) json[field] = JsonNode.Parse(value);
        return Parse(json);
    }
}
