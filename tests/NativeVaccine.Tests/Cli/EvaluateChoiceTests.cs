using System.Text.Json.Nodes;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Tests.Cli;

/// <summary>Questions with choices, against the numbers that lm-eval 0.4.13 gave.</summary>
public sealed class EvaluateChoiceTests : IDisposable
{
    /// <summary>Log-likelihoods are in nats; lm-eval's own are rounded to 1e-5.</summary>
    private const double Tolerance = 2e-3;

    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<LikelihoodRequest, double> alone = [];

    public static TheoryData<string, string, int> Runs
    {
        get
        {
            var runs = new TheoryData<string, string, int>();
            foreach (string model in (string[])["tiny-llama", "tiny-gqa", "tiny-qwen2"])
                foreach (string form in (string[])["letters", "answers"])
                    foreach (int shots in (int[])[0, 2]) runs.Add(model, form, shots);
            return runs;
        }
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Runs))]
    public void NumbersAreThoseOfLmEval(string model, string form, int shots)
    {
        JsonNode expected = Expected()[$"{model}/{form}/{shots}"]!;
        // The same questions lie there as MMLU's tables, whose name has the subject, and as records.
        string[] files = form == "letters" ? ["rivers_test.csv", "rivers_dev.csv"] : ["test.jsonl", "dev.jsonl"];
        JsonNode found = Evaluate(model, files[0], files[1], form, shots);
        Assert.Equal((double)expected["results"]!["acc"]!, (double)found["accuracy"]!, 1e-12);
        JsonNode normalized = expected["results"]![form == "letters" ? "acc" : "acc_norm"]!;
        Assert.Equal((double)normalized, (double)found["accuracy_normalized"]!, 1e-12);
        JsonArray items = found["items"]!.AsArray();
        Assert.Equal(expected["items"]!.AsArray().Count, items.Count);
        foreach ((JsonNode? one, JsonNode? other) in expected["items"]!.AsArray().Zip(items))
        {
            Assert.Equal((string)one!["context"]!, (string)other!["context"]!);
            Assert.Equal((double)one["acc"]! == 1, (bool)other["correct"]!);
            double[] likelihoods = Numbers(one["log_likelihoods"]!);
            Assert.Equal(likelihoods.Length, other["log_likelihoods"]!.AsArray().Count);
            foreach ((double value, double ours) in likelihoods.Zip(Numbers(other["log_likelihoods"]!)))
                Assert.True(Math.Abs(value - ours) <= Tolerance, $"item {one["index"]}: {ours}, lm-eval has {value}");
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void TokensAreThoseOfLmEval(string model, string form, int shots)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Path(model));
        foreach (JsonNode? item in Expected()[$"{model}/{form}/{shots}"]!["items"]!.AsArray())
        {
            string context = (string)item!["context"]!;
            int[] ids = tokenizer.Encode(context);
            Assert.Equal((int)item["context_tokens"]!, ids.Length);
            foreach ((JsonNode? text, JsonNode? expected) in item["continuations"]!.AsArray().Zip(item["continuation_ids"]!.AsArray()))
            {
                int[] continuation = LikelihoodRequest.Of(tokenizer, context, ids, (string)text!, 4096).Continuation;
                Assert.Equal(expected!.AsArray().Select(static id => (int)id!), continuation);
            }
        }
    }

    [Theory]
    [InlineData(ChoiceForm.Letters, 8)]
    [InlineData(ChoiceForm.Answers, 5)]
    public void WhatTextsBeginWithAlikeIsComputedOnce(ChoiceForm form, int leastSaved)
    {
        string model = Fixtures.Path("tiny-llama");
        Tokenizer tokenizer = Tokenizer.Load(model);
        IReadOnlyList<ChoiceQuestion> dev = ChoiceFile.Read(Fixtures.Path("multiple-choice", "rivers_dev.csv"));
        ChoiceQuestion[] shots = [.. dev, .. dev.Take(2)];  // five
        LikelihoodRequest[][] items = [.. ChoiceFile.Read(Fixtures.Path("multiple-choice", "rivers_test.csv")).Select(question =>
        {
            var prompt = ChoicePrompt.Of(question, shots, form);
            int[] context = tokenizer.Encode(prompt.Context);
            return prompt.Answers.Select((_, i) => LikelihoodRequest.Of(tokenizer, prompt.Context, context, prompt.Continuation(i), 4096)).ToArray();
        })];
        var scorer = new LikelihoodScorer(items);
        long apart = items.SelectMany(static item => item).Sum(static request => (long)request.Context.Length + request.Continuation.Length);
        Assert.True(apart >= leastSaved * scorer.TokenCount, $"{apart} tokens apart, {scorer.TokenCount} shared");
        foreach (int texts in (int[])[scorer.Texts, 1, 5])
        {
            double[][] found = Score(model, scorer, texts);
            for (int item = 0; item < items.Length; item++)
                for (int choice = 0; choice < found[item].Length; choice++) Assert.Equal(Alone(items[item][choice]), found[item][choice], 1e-4);
        }

        double Alone(LikelihoodRequest request) => alone.TryGetValue(request, out double known) ? known : alone[request] = Forward(model, request);
    }

    [Fact]
    public void AnInterruptedEvaluationGoesOn()
    {
        string data = folder.File("birds.jsonl"), json = folder.File("choice.json"), straight = folder.File("straight.json");
        File.WriteAllLines(data, Enumerable.Range(0, 600).Select(static i =>
            $$"""{"question": "Which bird is number {{i}}?", "choices": ["a heron, number {{i % 7}}", "a rook", "the swift"], "answer": {{i % 3}}}"""));
        string[] command = ["evaluate", "choice", "--model", Fixtures.Path("tiny-llama"), "--data", data];
        CommandLine.Succeed([.. command, "--json", straight]);
        Assert.False(File.Exists(straight + ".partial.jsonl"));

        string partial = json + ".partial.jsonl";
        CommandResult stopped = CommandLine.Interrupt(partial, 3000, [.. command, "--json", json]);
        Assert.Contains($" of 600 answers are kept in {partial}: the same command goes on after them", stopped.Error, StringComparison.Ordinal);
        CommandResult other = CommandLine.Run([.. command, "--json", json, "--form", "letters"]);
        Assert.Contains("holds results of another evaluation, whose prompts was ", other.ErrorLine, StringComparison.Ordinal);

        CommandResult resumed = CommandLine.Succeed([.. command, "--json", json]);
        Assert.Contains(" of 600 answers are there already", resumed.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(partial));
        JsonNode all = JsonNode.Parse(File.ReadAllText(straight))!, rest = JsonNode.Parse(File.ReadAllText(json))!;
        Assert.Equal(all["items"]!.ToJsonString(), rest["items"]!.ToJsonString());
        Assert.InRange((long)rest["tokens"]!, 1, (long)all["tokens"]! - 1);
    }

    [Fact]
    public void ALongPromptLosesItsBeginningWithANotice()
    {
        string file = folder.File("long.jsonl");
        File.WriteAllText(file, $$"""{"question": "{{string.Concat(Enumerable.Repeat("heron ", 3000))}}", "choices": ["a", "b"], "answer": 0}""");
        CommandResult result = CommandLine.Succeed("evaluate", "choice", "--model", Fixtures.Path("tiny-llama"), "--data", file);
        Assert.Contains("1 of 1 questions have more tokens than the model's 256 positions", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.csv", "q,one,two,three,four,E\n", "a.csv:1: the last column is 'E': expected the right choice's letter, A to D (there is no header)")]
    [InlineData("a.csv", "question,A,B,C,D,answer\n", "a.csv:1: the last column is 'answer': expected the right choice's letter")]
    [InlineData("a.csv", "q,one,two,A\nq,A\n", "a.csv:2: 2 columns: expected a question, two or more choices")]
    [InlineData("a.csv", "q,\"one\"x,two,A\n", "a.csv:1: broken CSV")]
    [InlineData("a.csv", "q,one,two,A\nq,\"one,two,A\n", "a.csv:")]  // a quotation that never ends
    [InlineData("a.csv", "\n", "a.csv: no questions: expected at least one")]
    [InlineData("a.jsonl", "{\"question\": \"q\", \"answer\": 0}", "a.jsonl:1: field 'choices' is missing")]
    [InlineData("a.jsonl", "{\"question\": \"q\", \"choices\": \"ab\", \"answer\": 0}", "field 'choices' is a string: expected a list of texts")]
    [InlineData("a.jsonl", "{\"question\": \"q\", \"choices\": [\"a\"], \"answer\": 0}", "1 choices: expected 2 to 26")]
    [InlineData("a.jsonl", "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 2}", "field 'answer' is 2: expected the right choice's index, 0 to 1, or its letter, A to B")]
    [InlineData("a.json", "[{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": \"C\"}]", "a.json: record 0: field 'answer' is \"C\"")]
    [InlineData("a.parquet", "PAR1", "a.parquet: .parquet files are not read")]
    public void WhatIsNoQuestionIsRefusedInALine(string name, string content, string expected)
    {
        string file = folder.File(name);
        File.WriteAllText(file, content);
        CommandResult result = CommandLine.Run("evaluate", "choice", "--model", Fixtures.Path("tiny-llama"), "--data", file);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public void ShotsNeedAFileThatHasThem()
    {
        string[] command = ["evaluate", "choice", "--model", Fixtures.Path("tiny-llama"), "--data", Fixtures.Path("multiple-choice", "test.jsonl")];
        Assert.Contains("expected --dev FILE", CommandLine.Run([.. command, "--shots", "1"]).ErrorLine, StringComparison.Ordinal);
        string dev = Fixtures.Path("multiple-choice", "dev.jsonl");
        Assert.Equal($"error: {dev}: 3 questions: expected at least --shots 4", CommandLine.Run([.. command, "--dev", dev, "--shots", "4"]).ErrorLine);
    }

    [Fact]
    public void ACellMayHoldCommasQuotesAndLines()
    {
        string file = folder.File("old_rivers_test.csv");
        File.WriteAllText(file, "\uFEFF\"Which, of \"\"these\"\"\nflows?\",\"a, b\",c, d ,e,B\r\nq,1,2,A");
        IReadOnlyList<ChoiceQuestion> questions = ChoiceFile.Read(file);
        Assert.Equal(["Which, of \"these\"\nflows?", "q"], questions.Select(static question => question.Question));
        Assert.Equal(["a, b", "c", " d ", "e"], questions[0].Choices);
        Assert.Equal([1, 0], questions.Select(static question => question.Answer));
        Assert.All(questions, static question => Assert.Equal("old rivers", question.Subject));
    }

    [Theory]
    [InlineData(new[] { -4.0, -4.0, -5.0 }, new[] { "ab", "a", "a" }, 0, 0)]
    [InlineData(new[] { -4.0, -3.0, -6.0 }, new[] { "ab", "a", "日本語" }, 1, 0)]
    [InlineData(new[] { -4.0, -6.0 }, new[] { "\U0001F600", "abc" }, 0, 1)]  // one character, two UTF-16 units
    public void TheFirstOfEqualChoicesWins(double[] likelihoods, string[] answers, int choice, int normalized)
    {
        var result = new ChoiceResult(new ChoiceQuestion("", answers, 0), new ChoicePrompt("", answers), likelihoods);
        Assert.Equal((choice, normalized), (result.Choice, result.ChoiceNormalized));
    }

    private static double[][] Score(string model, LikelihoodScorer scorer, int texts) =>
        WithSession(model, scorer.Room(texts), session => scorer.Score(session));

    /// <summary>The log-likelihood by a forward pass of its own.</summary>
    private static double Forward(string model, LikelihoodRequest request)
    {
        int[] ids = [.. request.Context, .. request.Continuation];
        var sample = new Sample(ids, [.. Enumerable.Repeat(Sample.IgnoredLabel, request.Context.Length), .. request.Continuation]);
        var room = new SessionOptions { MaxTokens = ids.Length, MaxSamples = 1, LongestSample = ids.Length };
        return WithSession(model, room, session =>
        {
            session.Forward(new Batch([sample]), new ForwardOptions { ForBackward = false });
            return -session.ReadLosses().Sum(static loss => (double)loss);
        });
    }

    private static T WithSession<T>(string model, SessionOptions room, Func<Session, T> use)
    {
        using var weights = ModelFolder.Open(model);
        using var device = TestDevice.Open();
        using var plan = MemoryPlan.Create(device, weights.Configuration, room with { Training = false, Optimizers = 0 });
        using var session = Session.Create(device, plan);
        session.Load(weights);
        return use(session);
    }

    private JsonNode Evaluate(string model, string data, string dev, string form, int shots)
    {
        string json = folder.File("choice.json");
        CommandLine.Succeed(
            "evaluate", "choice", "--model", Fixtures.Path(model), "--data", Fixtures.Path("multiple-choice", data),
            "--dev", Fixtures.Path("multiple-choice", dev), "--form", form, "--shots", $"{shots}", "--precision", "fp32", "--json", json);
        return JsonNode.Parse(File.ReadAllText(json))!;
    }

    private static JsonNode Expected() => JsonNode.Parse(File.ReadAllText(Fixtures.Path("multiple-choice", "expected.json")))!;

    private static double[] Numbers(JsonNode array) => [.. array.AsArray().Select(static item => (double)item!)];
}
