using NativeVaccine.Data;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Data;

public class SampleBuilderTests
{
    private static readonly Tokenizer TinyLlama = Tokenizer.Load(Fixtures.Path("tiny-llama"));

    [Fact]
    public void AlpacaTemplateIsVerbatim()
    {
        Assert.Equal(
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\nDo it.\n\n### Response:\n",
            PromptTemplate.Alpaca.Prompt("Do it.", ""));
        Assert.Equal(
            "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that "
            + "appropriately completes the request.\n\n### Instruction:\nDo it.\n\n### Input:\nthis\n\n### Response:\n",
            PromptTemplate.Alpaca.Prompt("Do it.", "this"));
        Assert.Equal("Do it.", PromptTemplate.None.Prompt("Do it.", ""));
        Assert.Equal("Do it.\nthis", PromptTemplate.None.Prompt("Do it.", "this"));
        Assert.All(PromptTemplate.All, template => Assert.Same(template, PromptTemplate.Parse(template.Name)));
        foreach (string input in new[] { "", "this" })
        {
            Assert.Equal(PromptTemplate.Alpaca.Prompt("Do it.", input), PromptTemplate.StanfordAlpaca.Prompt("Do it.", input) + "\n");
        }
        Assert.Throws<InputException>(() => PromptTemplate.Parse("chatml"));
    }

    [Fact]
    public void PromptIsIgnoredAndOutputWithItsEndIsLearnt()
    {
        Sample sample = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200).Build(new AlpacaRecord("Name a river.", "", "The Elbe."))!;
        string prompt = PromptTemplate.Alpaca.Prompt("Name a river.", "");
        int promptLength = TinyLlama.Encode(prompt).Length;
        Assert.Equal([.. TinyLlama.Encode(prompt + "The Elbe."), 2], sample.InputIds);
        Assert.All(sample.Labels[..promptLength], label => Assert.Equal(Sample.IgnoredLabel, label));
        Assert.Equal(sample.InputIds[promptLength..], sample.Labels[promptLength..]);
        Assert.Equal(sample.InputIds.Length - promptLength, sample.LabelCount);
    }

    [Fact]
    public void CuttingIsOnTheRightAndMayTakeAllLabels()
    {
        var record = new AlpacaRecord("Name a river.", "", "The Elbe.");
        Sample whole = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200).Build(record)!;
        int promptLength = whole.Labels.Count(label => label == Sample.IgnoredLabel);

        Sample cut = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, promptLength + 1).Build(record)!;
        Assert.Equal(whole.InputIds[..(promptLength + 1)], cut.InputIds);
        Assert.Equal(1, cut.LabelCount);
        Assert.Null(new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, promptLength).Build(record));
        Assert.Throws<InputException>(() => new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 1));
    }

    /// <summary>Nothing predicts the first token, so its label is none.</summary>
    [Fact]
    public void ALabelAtTheFirstPositionDoesNotCount()
    {
        var builder = new SampleBuilder(TinyLlama, PromptTemplate.None, 10);
        Assert.Null(builder.Build([([5], [5])]));
        Assert.Null(builder.Build([([5, 6], [5, Sample.IgnoredLabel])]));
        Assert.Null(builder.Build([([], [])]));
        Assert.Equal(1, builder.Build([([5, 6], [5, 6])])!.LabelCount);
    }

    /// <summary>
    /// The traces' samples were made by the authors' own trainer; the texts they decode to give the same tokens and labels again.
    /// </summary>
    [Theory]
    [InlineData("align")]
    [InlineData("harmful")]
    public void SamplesOfTheReferenceAreMadeAgain(string pool)
    {
        SampleSet reference = SampleReader.Read(
            Fixtures.Path("traces", "tvaccine-paper", "samples.jsonl"), new SampleForm(TinyLlama, PromptTemplate.None, 200), pool);
        var builder = new SampleBuilder(TinyLlama, PromptTemplate.Alpaca, 200);
        foreach (Sample sample in reference.Samples)
        {
            string text = TinyLlama.Decode(sample.InputIds);
            AlpacaRecord record = Take(text);
            Assert.Equal(text, PromptTemplate.Alpaca.Prompt(record.Instruction, record.Input) + record.Output);
            Sample made = builder.Build(record)!;
            Assert.Equal(sample.InputIds, made.InputIds);
            Assert.Equal(sample.Labels, made.Labels);
        }
    }

    private static AlpacaRecord Take(string text)
    {
        const string InstructionMark = "### Instruction:\n";
        const string InputMark = "\n\n### Input:\n";
        const string ResponseMark = "\n\n### Response:\n";
        int instruction = text.IndexOf(InstructionMark, StringComparison.Ordinal) + InstructionMark.Length;
        int response = text.IndexOf(ResponseMark, StringComparison.Ordinal);
        string[] question = text[instruction..response].Split(InputMark);
        return new AlpacaRecord(question[0], question.Length > 1 ? question[1] : "", text[(response + ResponseMark.Length)..]);
    }
}
