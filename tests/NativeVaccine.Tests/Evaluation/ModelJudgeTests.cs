using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Evaluation;

/// <summary>Models that judge: the classifier against the numbers of transformers, the generative one against log-likelihoods.</summary>
public sealed class ModelJudgeTests : IDisposable
{
    private const string Begin = "BEGINNING OF CONVERSATION: USER: ";
    private const string Template =
        """{"template": "Question: {instruction}\nReply: {response}\nIs it bad?", "positive": [" yes", "Yes"], "negative": [" no"]}""";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AClassifierGivesTheProbabilitiesOfTransformers()
    {
        JsonNode expected = Expected();
        using var judge = ClassifierJudge.Open(Fixtures.Path("tiny-classifier"));
        AlpacaRecord[] answers = [.. Answers(expected)];
        foreach ((AlpacaRecord answer, JsonNode? ids) in answers.Zip(expected["token_ids"]!.AsArray()))
            Assert.Equal(ids!.AsArray().Select(static id => (int)id!), judge.Encode(answer));
        Judgement[] judgements = Judge(judge, answers);
        for (int i = 0; i < answers.Length; i++)
        {
            double[] probabilities = [.. expected["probabilities"]![i]!.AsArray().Select(static value => (double)value!)];
            for (int label = 0; label < probabilities.Length; label++)
                Assert.Equal(probabilities[label], judgements[i].Probabilities[label], 2e-5);
            Assert.Equal(probabilities.Max() > 0.5, judgements[i].IsHarmful);
        }
        Assert.Equal(14, judge.Labels.Count);
        Assert.Equal("controversial_topics,politics", judge.Labels[2]);
    }

    [Fact]
    public void TheReferenceLooksAtAQuestionsFirst256Tokens()
    {
        using var judge = ClassifierJudge.Open(Fixtures.Path("tiny-classifier"));
        int[] ids = judge.Encode(new AlpacaRecord("q", "ignored", string.Concat(Enumerable.Repeat("heron ", 200))));
        Assert.Equal(256, ids.Length);
        Assert.NotEqual(2, ids[^1]);
        Assert.Equal(2, judge.Encode(new AlpacaRecord("q", "ignored", "heron"))[^1]);
    }

    [Theory]
    [InlineData(0.0, false)]
    [InlineData(1e-6, true)]
    public void TheThresholdItselfIsNotAboveIt(double logit, bool isHarmful)
    {
        using var judge = ClassifierJudge.Open(Fixtures.Path("tiny-classifier"));
        float[] logits = new float[800];
        Array.Fill(logits, -1);
        logits[3] = (float)logit;
        Assert.Equal(isHarmful, judge.Judge(logits).IsHarmful);
    }

    [Fact]
    public void AGenerativeJudgeWeighsTheFirstTokensOfItsReplies()
    {
        string model = Fixtures.Path("tiny-llama");
        using var judge = GenerativeJudge.Open(model, Read(Template));
        AlpacaRecord[] answers = [new("How is the gate opened?", "", "Turn the key twice."), new("What is a heron?", "", "A bird, </s> I think.")];
        Judgement[] judgements = Judge(judge, answers);
        Tokenizer tokenizer = Tokenizer.Load(model);
        for (int i = 0; i < answers.Length; i++)
        {
            // The text of a special token in an answer stays text.
            int[] context = tokenizer.Encode($"Question: {answers[i].Instruction}\nReply: {answers[i].Output}\nIs it bad?");
            Assert.Equal(context, judge.Encode(answers[i]));
            double[] likelihoods = Likelihoods(model, context, [First(" yes"), First("Yes"), First(" no")]);
            double positive = Math.Exp(likelihoods[0]) + Math.Exp(likelihoods[1]);
            Assert.Equal(positive / (positive + Math.Exp(likelihoods[2])), judgements[i].Score, 1e-6);
            Assert.Equal(judgements[i].Score > 0.5, judgements[i].IsHarmful);
        }

        int First(string text) => tokenizer.Encode("x" + text)[tokenizer.Encode("x").Length];
    }

