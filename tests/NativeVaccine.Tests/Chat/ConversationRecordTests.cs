using NativeVaccine.Chat;
using NativeVaccine.Data;
using NativeVaccine.Tests.Data;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Chat;

/// <summary>Records of messages, and of prompt and completion, as TRL reads them.</summary>
public class ConversationRecordTests
{
    private const string Form = """{"user":{"prefix":"Q: ","suffix":"\n"},"assistant":{"prefix":"A: ","suffix":"{eos}\n"},"generation":"A:"}""";
    private const string User = """{"role": "user", "content": "Name a bird."}""";
    private const string Assistant = """{"role": "assistant", "content": "Heron."}""";
    private static readonly Tokenizer TinyLlama = Tokenizer.Load(Fixtures.Path("tiny-llama"));
    private static readonly SampleForm Chat = new(TinyLlama, ChatTemplate.OfJson(Form, TinyLlama), 200);
    private static readonly SampleForm Plain = new(TinyLlama, PromptTemplate.None, 200);

    [Fact]
    public void MessagesAreAConversation()
    {
        SampleSet set = Read(Chat, $$"""{"messages": [{{User}}, {{Assistant}}, {"role": "user", "content": "</s>"}, {{Assistant}}]}""", $$"""{"messages": [{{User}}]}""");
        Sample sample = Assert.Single(set.Samples);
        Assert.Equal(1, set.Dropped);
        Assert.Equal("Q: Name a bird.\nA: Heron.</s>\nQ: </s>\nA: Heron.</s>\n", TinyLlama.Decode(sample.InputIds, skipSpecialTokens: false));
        Assert.Equal(2, sample.InputIds.Count(static id => id == 2));
        Assert.Equal(2, sample.Labels.Count(static label => label == 2));
        Assert.EndsWith("1 of 1 samples hold the text of special tokens; it is taken as text", Assert.Single(set.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void OfAPromptWithMessagesNoAnswerIsLearnt()
    {
        Sample sample = Assert.Single(Read(Chat, $$"""{"prompt": [{{User}}, {{Assistant}}, {{User}}], "completion": [{{Assistant}}]}""").Samples);
        Assert.Equal(2, sample.InputIds.Count(static id => id == 2));
        Assert.Equal(1, sample.Labels.Count(static label => label == 2));
    }

    /// <summary>As TRL: the texts as they are, with the end token; labels where the prompt's own tokens end.</summary>
    [Fact]
    public void TextsAreTakenAsTheyAre()
    {
        const string Record = """{"prompt": "Name a bird: ", "completion": "a heron."}""";
        Sample sample = Assert.Single(Read(Plain, Record).Samples);
        int prompt = TinyLlama.Encode("Name a bird: ").Length;
        Assert.Equal([.. TinyLlama.Encode("Name a bird: a heron."), 2], sample.InputIds);
        Assert.Equal(prompt, sample.Labels.Count(static label => label == Sample.IgnoredLabel));
        Assert.Empty(Read(Plain, Record).Notices);
        SampleSet templated = Read(Plain with { Template = PromptTemplate.Alpaca }, Record);
        Assert.Equal(sample.InputIds, templated.Samples[0].InputIds);
        Assert.EndsWith("1 of 1 samples are a prompt and a completion, which are taken as they are, without the template", Assert.Single(templated.Notices), StringComparison.Ordinal);
        Sample all = Assert.Single(Read(Plain with { Labels = LabelScope.All }, Record).Samples);
        Assert.Equal(all.InputIds, all.Labels);
    }

    [Theory]
    [InlineData("""{"messages": []}""", "data.jsonl:1: messages is empty: expected messages with role and content")]
    [InlineData("""{"messages": [{"role": "tool", "content": "x"}]}""", "messages[0]: role 'tool' is not supported: expected system, user, assistant")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "text"}]}]}""", "messages[0]: field 'content' is an array: expected a string")]
    [InlineData("""{"messages": [{"role": "user", "content": null}]}""", "messages[0]: field 'content' is null")]
    [InlineData("""{"messages": [{"role": "system", "content": "x"}]}""", "data.jsonl:1: the chat template (of a JSON file) has no place for a system message")]
    [InlineData("""{"prompt": "x", "completion": [1]}""", "prompt is a string and completion an array: expected two texts, or two lists of messages")]
    public void WhatIsNoConversationIsRefused(string record, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Read(Chat, record)).Message, StringComparison.Ordinal);

    [Fact]
    public void MessagesNeedAChatTemplate() => Assert.Contains(
        "data.jsonl:1: a conversation of messages has no form in --template none: expected --template chat, or a JSON file",
        Assert.Throws<InputException>(() => Read(Plain, $$"""{"messages": [{{User}}, {{Assistant}}]}""")).Message,
        StringComparison.Ordinal);

    [Fact]
    public void FieldsOfMessagesThatAreNotUsedAreNamed()
    {
        SampleSet set = Read(Chat, $$"""{"messages": [{{User}}, {"role": "assistant", "content": "Heron.", "reasoning_content": "Hm.", "name": ""}], "tools": [1]}""");
        Assert.EndsWith("fields that are not used, with the records that have them: messages.reasoning_content (1), tools (1)", Assert.Single(set.Notices), StringComparison.Ordinal);
    }

    [Fact]
    public void APromptMayBeAConversation()
    {
        using var file = new TemporaryFile("prompts.jsonl", $$"""{"messages": [{{User}}, {{Assistant}}, {"role": "user", "content": "Another?"}]}""");
        AlpacaRecord prompt = Assert.Single(PromptFile.Read(file.Path));
        Assert.Equal("Q: Name a bird.\nA: Heron.</s>\nQ: Another?\nA:", Chat.Template.Prompt(prompt));
        Assert.Throws<InputException>(() => PromptTemplate.Alpaca.Prompt(prompt));
        using var answered = new TemporaryFile("prompts.jsonl", $$"""{"messages": [{{User}}, {{Assistant}}]}""");
        Assert.Contains("messages end with the assistant's", Assert.Throws<InputException>(() => PromptFile.Read(answered.Path)).Message, StringComparison.Ordinal);
    }

    private static SampleSet Read(SampleForm form, params string[] records)
    {
        using var file = new TemporaryFile("data.jsonl", string.Join('\n', records));
        return SampleReader.Read(file.Path, form);
    }
}
