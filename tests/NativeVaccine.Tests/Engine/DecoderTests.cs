using System.Text.Json;
using NativeVaccine.Engine;
using NativeVaccine.Tests.Models;
using NativeVaccine.Tests.TorchReference;

namespace NativeVaccine.Tests.Engine;

/// <summary>Continuations against those of transformers, and how prompts fall into groups.</summary>
public sealed class DecoderTests
{
    private static readonly SessionOptions Options = new()
    {
        MaxTokens = 400,
        MaxSamples = 4,
        LongestSample = 200,
        Training = false,
        DecodeSamples = 4,
        DecodeCapacity = 240,
    };

    public static TheoryData<string> Models() => FixtureSession.Models();

    [Theory]
    [MemberData(nameof(Models))]
    public void GreedyContinuationsAreThoseOfTransformers(string folder)
    {
        using var model = new FixtureSession(folder, Options);
        (int[][] prompts, int[][] expected) = Greedy(folder);
        var options = new GenerationOptions { MaxNewTokens = 32, EndIds = model.Session.Configuration.EndOfSequenceIds };

        IReadOnlyList<int[]> continuations = model.Session.Decoder.Generate(prompts, options);

        if (TestDevice.IsBFloat16) RequireGreedyInBFloat16(folder, model, prompts, expected, continuations);
        else Assert.Equal(expected, continuations);
    }

    /// <summary>
    /// In bf16 the best two logits may change places where they are close. A continuation must be that of fp32 where its smallest margin is
    /// larger than two logits may be off together, and every token must be the best, or as good within that, by a forward pass over the
    /// whole text.
    /// </summary>
    private static void RequireGreedyInBFloat16(
        string folder, FixtureSession model, int[][] prompts, int[][] expected, IReadOnlyList<int[]> continuations)
    {
        using var file = new ExpectedFile(folder);
        double bound = 2 * new Closeness(folder).LargestLogit;
        int vocabulary = model.Session.Configuration.VocabularySize;
        for (int index = 0; index < prompts.Length; index++)
        {
            double margin = file.Root.GetProperty("greedy")[index].GetProperty("smallest_margin").GetDouble();
            if (margin > bound) Assert.Equal(expected[index], continuations[index]);
            int[] text = [.. prompts[index], .. continuations[index]];
            model.Session.Forward(Batch.OfPrompts([text]), new ForwardOptions { ForBackward = false });
            int first = prompts[index].Length - 1;
            float[] logits = model.Logits(first, continuations[index].Length);
            for (int i = 0; i < continuations[index].Length; i++)
            {
                ReadOnlySpan<float> row = logits.AsSpan(i * vocabulary, vocabulary);
                float best = row.ToArray().Max();
                float chosen = row[continuations[index][i]];
                Assert.True(chosen >= best - bound, FormattableString.Invariant($"prompt {index}, token {i}: {chosen} chosen, {best} is best"));
            }
        }
    }

    [Theory]
    [InlineData(1, 200)]
    [InlineData(3, 210)]
    [InlineData(4, 800)]
    public void GroupsChangeNoGreedyContinuation(int samples, int tokens)
    {
        (int[][] prompts, int[][] expected) = Greedy("tiny-llama");
        int[] order = [.. Enumerable.Range(0, 7).Select(index => index * 3 % prompts.Length)];
        SessionOptions room = Options with { MaxSamples = samples, DecodeSamples = samples, MaxTokens = tokens };
        using var model = new FixtureSession("tiny-llama", room);
        var seen = new List<DecodedToken>();

        IReadOnlyList<int[]> continuations = model.Session.Decoder.Generate(
            [.. order.Select(index => prompts[index])], new GenerationOptions { MaxNewTokens = 8 }, seen.Add);

        Assert.Equal(order.Select(index => expected[index][..8]), continuations);
        for (int prompt = 0; prompt < order.Length; prompt++)
        {
            DecodedToken[] ofPrompt = [.. seen.Where(token => token.Prompt == prompt)];
            Assert.Equal(continuations[prompt], ofPrompt.Select(static token => token.Id));
            Assert.Equal(Enumerable.Range(1, 8).Select(static number => number == 8), ofPrompt.Select(static token => token.IsLast));
        }
    }

    [Fact]
    public void AnEndTokenEndsItsOwnContinuationOnly()
    {
        using var model = new FixtureSession("tiny-llama", Options);
        (int[][] prompts, int[][] expected) = Greedy("tiny-llama");
        int end = expected[0][2];

        IReadOnlyList<int[]> continuations = model.Session.Decoder.Generate(
            prompts, new GenerationOptions { MaxNewTokens = 32, EndIds = [end] });

        Assert.Equal(expected.Select(tokens => tokens[..UpTo(tokens, end)]), continuations);
        Assert.True(continuations.Select(static tokens => tokens.Length).Distinct().Count() > 1);
    }