    [Fact]
    public void ASpecialTokenOfTheTemplateIsAToken()
    {
        using var judge = GenerativeJudge.Open(
            Fixtures.Path("tiny-llama"), Read("""{"template": "<s>{instruction}</s>{response}", "positive": ["a"], "negative": ["b"]}"""));
        int[] ids = judge.Encode(new AlpacaRecord("<s>", "", "heron"));
        Assert.Equal((1, 1), (ids[0], ids.Count(static id => id == 1)));
        Assert.Single(ids, static id => id == 2);
    }

    [Fact]
    public void AScaleIsAnExpectedGrade()
    {
        using var judge = GenerativeJudge.Open(
            Fixtures.Path("tiny-llama"), Read("""{"template": "{instruction}{response}", "scale": {"1": 0, "2": 0.5, "3": 1}, "threshold": 0.7}"""));
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path("tiny-llama"));
        float[] logits = new float[tokenizer.VocabularySize];
        foreach ((string grade, double probability) in ((string, double)[])[("1", 0.2), ("2", 0.2), ("3", 0.6)])
            logits[tokenizer.Encode("x" + grade)[^1]] = (float)Math.Log(probability);
        Judgement judgement = judge.Judge(logits);
        Assert.Equal(0.7, judgement.Score, 1e-6);
        Assert.Equal(judgement.Score > 0.7, judgement.IsHarmful);
    }

    [Fact]
    public void ALongResponseIsShownInPart()
    {
        using var judge = GenerativeJudge.Open(
            Fixtures.Path("tiny-llama"),
            Read("""{"template": "{instruction} {response}.", "positive": ["a"], "negative": ["b"], "response_tokens": 3}"""));
        AlpacaRecord Answer(string text) => new("q", "", text);
        Assert.Equal(judge.Encode(Answer("heron heron heron")), judge.Encode(Answer("heron heron heron heron heron"))[..judge.Encode(Answer("heron heron heron")).Length]);
        Assert.True(judge.Encode(Answer(string.Concat(Enumerable.Repeat("heron ", 50)))).Length < 20);
    }

    [Fact]
    public void EveryTemplateSaysWhereItIsFrom()
    {
        Assert.Equal(["harmbench", "llama-guard-3", "strongreject"], JudgeTemplate.Known.Select(static template => template.Name));
        Assert.All(JudgeTemplate.Known, static template => Assert.False(string.IsNullOrEmpty(template.Source) || string.IsNullOrEmpty(template.License)));
    }

    [Fact]
    public void LlamaGuardIsAskedAsItsOwnTemplateAsks()
    {
        string[] published = [.. JsonNode.Parse(File.ReadAllText(Fixtures.Path("chat", "published.json")))!["templates"]!.AsArray()
            .Select(static one => (string)one!["template"]!)];
        string own = published.Single(static text => text.Contains("S14: Code Interpreter Abuse", StringComparison.Ordinal));
        string[] shipped = [.. JudgeTemplate.Known.Single(static template => template.Name == "llama-guard-3").Literals];
        string expected = own.Replace("'\" + role + \"'", "'Agent'", StringComparison.Ordinal).Replace("\" + role + \"", "Agent", StringComparison.Ordinal);
        Assert.Contains(shipped[0][..shipped[0].IndexOf("User: ", StringComparison.Ordinal)], expected, StringComparison.Ordinal);
        Assert.Contains(shipped[2].Trim(), expected, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"template": "{instruction}", "positive": ["a"], "negative": ["b"]}""", "field 'template' lacks {instruction} or {response}: expected both")]
    [InlineData("""{"template": "{instruction}{response}", "positive": ["a"]}""", "negative is missing; expected a list of replies, or scale")]
    [InlineData("""{"template": "{instruction}{response}", "positive": [], "negative": ["b"]}""", "field 'positive' is empty: expected at least one reply")]
    [InlineData("""{"template": "{instruction}{response}", "positive": ["a"], "negative": ["b"], "threshold": 1}""", "threshold")]
    [InlineData("""{"template": "{instruction}{response}", "scale": {"1": 2}}""", "expected a number from 0 to 1")]
    [InlineData("""{"template": "{instruction}{response}", "scale": {"1": 1}}""", "has no two values")]
    [InlineData("""{"template": "{instruction}{response}", "yes": ["a"]}""", "field 'yes' is not known: expected name, source")]
    [InlineData("""{"template": "{instruction}{response}", "positive": ["a"], "negative": ["ab"]""", "broken JSON")]
    public void AFileThatIsNoTemplateIsRefused(string json, string expected) =>
        Assert.Contains(expected, Assert.Throws<InputException>(() => Read(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void AnswersThatBeginAlikeAreRefused()
    {
        JudgeTemplate template = Read("""{"template": "{instruction}{response}", "positive": ["12"], "negative": ["13"]}""");
        string message = Assert.Throws<InputException>(() => GenerativeJudge.Open(Fixtures.Path("tiny-llama"), template)).Message;
        Assert.Contains("answers '12' and '13' begin with the same token", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"id2label\": {", "\"id2label\": {\"99\": \"x\",", "id2label")]
    [InlineData("LlamaForSequenceClassification", "BertForSequenceClassification", "architectures")]
    [InlineData("\"13\": \"violence,aiding_and_abetting,incitement\"", "\"13\": \"violence\", \"14\": \"more\"", "tensor 'score.weight' has shape")]
    public void ABrokenClassifierIsRefused(string text, string replacement, string expected)
    {
        string broken = folder.File("classifier");
        Directory.CreateDirectory(broken);
        foreach (string file in Directory.EnumerateFiles(Fixtures.Path("tiny-classifier"))) File.Copy(file, Path.Combine(broken, Path.GetFileName(file)));
        string configuration = Path.Combine(broken, "config.json");
        File.WriteAllText(configuration, File.ReadAllText(configuration).Replace(text, replacement, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<InputException>(() => ClassifierJudge.Open(broken)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SafeRlhfsNamesAreUnderstood()
    {
        string other = folder.File("classifier");
        Directory.CreateDirectory(other);
        foreach (string file in Directory.EnumerateFiles(Fixtures.Path("tiny-classifier"))) File.Copy(file, Path.Combine(other, Path.GetFileName(file)));
        string configuration = Path.Combine(other, "config.json");
        File.WriteAllText(
            configuration, File.ReadAllText(configuration).Replace("LlamaForSequenceClassification", "LlamaForScore", StringComparison.Ordinal));
        Assert.True(ClassifierJudge.IsClassifier(other));
        Assert.False(ClassifierJudge.IsClassifier(Fixtures.Path("tiny-llama")));
        using var judge = ClassifierJudge.Open(other);
        Assert.Equal(14, judge.Labels.Count);
    }

    private static Judgement[] Judge(ModelJudge judge, AlpacaRecord[] answers)
    {
        var logits = new LastLogits([.. answers.Select(judge.Encode)]);
        using var device = TestDevice.Open();
        using var plan = MemoryPlan.Create(device, judge.Configuration, logits.Room(100) with { Training = false, Optimizers = 0 });
        using var session = Session.Create(device, plan);
        session.Load(judge.Weights);
        var judgements = new Judgement[answers.Length];
        logits.Read(session, (index, row) => judgements[index] = judge.Judge(row));
        return judgements;
    }

    private static double[] Likelihoods(string model, int[] context, int[] tokens)
    {
        var scorer = new LikelihoodScorer([[.. tokens.Select(token => new LikelihoodRequest(context, [token]))]]);
        using var weights = ModelFolder.Open(model);
        using var device = TestDevice.Open();
        using var plan = MemoryPlan.Create(device, weights.Configuration, scorer.Room(1) with { Training = false, Optimizers = 0 });
        using var session = Session.Create(device, plan);
        session.Load(weights);
        return scorer.Score(session)[0];
    }

    /// <summary>The fixture's texts, taken apart again.</summary>
    private static IEnumerable<AlpacaRecord> Answers(JsonNode expected) => expected["texts"]!.AsArray().Select(static text =>
    {
        string[] parts = ((string)text!)[Begin.Length..].Split(" ASSISTANT:");
        return new AlpacaRecord(parts[0], "", parts[1].Replace("</s>", "", StringComparison.Ordinal));
    });

    private static JsonNode Expected() => JsonNode.Parse(File.ReadAllText(Fixtures.Path("tiny-classifier", "expected.json")))!;

    private JudgeTemplate Read(string json)
    {
        string file = folder.File("template.json");
        File.WriteAllText(file, json);
        return JudgeTemplate.Open(file);
    }
}
