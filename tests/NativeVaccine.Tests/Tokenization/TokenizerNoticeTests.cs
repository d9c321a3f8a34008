using System.Text.Json.Nodes;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Tokenization;

/// <summary>What decides where files of one folder disagree, and the line that says so.</summary>
public sealed class TokenizerNoticeTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nativevaccine-");
    private readonly List<string> notices = [];

    public void Dispose() => folder.Delete(recursive: true);

    /// <summary>With a tokenizer.json its post-processor alone decides, as in transformers 5.</summary>
    [Theory]
    [InlineData("{}", null)]
    [InlineData("{\"add_bos_token\": true, \"add_eos_token\": false}", null)]
    [InlineData("{\"add_bos_token\": false}", "add_bos_token is false, but tokenizer.json puts token 1 before a text")]
    [InlineData("{\"add_eos_token\": true, \"eos_token\": \"</s>\"}", "add_eos_token is true, but tokenizer.json puts nothing after a text")]
    public void TheTemplateOfTokenizerJsonDecides(string configuration, string? expected)
    {
        CopyJson();
        Put("tokenizer_config.json", configuration);
        Tokenizer tokenizer = Load();
        Assert.Equal((true, (int?)null), (tokenizer.AddsBeginOfSequence, tokenizer.ClosingId));
        Assert.Equal([1, 260], tokenizer.Encode("a"));
        Assert.Equal(expected is null ? 0 : 1, notices.Count);
        if (expected is not null) Assert.Contains(expected, notices[0], StringComparison.Ordinal);
    }

    [Fact]
    public void ATemplateMayCloseATextAndOpenItWithNothing()
    {
        JsonNode root = CopyJson();
        JsonNode template = root["post_processor"]!;
        template["single"] = JsonNode.Parse("""[{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}]""");
        Put("tokenizer.json", root.ToJsonString());
        Tokenizer tokenizer = Load();
        Assert.Equal((false, 1), (tokenizer.AddsBeginOfSequence, tokenizer.ClosingId));
        Assert.Equal([260], tokenizer.Encode("a"));
    }

    /// <summary>With tokenizer.model alone the flags decide; BOS is on where none is given.</summary>
    [Theory]
    [InlineData("{}", true, null)]
    [InlineData("{\"add_bos_token\": false, \"add_eos_token\": true}", false, 2)]
    [InlineData("{\"add_bos_token\": true, \"add_eos_token\": false}", true, null)]
    public void TheFlagsDecideWithTokenizerModelAlone(string configuration, bool opens, int? closing)
    {
        CopyModel();
        Put("tokenizer_config.json", configuration);
        Tokenizer tokenizer = Load();
        Assert.Equal((opens, closing), (tokenizer.AddsBeginOfSequence, tokenizer.ClosingId));
        Assert.Empty(notices);
    }

    [Fact]
    public void TwoFilesThatAgreeNeedNoLine()
    {
        CopyModel();
        CopyJson();
        Assert.IsType<SentencePieceTokenizer>(Load());
        Assert.Empty(notices);
    }

    [Theory]
    [InlineData("size", "has 901 tokens (tokenizer.model 800)")]
    [InlineData("bos", "puts nothing before a text (tokenizer.model and its flags token 1)")]
    [InlineData("eos", "puts token 2 after a text (tokenizer.model and its flags nothing)")]
    [InlineData("broken", "cannot be read here")]
    public void TokenizerModelCountsWhereTokenizerJsonDiffers(string what, string expected)
    {
        CopyModel();
        JsonNode root = CopyJson();
        JsonArray single = root["post_processor"]!["single"]!.AsArray();
        switch (what)
        {
            case "size":
                root["model"]!["vocab"]!["another"] = 900;
                break;
            case "bos":
                single.RemoveAt(0);
                break;
            case "eos":
                single.Add(JsonNode.Parse("""{"SpecialToken": {"id": "</s>", "type_id": 0}}"""));
                root["post_processor"]!["special_tokens"]!["</s>"] = JsonNode.Parse("""{"id": "</s>", "ids": [2], "tokens": ["</s>"]}""");
                break;
            default:
                root["post_processor"] = 3;
                break;
        }

        Put("tokenizer.json", root.ToJsonString());
        Assert.Equal([1, 260], Load().Encode("a"));
        string line = Assert.Single(notices);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.EndsWith("; tokenizer.model counts", line, StringComparison.Ordinal);
    }

    /// <summary>Where no file of the tokenizer names an end token, a sequence ends with config.json's.</summary>
    [Theory]
    [InlineData("{\"eos_token_id\": 2}", 2)]
    [InlineData("{\"eos_token_id\": [5, 2]}", 5)]
    [InlineData("{}", null)]
    public void TheModelsEndTokenIsTheLastResort(string configuration, int? expected)
    {
        CopyJson();
        Put("config.json", configuration);
        Assert.Equal(expected, Load().EndOfSequenceId);
        Assert.Equal(expected is null ? 0 : 1, notices.Count);
        Put("tokenizer_config.json", """{"eos_token": "</s>"}""");
        Put("config.json", "broken, and not looked at");
        notices.Clear();
        Assert.Equal(2, Load().EndOfSequenceId);
        Assert.Empty(notices);
    }

    /// <summary>An added token without a row does no harm until a text holds it.</summary>
    [Fact]
    public void AddedTokensBeyondTheEmbeddingAreRefusedOnlyWhereOneIsUsed()
    {
        CopyModel();
        Put("added_tokens.json", """{"<pad>": 800, "<bird>": 801}""");
        Put("special_tokens_map.json", """{"pad_token": "<pad>"}""");
        Tokenizer tokenizer = Tokenizer.LoadFor(folder.FullName, 800, notices.Add);
        Assert.Contains("added_tokens.json: token '<pad>' (800) and 1 more have no row", Assert.Single(notices), StringComparison.Ordinal);
        Assert.DoesNotContain(800, tokenizer.Encode("a <pad>"));
        InputException exception = Assert.Throws<InputException>(() => tokenizer.Encode("a <bird>"));
        Assert.Contains("token '<bird>' (801) is needed, but the model's embedding has only 800 rows", exception.Message, StringComparison.Ordinal);
        Assert.Contains("added_tokens.json", exception.Message, StringComparison.Ordinal);
        Put("tokenizer_config.json", """{"eos_token": "<bird>"}""");
        Assert.Throws<InputException>(() => Tokenizer.LoadFor(folder.FullName, 800));
        Assert.Throws<InputException>(() => Tokenizer.LoadFor(folder.FullName, 700));
    }

    /// <summary>Transformers saves them since 4.51, and Hugging Face's Rust library (tokenizers 0.22) obeys them in every later call.</summary>
    [Theory]
    [InlineData("tokenizers-json/llama-metaspace-first")]
    [InlineData("tiny-gqa")]
    public void SettingsOfATrainingRunAreNotObeyedAndALineSaysSo(string fixture)
    {
        string json = File.ReadAllText(Fixtures.Path([.. fixture.Split('/'), "tokenizer.json"]));
        Put("tokenizer.json", json);
        const string Text = "Hello Bread  the river";
        int[] expected = Load().Encode(Text);
        Assert.Empty(notices);
        JsonNode root = JsonNode.Parse(json)!;
        root["model"]!["dropout"] = 0.5;
        root["truncation"] = JsonNode.Parse("""{"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}""");
        Put("tokenizer.json", root.ToJsonString());
        Assert.Equal(expected, Load().Encode(Text));
        Assert.EndsWith(
            "tokenizer.json: model.dropout, truncation are not obeyed: texts are tokenized whole, always alike",
            Assert.Single(notices),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tokenizers-json/llama-metaspace-first", "end_of_word_suffix")]
    [InlineData("tiny-gqa", "end_of_word_suffix")]
    [InlineData("tiny-gqa", "continuing_subword_prefix")]
    public void AffixesOfPiecesAreRefused(string fixture, string field)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(Fixtures.Path([.. fixture.Split('/'), "tokenizer.json"])))!;
        root["model"]![field] = "</w>";
        Put("tokenizer.json", root.ToJsonString());
        InputException exception = Assert.Throws<InputException>(Load);
        Assert.Contains($"tokenizer.json: model: {field} is not supported", exception.Message, StringComparison.Ordinal);
    }

    private Tokenizer Load() => Tokenizer.Load(folder.FullName, notices.Add);

    private void CopyModel() => File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), Path.Combine(folder.FullName, "tokenizer.model"));

    private JsonNode CopyJson()
    {
        string json = File.ReadAllText(Fixtures.Path("tokenizers-json", "llama-metaspace-first", "tokenizer.json"));
        Put("tokenizer.json", json);
        return JsonNode.Parse(json)!;
    }

    private void Put(string name, string content) => File.WriteAllText(Path.Combine(folder.FullName, name), content);
}