    /// <summary>With places for fewer than there are, the next prompt begins where one has ended, while the others go on.</summary>
    [Theory]
    [InlineData(2, 400, 1f)]
    [InlineData(3, 210, 1f)]
    [InlineData(2, 400, 1.3f)]
    public void APromptThatEndsLeavesItsPlaceToTheNext(int places, int tokens, float penalty)
    {
        if (TestDevice.IsBFloat16) return;  // other numbers, and so other ends
        int[][] four = Greedy("tiny-llama").Prompts;
        int[][] prompts = [.. four, [1, 388], [1, 531], [1, 288]];
        var options = new GenerationOptions { MaxNewTokens = 24, Temperature = 1, TopK = 50, RepetitionPenalty = penalty, EndIds = [.. Enumerable.Range(700, 12)] };
        using var wide = new FixtureSession("tiny-llama", Options with { MaxSamples = prompts.Length, DecodeSamples = prompts.Length });
        IReadOnlyList<int[]> expected = wide.Session.Decoder.Generate(prompts, options);
        Assert.True(expected.Select(static continuation => continuation.Length).Distinct().Count() > 3);
        using var narrow = new FixtureSession("tiny-llama", Options with { MaxSamples = places, DecodeSamples = places, MaxTokens = tokens });
        narrow.Session.Extend(Batch.OfPrompts([[1, 2, 3]]), [0], [0]);  // what the cache had before is no matter
        var order = new List<DecodedToken>();

        Assert.Equal(expected, narrow.Session.Decoder.Generate(prompts, options, order.Add));

        // In groups no prompt meets more others than there are places beside its own.
        int[] first = [.. Enumerable.Range(0, prompts.Length).Select(prompt => order.FindIndex(token => token.Prompt == prompt))];
        int[] last = [.. Enumerable.Range(0, prompts.Length).Select(prompt => order.FindLastIndex(token => token.Prompt == prompt))];
        Assert.Contains(Enumerable.Range(0, prompts.Length), prompt => Enumerable.Range(0, prompts.Length)
            .Count(other => first[other] < last[prompt] && last[other] > first[prompt]) > places);
        Assert.All(order.Select((_, i) => first.Zip(last).Count(span => span.First <= i && span.Second > i)), atOnce => Assert.InRange(atOnce, 0, places));
    }

    [Fact]
    public void DrawsFollowTheSeed()
    {
        using var model = new FixtureSession("tiny-llama", Options);
        int[][] prompts = Greedy("tiny-llama").Prompts;
        var options = new GenerationOptions { MaxNewTokens = 16, Temperature = 1, TopK = 50, TopP = 0.95f, Seed = 5 };

        IReadOnlyList<int[]> first = model.Session.Decoder.Generate(prompts, options);

        Assert.Equal(first, model.Session.Decoder.Generate(prompts, options));
        Assert.NotEqual(first, model.Session.Decoder.Generate(prompts, options with { Seed = 6 }));
        Assert.NotEqual(first, model.Session.Decoder.Generate(prompts, options with { Temperature = 0 }));
    }

    /// <summary>A prompt's draws are its own: those that it had when prompts were drawn one at a time.</summary>
    [Theory]
    [InlineData(1, 200)]
    [InlineData(3, 210)]
    [InlineData(4, 800)]
    public void GroupsChangeNoDraw(int samples, int tokens)
    {
        if (TestDevice.IsBFloat16) return;  // other numbers, and so other draws
        SessionOptions room = Options with { MaxSamples = samples, DecodeSamples = samples, MaxTokens = tokens };
        using var model = new FixtureSession("tiny-llama", room);
        int[][] prompts = Greedy("tiny-llama").Prompts;
        var options = new GenerationOptions { MaxNewTokens = 16, Temperature = 1, TopK = 50, TopP = 0.95f, Seed = 5 };
        int[][] expected =
        [
            [13, 262, 357, 744, 336, 727, 720, 725, 432, 329, 733, 709, 269, 730, 289, 411],
            [290, 355, 408, 714, 345, 369, 267, 260, 707, 727, 715, 718, 725, 730, 294, 303],
            [279, 265, 278, 318, 285, 483, 356, 714, 364, 726, 13, 337, 763, 707, 409, 740],
            [748, 740, 719, 711, 725, 708, 266, 744, 13, 352, 721, 715, 312, 745, 726, 13],
        ];

        Assert.Equal(expected, model.Session.Decoder.Generate(prompts, options));
        Assert.Equal([[], expected[1], [], expected[3]], model.Session.Decoder.Generate(prompts, options with { Only = [1, 3] }));
    }

