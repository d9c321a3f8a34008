using System.Text.Json.Nodes;
using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class CompanionFilesTests : IDisposable
{
    private const string Settings = "tokenizer_config.json";
    private readonly TemporaryFolder folder = new();

    public CompanionFilesTests() => Directory.CreateDirectory(Out());

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("tiny-llama")]
    [InlineData("tiny-gqa")]
    [InlineData("tiny-qwen2")]
    [InlineData("tiny-mistral")]
    public void Files_that_say_all_stay_as_they_are(string fixture)
    {
        CompanionFiles.Copy(Fixtures.Path(fixture), Out());
        foreach (string name in CompanionFiles.Names.Where(name => File.Exists(Fixtures.Path(fixture, name))))
            Assert.Equal(File.ReadAllBytes(Fixtures.Path(fixture, name)), File.ReadAllBytes(Out(name)));
        Assert.True(File.Exists(Out(Settings)));
        Assert.Empty(Directory.GetFiles(Out(), "expected*"));
    }

    /// <summary>transformers 5.23 adds neither BOS nor the leading space to what it reads from a folder of tokenizer.model alone.</summary>
    [Fact]
    public void A_sentencepiece_model_alone_gets_settings_with_which_hugging_face_splits_as_we_do()
    {
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), folder.File("tokenizer.model"));
        CompanionFiles.Copy(folder.Root, Out());
        JsonNode expected = JsonNode.Parse("""
            {"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"add_eos_token":false,"legacy":true,
            "bos_token":"<s>","eos_token":"</s>","unk_token":"<unk>"}
            """)!;
        Assert.True(JsonNode.DeepEquals(expected, Read()), Read().ToJsonString());
        Assert.True(File.Exists(Out("tokenizer.json")));
    }

    [Fact]
    public void Only_what_is_missing_is_added_to_the_settings()
    {
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), folder.File("tokenizer.model"));
        File.WriteAllText(folder.File(Settings), """
            {"z":[1.0,"é"],"tokenizer_class":"LlamaTokenizer","legacy":false,"bos_token":{"content":"<s>"},"auto_map":{"a":"b"}}
            """);
        CompanionFiles.Copy(folder.Root, Out());
        JsonNode expected = JsonNode.Parse("""
            {"z":[1.0,"é"],"tokenizer_class":"LlamaTokenizer","legacy":false,"bos_token":{"content":"<s>"},"add_bos_token":true,
            "add_eos_token":false,"eos_token":"</s>","unk_token":"<unk>"}
            """)!;
        Assert.True(JsonNode.DeepEquals(expected, Read()), Read().ToJsonString());

        File.WriteAllText(folder.File(Settings), """{"add_bos_token":false}""");
        CompanionFiles.Copy(folder.Root, Out());
        Assert.False((bool)Read()["add_bos_token"]!);
    }

    [Fact]
    public void The_class_that_transformers_4_does_not_know_gets_its_other_name()
    {
        File.WriteAllText(folder.File(Settings), """{"tokenizer_class": "TokenizersBackend", "a": 1}""");
        CompanionFiles.Copy(folder.Root, Out());
        Assert.Equal("""{"tokenizer_class":"PreTrainedTokenizerFast","a":1}""", Read().ToJsonString());
    }

    [Fact]
    public void Beside_tokenizer_json_nothing_is_added()
    {
        File.Copy(Fixtures.Path("tiny-gqa", "tokenizer.json"), folder.File("tokenizer.json"));
        File.Copy(Fixtures.Path("tiny-llama", "tokenizer.model"), folder.File("tokenizer.model"));
        CompanionFiles.Copy(folder.Root, Out());
        Assert.False(File.Exists(Out(Settings)));
    }

    [Fact]
    public void Links_out_of_the_folder_are_left_out_with_a_line_and_unknown_files_without()
    {
        string model = folder.File("m");
        Directory.CreateDirectory(model);
        File.WriteAllText(folder.File("secret"), "mine");
        File.WriteAllText(Path.Combine(model, "notes.txt"), "not a known file");
        File.WriteAllText(Path.Combine(model, "real.json"), "{}");
        File.CreateSymbolicLink(Path.Combine(model, "vocab.json"), "real.json");
        File.CreateSymbolicLink(Path.Combine(model, "merges.txt"), "../secret");
        File.CreateSymbolicLink(Path.Combine(model, "x.tiktoken"), folder.File("secret"));
        Directory.CreateSymbolicLink(folder.File("link"), model);
        var notices = new List<string>();
        CompanionFiles.Copy(folder.File("link"), Out(), notices.Add);
        Assert.Equal(["vocab.json"], Directory.GetFiles(Out()).Select(Path.GetFileName));
        Assert.Null(new FileInfo(Out("vocab.json")).LinkTarget);
        Assert.Equal(2, notices.Count);
        Assert.All(notices, static line => Assert.Contains("is a link to a file outside", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Links_of_a_hugging_face_cache_stay_within_it()
    {
        string model = folder.File("models--owner--name");
        string snapshot = Path.Combine(model, "snapshots", "abc");
        Directory.CreateDirectory(snapshot);
        Directory.CreateDirectory(Path.Combine(model, "blobs"));
        File.WriteAllText(Path.Combine(model, "blobs", "1"), "{}");
        File.WriteAllText(folder.File("secret"), "mine");
        File.CreateSymbolicLink(Path.Combine(snapshot, "vocab.json"), "../../blobs/1");
        File.CreateSymbolicLink(Path.Combine(snapshot, "merges.txt"), "../../../secret");
        Directory.CreateSymbolicLink(folder.File("link"), snapshot);
        foreach (string from in new[] { snapshot, folder.File("link") })
        {
            CompanionFiles.Copy(from, Out());
            Assert.Equal(["vocab.json"], Directory.GetFiles(Out()).Select(Path.GetFileName));
            File.Delete(Out("vocab.json"));
        }
    }

    private string Out(params string[] parts) => folder.File(["out", .. parts]);

    private JsonNode Read() => JsonNode.Parse(File.ReadAllText(Out(Settings)))!;
}