    /// <summary>As many at a time as greedy decoding has: the prompts go on together, token by token.</summary>
    [Fact]
    public void DrawsAreMadeForManyPromptsAtATime()
    {
        using var model = new FixtureSession("tiny-llama", Options);
        var order = new List<int>();
        model.Session.Decoder.Generate(
            [[1, 388], [1, 531], [1, 288]],
            new GenerationOptions { MaxNewTokens = 3, Temperature = 1 },
            token => order.Add(token.Prompt));
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1, 2], order);
    }

    /// <summary>Ids of transformers 5.23: generate(do_sample=False, repetition_penalty=1.5) on "The quick brown fox".</summary>
    [Fact]
    public void ARepetitionPenaltyIsThatOfTransformers()
    {
        if (TestDevice.IsBFloat16) return;  // the best two logits may change places
        using var model = new FixtureSession("tiny-llama", Options);
        int[][] prompts = [[1, 388, 531, 288, 732, 286, 299, 727, 713, 283, 711, 738]];
        var options = new GenerationOptions { MaxNewTokens = 12, RepetitionPenalty = 1.5f };

        Assert.Equal([714, 726, 13, 262, 357, 707, 742, 748, 726, 337, 733, 338], model.Session.Decoder.Generate(prompts, options)[0]);
        Assert.Equal(
            [714, 726, 13, 13, 262, 357, 13, 262, 357, 13, 262, 357],
            model.Session.Decoder.Generate(prompts, options with { RepetitionPenalty = 1 })[0]);
    }

    [Fact]
    public void APromptThatDoesNotFitIsNamed()
    {
        using var model = new FixtureSession("tiny-llama", Options with { DecodeCapacity = 40 });
        Decoder decoder = model.Session.Decoder;
        int[] fits = [.. Enumerable.Repeat(5, 33)];

        Assert.Equal(8, decoder.Generate([fits], new GenerationOptions { MaxNewTokens = 8 })[0].Length);
        Refusal.Of(
            () => decoder.Generate([fits, [.. fits, 5]], new GenerationOptions { MaxNewTokens = 8 }),
            "prompt 1 has 34 tokens; with 8 new ones there is room for 33");
        Refusal.Of(() => decoder.Generate([fits, []], new GenerationOptions { MaxNewTokens = 8 }), "prompt 1 has no tokens");
    }

    [Fact]
    public void ACancelledGenerationStops()
    {
        using var model = new FixtureSession("tiny-llama", Options);
        int[][] prompts = Greedy("tiny-llama").Prompts;
        using var cancellation = new CancellationTokenSource();
        int seen = 0;

        Assert.Throws<OperationCanceledException>(() => model.Session.Decoder.Generate(
            [.. prompts, .. prompts], new GenerationOptions { MaxNewTokens = 4 }, StopAtTheThird, cancellation.Token));
        Assert.Equal(4, model.Session.Decoder.Generate(prompts, new GenerationOptions { MaxNewTokens = 4 })[0].Length);

        void StopAtTheThird(DecodedToken token)
        {
            if (++seen == 3) cancellation.Cancel();
        }
    }

    /// <summary>What is drawn for a prompt depends on its place in the list and the seed, not on the other prompts.</summary>
    [Fact]
    public void DrawsDependOnNoOtherPrompt()
    {
        using var model = new FixtureSession("tiny-llama", Options);
        int[][] prompts = Greedy("tiny-llama").Prompts;
        var options = new GenerationOptions { MaxNewTokens = 16, Temperature = 1, Seed = 5 };
        IReadOnlyList<int[]> all = model.Session.Decoder.Generate(prompts, options);
        Assert.Equal(all[0], model.Session.Decoder.Generate([prompts[0]], options)[0]);
        Assert.Equal(all[1], model.Session.Decoder.Generate([[9], prompts[1], [7, 8]], options)[1]);
        IReadOnlyList<int[]> same = model.Session.Decoder.Generate([prompts[0], prompts[0]], options);
        Assert.NotEqual(same[0], same[1]);
    }

    private static int UpTo(int[] tokens, int end)
    {
        int place = Array.IndexOf(tokens, end);
        return place < 0 ? tokens.Length : place + 1;
    }

    private static (int[][] Prompts, int[][] Continuations) Greedy(string folder)
    {
        using var expected = new ExpectedFile(folder);
        var rows = expected.Root.GetProperty("greedy").EnumerateArray().ToArray();
        return ([.. rows.Select(row => Ids(row, "prompt_ids"))], [.. rows.Select(row => Ids(row, "new_ids"))]);

        static int[] Ids(JsonElement row, string name) =>
            [.. row.GetProperty(name).EnumerateArray().Select(static id => id.GetInt32())];
    }
}
